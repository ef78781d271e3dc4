"""Goal: each verb of the README's table does what it says, as text and as JSON, and every documented
exit code comes. Method: one three-node cluster, the `quipu` program, and what it prints.
"""
import json
import os
import re
import unittest

import programs
from programs import Cluster, eventually, folder, run

NOBODY = "127.0.0.1:1,127.0.0.1:2"  # ports where nothing listens
ID = re.compile(r"^[0-9a-f]{32}$")


class CliTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.quipu, cls.json = cls.cluster.quipu, cls.cluster.json

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def lines(self, done):
        self.check(done, 0)
        return done.stdout.splitlines()

    # ---- topics ----
    def test_a_topic_is_created_listed_described_and_deleted(self):
        made = self.json("topic", "create", "t1", "-p", 2, "-r", 3, "-c", "retention.ms=60000",
                         "-c", "min.insync.replicas=2")
        self.assertEqual((made["name"], made["partitions"], made["replication_factor"]),
                         ("t1", 2, 3))
        self.assertRegex(made["topic_id"], ID)
        self.assertIn("created topic t2: 6 partitions, replication factor 3",
                      self.check(self.quipu("topic", "create", "t2"), 0).stdout)
        listed = {topic["name"]: topic for topic in self.json("topic", "list")}
        self.assertEqual(listed["t1"], {"name": "t1", "partitions": 2, "replication_factor": 3,
                                        "internal": False})
        table = self.lines(self.quipu("topic", "list"))
        self.assertEqual(table[0].split(), ["NAME", "PARTITIONS", "REPLICAS", "INTERNAL"])
        self.assertIn(["t2", "6", "3", "no"], [line.split() for line in table])
        told = self.json("topic", "describe", "t1")
        self.assertEqual(told["topic_id"], made["topic_id"])
        self.assertEqual(told["configs"], {"retention.ms": "60000", "min.insync.replicas": "2"})
        self.assertEqual([p["partition"] for p in told["partitions"]], [0, 1])
        self.assertEqual(sorted(told["partitions"][0]["replicas"]), [1, 2, 3])
        eventually(lambda: self.json("topic", "describe", "t1")["partitions"][0].get(
            "high_watermark") == 0, "the leader's watermark")
        text = self.check(self.quipu("topic", "describe", "t1"), 0).stdout
        self.assertIn("retention.ms=60000", text)
        self.assertIn("HIGH-WATERMARK", text)
        self.assertEqual(self.json("topic", "delete", "t1"), {"deleted": "t1"})
        self.assertIn("deleted topic t2", self.check(self.quipu("topic", "delete", "t2"), 0).stdout)
        eventually(lambda: not {"t1", "t2"} & {t["name"] for t in self.json("topic", "list")},
                   "the deletions to be known")

    def test_a_topic_that_is_there_is_refused_unless_that_is_welcome(self):
        self.json("topic", "create", "twice", "-p", 1)
        self.check(self.quipu("topic", "create", "twice"), 1, "TOPIC_ALREADY_EXISTS", "twice")
        self.check(self.quipu("topic", "create", "twice", "--if-not-exists"), 0)

    def test_replicas_by_hand_and_changes_that_are_only_checked(self):
        checked = self.json("topic", "create", "placed", "--replica-assignment", "3:1,2:3", "--validate-only")
        self.assertEqual(checked, {"name": "placed", "topic_id": None, "partitions": 2, "replication_factor": 2,
                                   "validate_only": True})
        self.check(self.quipu("topic", "describe", "placed"), 1, "UNKNOWN_TOPIC_OR_PARTITION")
        self.json("topic", "create", "placed", "--replica-assignment", "3:1,2:3")
        placed = self.json("topic", "describe", "placed")["partitions"]
        self.assertEqual([p["replicas"] for p in placed], [[3, 1], [2, 3]])
        self.assertIn("would have", self.check(self.quipu("topic", "create", "new", "--validate-only"), 0).stdout)
        self.check(self.quipu("topic", "create", "placed", "--validate-only"), 1, "TOPIC_ALREADY_EXISTS")
        self.check(self.quipu("topic", "create", "x", "--replica-assignment", "1:9"), 1, "INVALID_REPLICA_ASSIGNMENT",
                   "broker 9 is not live")
        self.check(self.quipu("topic", "create", "x", "--replica-assignment", "1:one"), 2, "'one' is no broker id")
        self.check(self.quipu("topic", "alter", "placed", "-c", "retention.ms=5", "--validate-only"), 0)
        self.check(self.quipu("topic", "alter", "placed", "-c", "retention.ms=soon", "--validate-only"), 1,
                   "INVALID_CONFIG")
        grow = ("topic", "add-partitions", "placed", "-p", 4, "--allow-key-remap", "--validate-only")
        self.assertEqual(self.json(*grow), {"topic": "placed", "partitions": 4, "validate_only": True})
        altered = self.json("topic", "alter", "placed", "-c", "retention.ms=5", "--validate-only")
        self.assertTrue(altered["validate_only"])
        told = self.json("topic", "describe", "placed")
        self.assertEqual((len(told["partitions"]), told["configs"].get("retention.ms")), (2, None))

    def test_internal_topics_are_listed_when_asked_for(self):
        self.check(self.quipu("group", "describe", "nobody"), 1)  # makes __consumer_offsets
        names = {t["name"]: t["internal"] for t in self.json("topic", "list", "--internal")}
        self.assertIs(names["__consumer_offsets"], True)
        self.assertNotIn("__consumer_offsets", [t["name"] for t in self.json("topic", "list")])

    # ---- produce and consume ----
    def test_every_codec_is_produced_stored_as_the_topic_says_and_read_back(self):
        self.cluster.make_topic("sent")
        self.cluster.make_topic("stored", compression_type="snappy")
        codecs = ("none", "gzip", "snappy", "lz4", "zstd")
        for topic in ("sent", "stored"):
            for codec in codecs:
                self.json("produce", topic, "--compression", codec, text=codec + "\n")
            self.assertEqual(self.lines(self.quipu("consume", topic, "--from-beginning", "-n", 5)),
                             list(codecs))

    def test_records_are_produced_and_read_back(self):
        self.cluster.make_topic("pc", partitions=2)
        done = self.quipu("produce", "pc", "--key-separator", ":", text="a:1\nb:2\na:3\n")
        self.assertEqual(self.lines(done), ["3 of 3 records acknowledged"])
        told = self.json("produce", "pc", "-k", "fixed", "-p", 1, "--compression", "zstd",
                         text="x\ny\n")
        self.assertEqual(told, {"acknowledged": 2, "read": 2, "failed": 0})
        self.json("produce", "pc", "-p", 1, "--compression", "lz4", text="z\n")
        self.assertCountEqual(
            self.lines(self.quipu("consume", "pc", "--from-beginning", "-n", 6)),
            ["1", "2", "3", "x", "y", "z"])
        done = self.quipu("consume", "pc", "--from-beginning", "-n", 6, "-o", "json")
        records = [json.loads(line) for line in self.lines(done)]
        self.assertEqual([r["value"] for r in records if r["key"] == "a"], ["1", "3"])
        fixed = [r for r in records if r["value"] in "xyz"]
        self.assertEqual([(r["partition"], r["key"]) for r in fixed],
                         [(1, "fixed"), (1, "fixed"), (1, None)])
        offset = fixed[1]["offset"]
        done = self.quipu("consume", "pc", "-p", 1, "--offset", offset, "-n", 2, "--meta")
        self.assertEqual(self.lines(done), [f"1\t{offset}\tfixed\ty", f"1\t{offset + 1}\t\tz"])
        self.assertEqual(self.lines(self.quipu("consume", "pc", "--idle-ms", 300)), [])

    def test_produce_stops_at_a_line_without_a_separator(self):
        self.cluster.make_topic("stop")
        done = self.quipu("produce", "stop", "--key-separator", ":", text="a:1\nbroken\nc:3\n")
        self.check(done, 1, "line 2: no key separator ':'", "persisted: no",
                   "of 2 records read 1 are acknowledged", "nothing after line 2 was sent")
        self.assertEqual(self.lines(self.quipu("consume", "stop", "--from-beginning", "--idle-ms",
                                               500)), ["1"])

    def test_produce_stops_at_the_first_record_that_is_too_large(self):
        self.cluster.make_topic("large")
        done = self.quipu("produce", "large", "-o", "json",
                          text="small\n" + "x" * 1100000 + "\nnever sent\n")
        self.check(done, 1, "MESSAGE_TOO_LARGE", "line 2", "persisted: no")
        told = json.loads(done.stdout)
        self.assertEqual(told, {"acknowledged": 1, "read": 2, "failed": 1, "persisted_unknown": 0,
                                "first_failed_line": 2, "persisted": "no",
                                "error": "MESSAGE_TOO_LARGE"})
        self.assertEqual(self.lines(self.quipu("consume", "large", "--from-beginning", "--idle-ms",
                                               500)), ["small"])

    # ---- groups ----
    def test_a_group_commits_exactly_what_was_printed(self):
        self.cluster.make_topic("counted")
        self.json("produce", "counted", text="".join(f"{i}\n" for i in range(1000)))
        first = self.lines(self.quipu("consume", "counted", "-g", "counters", "--from-beginning",
                                      "-n", 7))
        self.assertEqual(first, [str(i) for i in range(7)])
        group = self.json("group", "describe", "counters")
        offset = group["offsets"][0]
        self.assertEqual([offset[key] for key in ("topic", "partition", "committed", "log_end",
                                                  "lag")], ["counted", 0, 7, 1000, 993])
        more = self.lines(self.quipu("consume", "counted", "-g", "counters", "-n", 600))
        self.assertEqual(more, [str(i) for i in range(7, 607)])
        rest = self.lines(self.quipu("consume", "counted", "-g", "counters", "--idle-ms", 700))
        self.assertEqual(rest, [str(i) for i in range(607, 1000)])

    def test_groups_are_listed_and_described(self):
        self.cluster.make_topic("seen", partitions=2)
        self.json("produce", "seen", "-p", 0, text="a\n")
        self.lines(self.quipu("consume", "seen", "-g", "viewers", "--from-beginning", "-n", 1))
        group = {g["group"]: g for g in self.json("group", "list")}["viewers"]
        self.assertEqual((group["state"], group["members"]), ("Empty", 0))
        table = self.lines(self.quipu("group", "list"))
        self.assertEqual(table[0].split(), ["GROUP", "KIND", "STATE", "MEMBERS", "COORDINATOR"])
        self.assertIn(["viewers", "consumer", "Empty", "0", str(group["coordinator"])],
                      [line.split() for line in table])
        member = programs.start("quipu", "consume", "seen", "-g", "viewers", "-b",
                                self.cluster.bootstrap)
        try:
            told = eventually(lambda: self.stable("viewers"), "the member to join")
            self.assertEqual([m["assignment"][0]["partitions"] for m in told["members"]], [[0, 1]])
            text = self.check(self.quipu("group", "describe", "viewers"), 0).stdout
            self.assertIn("group viewers: Stable, kind consumer", text)
            self.assertIn("0,1", text)
        finally:
            member.terminate()
            self.assertEqual(member.communicate(timeout=30),
                             ("", "quipu: interrupted; 0 records were printed\n"))
        self.assertEqual(member.returncode, 143)  # left the group, as SIGTERM asked

    def stable(self, name):
        group = self.json("group", "describe", name)
        return group if group["state"] == "Stable" and group["members"] else None

    # ---- cluster, bench ----
    def test_the_cluster_is_healthy_and_tells_its_processes(self):
        eventually(lambda: self.quipu("cluster", "health").returncode == 0, "health")
        self.assertIn("healthy", self.check(self.quipu("cluster", "health"), 0).stdout)
        self.assertEqual(self.json("cluster", "health"), {"healthy": True, "ailments": []})
        done = run("quipu", "cluster", "status", "--dir", self.cluster.directory)
        self.assertEqual(len(self.lines(done)), 8)
        self.assertIn("controller leader: ", done.stdout)
        done = run("quipu", "cluster", "status", "--dir", self.cluster.directory, "-o", "json")
        told = json.loads(self.check(done, 0).stdout)
        self.assertEqual(told["bootstrap_servers"], self.cluster.bootstrap)
        self.assertIn(told["controller_leader"], (1, 2, 3))
        self.assertEqual([n["name"] for n in told["nodes"] if n["running"]],
                         [f"{role}-{i}" for role in ("controller", "broker") for i in (1, 2, 3)])

    def test_bench_measures_acknowledged_records(self):
        self.cluster.make_topic("bench")
        told = self.json("bench", "produce", "bench", "-n", 2000, "-s", 100, "--batch-size", 8192,
                         "--linger-ms", 2, "--keys", 10)
        self.assertEqual((told["records"], told["failed"], told["partitions"]), (2000, 0, 1))
        self.assertGreater(told["records_per_second"], 0)
        self.assertGreater(told["p99_ms"], 0)
        text = self.check(self.quipu("bench", "produce", "bench", "-n", 100, "--rate", 1000), 0)
        self.assertIn("latency p50", text.stdout)

    # ---- refusals ----
    def test_the_cluster_refuses_with_1(self):
        self.cluster.make_topic("refused")
        for arguments, said in (
                (("topic", "create", "x", "-r", 4), "INVALID_REPLICATION_FACTOR"),
                (("topic", "create", "x", "-c", "retention.ms=soon"), "retention.ms"),
                (("topic", "create", "x", "-c", "no.such.key=1"), "no.such.key"),
                (("topic", "create", "a/b"), "INVALID_TOPIC"),
                (("topic", "create", "__transaction_state"), "INVALID_TOPIC"),
                (("topic", "describe", "missing"), "topic missing"),
                (("topic", "delete", "missing"), "topic missing"),
                (("produce", "missing"), "topic missing"),
                (("produce", "refused", "-p", 7), "no partition 7"),
                (("consume", "missing", "-n", 1), "there is no topic missing"),
                (("consume", "missing", "-g", "g", "-n", 1), "there is no topic missing"),
                (("consume", "refused", "-p", 7, "-n", 1), "no partition 7"),
                (("bench", "produce", "missing"), "topic missing"),
                (("group", "describe", "missing"), "group missing")):
            with self.subTest(arguments):
                self.check(self.quipu(*arguments, text="a\n"), 1, "quipu: ", said)

    def test_wrong_arguments_end_with_2(self):
        for arguments in ((), ("topic",), ("nonsense",), ("topic", "create"),
                          ("topic", "create", "x", "-c", "foo"), ("topic", "create", "x", "-p", 0),
                          ("topic", "create", "x", "-r", "many"), ("topic", "list", "-b", "here"),
                          ("topic", "list", "-b", "a:1,b"), ("topic", "list", "-o", "xml"),
                          ("topic", "list", "--timeout", 0), ("produce", "t", "-p", -1),
                          ("produce", "t", "--compression", "brotli"),
                          ("consume", "t", "-g", "g", "-p", 0),
                          ("consume", "t", "-g", "g", "--offset", 5),
                          ("consume", "t", "--offset", 5, "--from-beginning"),
                          ("consume", "t", "--offset", "x"), ("consume", "t", "-g", ""),
                          ("bench", "produce", "t", "--batch-size", 0),
                          ("bench", "produce", "t", "-n", 0), ("cluster", "up"),
                          ("cluster", "up", "--dir", "x", "-n", 10),
                          ("cluster", "up", "--dir", "x", "--broker-set", "foo"),
                          ("cluster", "status"), ("storage", "format", "x"),
                          ("storage", "format", "x", "--cluster-id", "abc", "--node-id", 1)):
            with self.subTest(arguments):
                done = self.check(run("quipu", *arguments), 2)
                self.assertTrue(done.stderr)
        self.check(run("quipu", "topic", "list", QUIPU_BOOTSTRAP_SERVER="here"), 2,
                   "QUIPU_BOOTSTRAP_SERVER", "'here' is not host:port")

    def test_no_broker_reachable_ends_with_3_and_names_every_server(self):
        for arguments in (("topic", "create", "x"), ("topic", "list"), ("topic", "describe", "x"),
                          ("topic", "delete", "x"), ("produce", "x"), ("consume", "x"),
                          ("consume", "x", "-p", 0), ("consume", "x", "-g", "g"),
                          ("consume", "x", "-g", "g", "--idle-ms", 100), ("group", "list"),
                          ("group", "describe", "x"), ("cluster", "health"),
                          ("bench", "produce", "x"), ("bench", "consume", "x"),
                          ("bench", "end-to-end", "x")):
            with self.subTest(arguments):
                done = run("quipu", *arguments, "--timeout", 700, text="a\n",
                           QUIPU_BOOTSTRAP_SERVER=NOBODY, seconds=20)
                self.check(done, 3, "no broker could be reached", "127.0.0.1:1 ", "127.0.0.1:2 ",
                           "check bootstrap.servers")

    def test_the_argument_goes_before_the_environment(self):
        self.check(self.quipu("topic", "list", QUIPU_BOOTSTRAP_SERVER=NOBODY), 0)
        self.check(run("quipu", "topic", "list", QUIPU_BOOTSTRAP_SERVER=self.cluster.bootstrap), 0)

    def test_help_and_version(self):
        for arguments in (("--help",), ("topic", "create", "--help"), ("consume", "--help")):
            self.check(run("quipu", *arguments), 0)
        self.assertRegex(run("quipu", "--version").stdout, r"^quipu \d+\.\d+\.\d+")
        self.assertIn("Exit codes", run("quipu", "--help").stdout)


class StorageTest(programs.TestCase):
    def test_ids_are_new_each_time(self):
        first, second = (run("quipu", "storage", "random-id").stdout.strip() for _ in range(2))
        self.assertRegex(first, ID)
        self.assertNotEqual(first, second)
        told = json.loads(run("quipu", "storage", "random-id", "-o", "json").stdout)
        self.assertRegex(told["id"], ID)

    def test_a_directory_is_formatted_once(self):
        where = os.path.join(folder("format"), "b1")
        cluster = "0123456789abcdef0123456789abcdef"
        done = run("quipu", "storage", "format", where, "--cluster-id", cluster, "--node-id", 7,
                   "-o", "json")
        told = json.loads(self.check(done, 0).stdout)
        self.assertRegex(told.pop("directory_id"), ID)
        self.assertEqual(told, {"directory": where, "role": "broker", "node_id": 7,
                                "cluster_id": cluster})
        again = run("quipu", "storage", "format", where, "--cluster-id", cluster, "--node-id", 7)
        self.check(again, 1, where, "is formatted already; nothing changed")

    def test_a_controller_needs_its_voters(self):
        where = os.path.join(folder("format"), "c1")
        ids = ["1" * 32, "2" * 32, "3" * 32]
        voters = [part for i, text in enumerate(ids)
                  for part in ("--voter", f"{i + 1}@127.0.0.1:{9191 + i}:{text}")]
        arguments = ("storage", "format", where, "--cluster-id", "9" * 32, "--role", "controller",
                     "--node-id", 1)
        self.check(run("quipu", *arguments), 2, "one, three or five voters are needed")
        self.check(run("quipu", *arguments, *voters[:4], "--directory-id", ids[0]), 2)
        self.check(run("quipu", *arguments, "--voter", "1@here"), 2, "id@host:port:directory-id")
        self.check(run("quipu", *arguments, *voters), 2, "must be among the voters")
        done = run("quipu", *arguments, *voters, "--directory-id", ids[0])
        self.assertIn(f"{where} formatted for controller 1", self.check(done, 0).stdout)


if __name__ == "__main__":
    programs.main()
