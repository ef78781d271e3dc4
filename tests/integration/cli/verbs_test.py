"""Goal: each verb of `quipu` says the same as text and as JSON, of a real cluster, and none is left
out. Method: the verbs come from the program's own --help; each has a case below, in which the verb
is run both ways and the two are compared. A verb without a case fails the test, and so does a case
that compares nothing. What a verb does beyond that is shown by the tests of its noun.
"""
import json
import os
import re
import shutil
import tarfile

import programs
from programs import Cluster, eventually, folder, read, run
from verb_cases import CASES, VerbsCase, case, ids, or_dash, table, verbs, yes


class VerbsTest(VerbsCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def test_every_verb_has_a_case_and_every_case_a_verb(self):
        self.assertEqual(sorted(verbs()), sorted(CASES))

    # ---- topics ----
    @case("topic create", "topic delete")
    def test_topic_create_and_delete(self):
        text = self.text("topic", "create", "made-text", "-p", 2)
        told = self.json("topic", "create", "made-json", "-p", 2)
        described = eventually(lambda: self.json("topic", "describe", "made-text"), "the topic")
        line = "created topic {name}: {partitions} partitions, replication factor " \
               "{replication_factor}, id {topic_id}\n"
        self.same(text, line.format(**{**told, "name": "made-text",
                                       "topic_id": described["topic_id"]}))
        self.same(told["name"], "made-json")
        self.same(self.text("topic", "delete", "made-text"), "deleted topic made-text\n")
        self.same(self.json("topic", "delete", "made-json"), {"deleted": "made-json"})

    @case("topic list", "topic describe")
    def test_topic_list_and_describe(self):
        self.cluster.make_topic("shown", partitions=2, retention_ms=60000)
        told = [t for t in self.json("topic", "list") if t["name"] == "shown"]
        rows = [r for r in table(self.text("topic", "list")) if r["NAME"] == "shown"]
        self.same(rows, [{"NAME": t["name"], "PARTITIONS": str(t["partitions"]),
                          "REPLICAS": str(t["replication_factor"]),
                          "INTERNAL": yes(t["internal"])} for t in told])
        told = eventually(lambda: self.with_offsets("shown"), "the leaders' offsets")
        head, *lines = self.text("topic", "describe", "shown").split("\n")
        self.same(head, f"topic shown, id {told['topic_id']}")
        configs = [line.strip() for line in lines if line.startswith("  ")]
        self.same(configs, [f"{key}={value}" for key, value in told["configs"].items()])
        self.same_rows("\n".join(lines[len(configs):]), told["partitions"], {
            "PARTITION": lambda p: p["partition"], "LEADER": lambda p: p["leader"],
            "EPOCH": lambda p: p["leader_epoch"], "REPLICAS": lambda p: ids(p["replicas"]),
            "ISR": lambda p: ids(p["isr"]), "ELR": lambda p: ids(p["elr"]),
            "LOG-START": lambda p: p["log_start_offset"],
            "HIGH-WATERMARK": lambda p: p["high_watermark"]})

    def with_offsets(self, name):
        told = self.json("topic", "describe", name)
        return told if all("high_watermark" in p for p in told["partitions"]) else None

    @case("topic alter", "topic add-partitions", "topic delete-records")
    def test_topic_alter_add_partitions_and_delete_records(self):
        self.cluster.make_topic("changed", partitions=1)
        change = ("topic", "alter", "changed", "-c", "retention.ms=60000")
        told = self.json(*change)
        self.same(self.text(*change), "".join(
            f"topic {told['topic']}: {key}={value}\n" for key, value in told["set"].items()))
        told = self.json("topic", "add-partitions", "changed", "-p", 2, "--allow-key-remap")
        text = self.text("topic", "add-partitions", "changed", "-p", 3, "--allow-key-remap")
        self.same(text, f"topic changed has {told['partitions'] + 1} partitions; accounts may be in "
                  "others than before\n")
        self.json("produce", "changed", "-p", 0, text="a\nb\n")
        cut = ("topic", "delete-records", "changed", "-p", 0, "--before", 1)
        told = self.json(*cut)
        self.same(self.text(*cut), f"partition {told['partition']} of {told['topic']} now begins at "
                  f"offset {told['log_start_offset']}\n")

    # ---- partitions ----
    @case("partition list", "partition describe")
    def test_partition_list_and_describe(self):
        self.cluster.make_topic("parts", partitions=2)
        list_it = ("partition", "list", "parts")
        told = self.json(*list_it)
        self.same_rows(self.text(*list_it), told, {
            "TOPIC": lambda p: p["topic"], "PARTITION": lambda p: p["partition"],
            "STATE": lambda p: p["state"], "LEADER": lambda p: p["leader"],
            "EPOCH": lambda p: p["leader_epoch"], "REPLICAS": lambda p: ids(p["replicas"]),
            "ISR": lambda p: ids(p["isr"]), "ELR": lambda p: ids(p["elr"])})
        told = self.json("partition", "describe", "parts", 0)
        head, rows = self.text("partition", "describe", "parts", 0).split("\n", 1)
        self.same(head, f"partition 0 of parts: {told['state']}, leader {told['leader']}, epoch "
                  f"{told['leader_epoch']}, ISR [{ids(told['isr'])}], ELR [{ids(told['elr'])}]")
        self.same_rows(rows, told["replica_logs"], {
            "BROKER": lambda r: r["broker"], "STATE": lambda r: "live" if r["live"] else "down",
            "LOG-END": lambda r: r["log_end_offset"],
            "HIGH-WATERMARK": lambda r: r["high_watermark"],
            "LOG-START": lambda r: r["log_start_offset"]})

    # ---- brokers, controllers, settings ----
    @case("broker list", "broker drain", "broker undrain", "leader elect")
    def test_broker_list_drain_and_undrain(self):
        drain = ("broker", "drain", 3, "--no-stop", "--timeout", 30000)
        self.same(self.text(*drain), "broker 3 leads nothing and is in no ISR; it runs on until it "
                  "is stopped or undrained\n")
        self.same(self.json(*drain), {"id": 3, "drained": True, "stopped": False})
        told = self.json("broker", "list")
        self.assertEqual([b["state"] for b in told], ["active", "active", "draining"])
        self.same_rows(self.text("broker", "list"), told, {
            "ID": lambda b: b["id"], "ADDRESS": lambda b: b["address"],
            "STATE": lambda b: b["state"], "UNCLEAN": lambda b: yes(b["unclean"]),
            "EPOCH": lambda b: b["epoch"], "VERSION": lambda b: b["version"],
            "LEADERS": lambda b: b["leaders"], "IN-SYNC": lambda b: b["in_sync"],
            "REPLICAS": lambda b: b["replicas"]})
        self.same(self.text("broker", "undrain", 3), "broker 3 may lead and be in sync again\n")
        self.same(self.json("broker", "undrain", 3), {"id": 3, "drained": False})
        eventually(lambda: self.json("broker", "list")[2]["in_sync"] == told[2]["replicas"],
                   "broker 3 to be in sync")
        self.text("leader", "elect", "--all-topics")
        told = self.json("leader", "elect", "--all-topics")
        self.same(self.text("leader", "elect", "--all-topics"),
                  f"{told['elected']} partitions were given to their preferred leader\n")

    @case("controller status", "metadata quorum")
    def test_controller_status_and_metadata_quorum(self):
        for verb in (("controller", "status"), ("metadata", "quorum")):
            told = self.json(*verb)
            text, end = self.text(*verb).split("\n\n")
            self.same_rows(text, told["controllers"], {
                "ID": lambda c: c["id"], "ROLE": lambda c: c["role"],
                "DIRECTORY": lambda c: c["directory_id"], "ADDRESS": lambda c: c["address"]})
            self.same(end.split(",")[0], f"term {told['term']}")

    @case("config describe", "config set")
    def test_config_describe_and_set(self):
        change = ("config", "set", "--broker", 2, "quipu.disk.free.bytes.min=4096")
        told = self.json(*change)
        self.same(self.text(*change), "".join(
            f"broker {told['broker']}: {key}={value}\n" for key, value in told["set"].items()))
        columns = {"KEY": lambda c: c["key"], "TYPE": lambda c: c["type"],
                   "DEFAULT": lambda c: c["default"], "SOURCE": lambda c: or_dash(c["source"])}
        cluster = {"VALUE": lambda c: c["value"] or "(each broker's)",
                   "EFFECT": lambda c: c["effect"]}
        node = {"VALUE": lambda c: or_dash(c["value"]), "FROM": lambda c: c["origin"],
                "RESTART": lambda c: yes(c["needs_restart"])}
        for arguments, more in (((), cluster), (("--broker", 2), node), (("--controller", 1), node)):
            if "--broker" in arguments:
                eventually(lambda: self.of_broker(2, "quipu.disk.free.bytes.min")["value"] == "4096",
                           "broker 2 to know")
            self.same_rows(self.text("config", "describe", *arguments),
                           self.json("config", "describe", *arguments), {**columns, **more})
        told = self.of_broker(2, "quipu.disk.free.bytes.min")
        self.assertEqual((told["source"], told["origin"], told["needs_restart"]),
                         ("DYNAMIC_BROKER_CONFIG", "quipu config set", False))
        told = self.of_broker(2, "log.dir")
        self.assertEqual((told["value"], told["source"], told["needs_restart"]), (
            os.path.join(self.cluster.directory, "broker-2", "data"), "STATIC_CONFIG", True))
        self.assertIn("node.properties:", told["origin"])
        self.assertEqual(self.of_broker(2, "listeners.file")["origin"], "--set")
        self.assertEqual(self.of_broker(2, "num.network.threads")["origin"], "default")
        self.check(self.cluster.quipu("config", "describe", "--broker", 9), 1, "no broker 9")
        self.check(self.cluster.quipu("config", "describe", "--controller", 9), 1,
                   "no controller 9")
        self.json("config", "set", "--broker", 2, "--delete", "quipu.disk.free.bytes.min")

    def of_broker(self, broker, key):
        return {c["key"]: c for c in self.json("config", "describe", "--broker", broker)}[key]

    # ---- records and groups ----
    @case("produce", "consume", "bench produce")
    def test_produce_consume_and_bench(self):
        self.cluster.make_topic("records")
        told = self.json("produce", "records", "--key-separator", ":", text="a:1\nb:2\n")
        text = self.text("produce", "records", "--key-separator", ":", text="a:1\nb:2\n")
        self.same(text, f"{told['acknowledged']} of {told['read']} records acknowledged\n")
        consume = ("consume", "records", "--from-beginning", "-n", 4)
        told = [json.loads(line) for line in self.text(*consume, "-o", "json").splitlines()]
        self.same(self.text(*consume, "-f", "%p %o %k=%v\n"), "".join(
            "{partition} {offset} {key}={value}\n".format(**record) for record in told))
        self.assertEqual([record["value"] for record in told], ["1", "2", "1", "2"])
        bench = ("bench", "produce", "records", "-n", 100, "-s", 50)
        told = self.json(*bench)
        self.same(re.search(r"of (\d+) records of (\d+) B acknowledged in .*, (\d+) partitions, (\d+) "
                            r"failed\)", self.text(*bench)).groups(),
                  tuple(str(told[key]) for key in ("records", "record_bytes", "partitions",
                                                   "failed")))

    @case("bench consume", "bench end-to-end")
    def test_bench_of_readers(self):
        self.cluster.make_topic("measured")
        self.json("bench", "produce", "measured", "-n", 300, "-s", 50)
        bench = ("bench", "consume", "measured", "-n", 300)
        told = self.json(*bench)
        self.same(re.search(r"\((\d+) records, (\d+) bytes of keys and values in .*, (\d+) partitions;",
                            self.text(*bench)).groups(),
                  tuple(str(told[key]) for key in ("records", "bytes", "partitions")))
        bench = ("bench", "end-to-end", "measured", "--rate", 500, "-n", 200, "-s", 64)
        told = self.json(*bench)
        text = self.text(*bench)
        self.same(re.search(r"^(\d+) records of (\d+) B sent at (\d+)/s in .*, (\d+) partitions: (\d+) "
                            r"acknowledged, (\d+) received", text).groups(),
                  tuple(str(told[key]) for key in ("sent", "record_bytes", "rate", "partitions",
                                                   "acknowledged", "received")))
        self.same(re.search(r"missing (\d+), doubled (\d+), out of order (\d+)", text).groups(),
                  tuple(str(told[key]) for key in ("missing", "doubled", "out_of_order")))

    def make_group(self, name):
        self.cluster.make_topic(name)
        self.json("produce", name, text="1\n2\n3\n")
        self.text("consume", name, "-g", name, "--from-beginning", "-n", 2)

    @case("group remove-member")
    def test_a_static_member_is_taken_out(self):
        for name in ("s-text", "s-json"):
            self.cluster.make_topic(name)
            self.json("produce", name, text="1\n")
            self.text("consume", name, "-g", name, "--instance-id", "one", "--from-beginning", "-n", 1)
        remove = ("--instance-id", "one")
        self.same(self.json("group", "remove-member", "s-json", *remove),
                  {"group": "s-json", "removed": ["one"]})
        self.same(self.text("group", "remove-member", "s-text", *remove),
                  "one: no member of group s-text any more\n")

    @case("group list", "group describe", "group offsets reset", "group offsets delete",
          "group delete")
    def test_groups(self):
        for name in ("g-text", "g-json"):
            self.make_group(name)
        self.same_rows(self.text("group", "list"), self.json("group", "list"), {
            "GROUP": lambda g: g["group"], "KIND": lambda g: g["kind"], "STATE": lambda g: g["state"],
            "MEMBERS": lambda g: g["members"], "COORDINATOR": lambda g: g["coordinator"]})
        told = self.json("group", "describe", "g-text")
        head, text = self.text("group", "describe", "g-text").split("\n", 1)
        self.same(head, "group {group}: {state}, kind {kind}, epoch {epoch}, assignor {assignor}, coordinator "
                  "broker {coordinator}".format(**told))
        self.same_rows(text[text.index("TOPIC"):], told["offsets"], {
            "TOPIC": lambda o: o["topic"], "PARTITION": lambda o: o["partition"],
            "COMMITTED": lambda o: or_dash(o["committed"]), "LOG-END": lambda o: or_dash(o["log_end"]),
            "LAG": lambda o: or_dash(o["lag"]), "MEMBER": lambda o: or_dash(o["member"])})
        reset = ("group", "offsets", "reset", "g-text", "--topic", "g-text", "--to-earliest")
        told = self.json(*reset)
        rows, end = self.text(*reset).rstrip("\n").rsplit("\n", 1)
        self.same_rows(rows, told["offsets"], {
            "TOPIC": lambda o: o["topic"], "PARTITION": lambda o: o["partition"],
            "COMMITTED": lambda o: or_dash(o["committed"]), "NEW": lambda o: o["new"]})
        self.same(end.startswith("dry run"), not told["executed"])
        told = self.json("group", "offsets", "delete", "g-json", "--topic", "g-json")
        text = self.text("group", "offsets", "delete", "g-text", "--topic", "g-text")
        self.same(text, f"deleted the offsets of group g-text for {len(told['deleted'])} "
                  "partitions\n")
        for name in ("d-text", "d-json"):
            self.make_group(name)
        self.same(self.text("group", "delete", "d-text"), "deleted group d-text\n")
        self.same(self.json("group", "delete", "d-json"), {"deleted": "d-json"})

    # ---- the whole cluster ----
    @case("cluster health", "cluster status")
    def test_cluster_health_and_status(self):
        eventually(lambda: self.cluster.quipu("cluster", "health").returncode == 0, "health")
        told = self.json("cluster", "health")
        self.same(self.text("cluster", "health").split(":")[0],
                  {True: "healthy"}[told["healthy"] and not told["ailments"]])
        arguments = ("cluster", "status", "--dir", self.cluster.directory)
        told = self.json(*arguments, to=lambda *a: run("quipu", *a))
        rows, end = self.text(*arguments, to=lambda *a: run("quipu", *a)).rstrip("\n").rsplit("\n", 1)
        self.same_rows(rows, told["nodes"], {
            "NODE": lambda n: n["name"], "STATE": lambda n: "running" if n["running"] else "down",
            "PID": lambda n: n["pid"], "ADDRESS": lambda n: n["address"],
            "METRICS": lambda n: n["metrics"]})
        self.same(end, f"controller leader: {told['controller_leader']}")

    @case("top")
    def test_top(self):
        self.cluster.make_topic("topped")
        arguments = ("top", "--once", "--interval-ms", 200, "--topic", "topped", "--group", "none")
        told = self.json(*arguments)
        head, *tables = self.text(*arguments).split("\n\n")
        rows = next(rows for rows in tables if "PARTITION " in rows)
        self.same(head.split("   ")[0], f"{told['brokers']} brokers, {told['fenced']} fenced")
        self.same_rows(rows, told["partitions"], {
            "TOPIC": lambda p: p["topic"], "PARTITION": lambda p: p["partition"],
            "LEADER": lambda p: p["leader"], "LOG-END": lambda p: p["log_end"],
            "IN-SYNC": lambda p: f"{p['in_sync']}/{p['replicas']}"})

    @case("doctor")
    def test_doctor(self):
        eventually(lambda: self.cluster.quipu("cluster", "health").returncode == 0, "health")

        def steady(text):
            return re.sub(r"[\d.]+ (ms|GiB)|\(\d+ %\)|\d+ entries| (behind|ahead of) ", "~", text)
        told = self.json("doctor")
        lines = [line for line in self.text("doctor").split("\n") if not line.startswith("      ")]
        self.same([steady(line) for line in lines[:-3]],
                  [steady("{level:<4}  {subject}: {check}: {what}".format(**f))
                   for f in told["findings"]])
        levels = [finding["level"] for finding in told["findings"]]
        self.same(lines[-2], "{} ok, {} warn, {} fail".format(*map(levels.count,
                                                                    ("ok", "warn", "fail"))))

    @case("bundle")
    def test_bundle(self):
        where = folder("bundle")
        told = self.json("bundle", os.path.join(where, "json.tar.gz"))
        text = self.text("bundle", os.path.join(where, "text.tar.gz"))
        # Each of its own: groups come and go.
        with tarfile.open(os.path.join(where, "text.tar.gz")) as tar:
            self.same(text.split(",")[0], f"{where}/text.tar.gz: {len(tar.getnames()) - 1} parts")
        with tarfile.open(os.path.join(where, "json.tar.gz")) as tar:
            self.same(tar.getnames(), [p["name"] for p in told["parts"]] + ["bundle.json"])
        self.same(told["missing"], [])


class LocalVerbsTest(VerbsCase):
    """Verbs that need no cluster, or one of their own."""

    def quipu(self, *arguments):
        return run("quipu", *arguments)

    @case("profile create", "profile list", "profile show", "profile use", "profile delete")
    def test_profiles(self):
        def quipu(*arguments):
            return run("quipu", "profile", *arguments, XDG_CONFIG_HOME=where)
        where = folder("profiles")
        text = self.text("create", "a", "-b", "h:1", to=quipu)
        self.same(text, f"created profile a in {where}/quipu; it is in use\n")
        self.same(self.json("create", "b", "-b", "h:2", to=quipu), {"created": "b",
                                                                    "current": False})
        self.same_rows(self.text("list", to=quipu), self.json("list", to=quipu), {
            "PROFILE": lambda p: p["name"], "BOOTSTRAP-SERVERS": lambda p: p["bootstrap_servers"],
            "CURRENT": lambda p: "*" if p["current"] else ""})
        told = self.json("show", "a", to=quipu)
        self.same(self.text("show", "a", to=quipu), f"profile {told['name']} (in use)\n" + "".join(
            f"  {key}={value}\n" for key, value in told["settings"].items()))
        self.same(self.text("use", "b", to=quipu), "using profile b\n")
        self.same(self.json("use", "a", to=quipu), {"using": "a"})
        self.same(self.text("delete", "a", to=quipu), "deleted profile a\n")
        self.same(self.json("delete", "b", to=quipu), {"deleted": "b"})

    @case("storage random-id", "storage format")
    def test_storage_random_id_and_format(self):
        first = self.text("storage", "random-id", to=self.quipu).strip()
        told = self.json("storage", "random-id", to=self.quipu)
        self.same(len(told["id"]), len(first))
        where = folder("format")
        arguments = ("--cluster-id", first, "--node-id", 7)
        told = self.json("storage", "format", f"{where}/json", *arguments, to=self.quipu)
        text = self.text("storage", "format", f"{where}/text", *arguments, to=self.quipu)
        self.same(text.rsplit(" ", 1)[0], f"{where}/text formatted for {told['role']} "
                  f"{told['node_id']} of cluster {told['cluster_id']}, directory id")

    def told_as_text(self, value, indent=""):
        """What `storage dump` prints of its JSON."""
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield f"{indent}{key}:"
                yield from self.told_as_text(inner, indent + "  ")
            elif isinstance(inner, list):
                yield f"{indent}{key}: {len(inner)}"
                for one in inner:
                    yield f"{indent}  -"
                    one = one if isinstance(one, dict) else {"value": one}
                    yield from self.told_as_text(one, indent + "    ")
            else:
                plain = inner if isinstance(inner, str) else json.dumps(inner)
                yield f"{indent}{key}={plain}"

    @case("cluster up", "cluster down", "storage dump")
    def test_cluster_up_down_and_storage_dump(self):
        where = os.path.join(folder("one"), "c")
        up = ("cluster", "up", "--dir", where, "-n", 1, "--timeout", 30000)
        down = ("cluster", "down", "--dir", where, "--timeout", 15000)
        try:
            text = self.text(*up, to=self.quipu)
            told = self.json(*up, to=self.quipu)
            rows, end = text.split("\n\n")
            self.same_rows(rows, told["nodes"], {
                "NODE": lambda n: n["name"], "PID": lambda n: n["pid"],
                "ADDRESS": lambda n: n["address"], "METRICS": lambda n: n["metrics"]})
            self.same(end, f"export QUIPU_BOOTSTRAP_SERVERS={told['bootstrap_servers']}\n"
                      f"# Kafka clients: bootstrap.servers={told['kafka_bootstrap_servers']}\n")
        finally:
            text = self.text(*down, to=self.quipu)
        self.same(text, f"the cluster in {where} is down; its data stays\n")
        self.same(self.json(*down, to=self.quipu), {"killed": []})
        for node in ("broker-1", "controller-1"):
            dump = ("storage", "dump", os.path.join(where, node, "data"))
            told = self.json(*dump, to=self.quipu)
            self.same(self.text(*dump, to=self.quipu).splitlines(), list(self.told_as_text(told)))


class LossVerbsTest(VerbsCase):
    """Verbs for what is lost."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.cluster_id = json.loads(
            read(os.path.join(cls.cluster.directory, "cluster.json")))["cluster_id"]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def lose_disk(self, name, *flags):
        """Kills the node, gives it an empty directory and starts it; the directory's id."""
        self.cluster.kill(name)
        where = os.path.join(self.cluster.directory, name, "data")
        shutil.rmtree(where)
        done = run("quipu", "storage", "format", where, "--cluster-id", self.cluster_id, "--role",
                   name.split("-")[0], "--node-id", name.split("-")[1], *flags, "-o", "json")
        self.cluster.up()
        return json.loads(self.check(done, 0).stdout)["directory_id"]

    @case("controller replace")
    def test_controller_replace(self):
        for as_json in (False, True):
            told = self.json("controller", "status")
            lost = next(c["id"] for c in told["controllers"] if c["id"] != told["leader_id"])
            voters = [part for c in told["controllers"]
                      for part in ("--voter", f"{c['id']}@{c['address']}:{c['directory_id']}")]
            directory = self.lose_disk(f"controller-{lost}", "--observer", *voters)
            replace = ("controller", "replace", "--id", lost, "--directory-id", directory, "--force")
            if as_json:
                self.same(self.json(*replace, seconds=90),
                          {"id": lost, "directory_id": directory, "voter": True})
            else:
                self.same(self.text(*replace, seconds=90),
                          f"controller {lost} with directory {directory} is a voter\n")

    @case("partition recover")
    def test_partition_recover(self):
        self.json("topic", "create", "alone", "-p", 6, "-r", 1, "-c", "min.insync.replicas=1")
        partitions = eventually(
            lambda: [p for p in self.json("topic", "describe", "alone")["partitions"]
                     if p["leader"] == p["replicas"][0] == 1], "partitions of broker 1")
        first, second = [p["partition"] for p in partitions[:2]]
        self.lose_disk("broker-1")
        eventually(lambda: {p["state"] for p in self.json("partition", "list", "alone")
                            if p["partition"] in (first, second)} == {"unrecovered"},
                   "the partitions to have lost everything")
        plan = ("partition", "recover", "alone", first, "--unclean")
        told = eventually(lambda: self.survey(plan), "the new directory to tell of its logs")
        text = self.text(*plan)
        self.same(f"would make broker {told['chosen']} the leader" in text, not told["executed"])
        text = self.text(*plan, "--execute")
        told = self.json("partition", "recover", "alone", second, "--unclean", "--execute")
        self.same(re.search(r"broker (\d+) leads partition \d+ of alone from offset (\d+)",
                            text).groups(), (str(told["chosen"]), "0"))
        self.same(told["executed"], True)

    def survey(self, plan):
        done = self.cluster.quipu(*plan, "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    programs.main()
