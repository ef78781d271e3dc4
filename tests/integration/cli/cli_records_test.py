"""Goal: `quipu produce` and `quipu consume` read and write every form that their help names, refuse
bad input with its line, and end clean when they are interrupted; profiles say which cluster is
meant. Method: one cluster, the `quipu` program, and what it prints.
"""
import json
import os
import signal
import subprocess
import time
import unittest

import programs
from programs import Cluster, eventually, folder, run


class RecordsTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1, "--controller-set", "default.replication.factor=1",
                              "--controller-set", "min.insync.replicas=1")
        cls.quipu, cls.json = cls.cluster.quipu, cls.cluster.json

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def make(self, name, partitions=1):
        self.cluster.make_topic(name, partitions=partitions, replicas=1)
        return name

    def read(self, topic, *arguments):
        done = self.check(self.quipu("consume", topic, "-e", *arguments), 0)
        return done.stdout

    def records(self, topic, *arguments):
        return [json.loads(line) for line in self.read(topic, "--from-beginning", "-o", "json",
                                                       *arguments).splitlines()]

    # ---- produce ----
    def test_csv_is_produced_by_its_key_column(self):
        topic = self.make("csv")
        path = os.path.join(folder("csv"), "payments.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write('id,account,note\n1,a,"x, ""y"""\n2,b,plain\n')
        told = self.json("produce", topic, path, "-f", "csv", "--key-column", "account",
                         "-H", "source=file", "-H", "empty=")
        self.assertEqual(told, {"acknowledged": 2, "read": 2, "failed": 0})
        self.json("produce", topic, "-f", "csv", "--value-column", "note", text="note\nonly\n")
        records = self.records(topic)
        self.assertEqual([(r["key"], r["value"]) for r in records],
                         [("a", '1,a,"x, ""y"""'), ("b", "2,b,plain"), (None, "only")])
        self.assertEqual(records[0]["headers"], [{"key": "source", "value": "file"},
                                                 {"key": "empty", "value": ""}])

    def test_json_goes_around_unchanged(self):
        topic, copy = self.make("json"), self.make("json-copy")
        text = ('{"key": "a", "value": {"n": 1}, "timestamp": 1767225600000, '
                '"headers": [{"key": "h", "value": "1"}, {"key": "h", "value": null}]}\n'
                '{"key_hex": "ff00", "value": null}\n')
        self.json("produce", topic, "-f", "json", text=text)
        dump = self.read(topic, "--from-beginning", "-o", "json")
        self.json("produce", copy, "-f", "json", text=dump)
        self.assertEqual(self.read(copy, "--from-beginning", "-o", "json"),
                         dump.replace('"topic":"json"', '"topic":"json-copy"'))
        first, second = map(json.loads, dump.splitlines())
        self.assertEqual((first["value"], first["timestamp"]), ('{"n":1}', 1767225600000))
        self.assertEqual((second["key_hex"], second["value"]), ("ff00", None))

    def test_bad_input_is_refused_with_its_line(self):
        topic = self.make("bad")
        for form, text, line, what in (
                (("-f", "csv", "--key-column", "a"), "a,b\n1,2\n3\n", 3, "1 fields where"),
                (("-f", "csv", "--key-column", "k"), "a,b\n1,2\n", 1, "no column 'k'"),
                (("-f", "json"), '{"value": "x"}\nnone\n', 2, "no well-formed JSON"),
                (("-f", "json"), '{"partition": 7}\n', 1, "there is no partition 7; it has 1"),
                (("-f", "json"), '{"vlaue": "x"}\n', 1, "'vlaue' is no member")):
            done = self.quipu("produce", topic, *form, text=text)
            self.check(done, 1, f"line {line}: ", what, "persisted: no",
                       f"nothing after line {line} was sent")
        self.assertEqual(self.read(topic, "--from-beginning"), "1,2\nx\n")
        self.check(self.quipu("produce", topic, "/nowhere.csv"), 1, "cannot read /nowhere.csv")
        for arguments, what in ((("--key-column", "a"), "--key-column needs --format csv"),
                                (("--value-column", "a"), "--value-column needs --format csv"),
                                (("-f", "json", "--key-separator", ":"), "--key-separator splits")):
            self.check(self.quipu("produce", topic, *arguments), 2, what)

    # ---- consume ----
    def test_it_reads_by_offset_time_and_key(self):
        topic = self.make("seek")
        rows = [{"key": "ab"[i % 2], "value": str(i), "timestamp": 1767225600000 + 1000 * i}
                for i in range(10)]
        self.json("produce", topic, "-f", "json", text="".join(map("{}\n".format,
                                                                   map(json.dumps, rows))))
        for arguments, wanted in (
                (("--offset", 7), "789"), (("--offset", -2), "89"), (("--offset", -99), "0123456789"),
                (("--offset", "start", "-n", 2), "01"), (("--offset", "end"), ""),
                (("--from-time", "2026-01-01T00:00:08Z"), "89"),
                (("--from-time", 1767225607500), "89"), (("--from-time", "-1h"), None),
                (("--from-beginning", "--key", "b"), "13579"),
                (("--from-beginning", "--key", "b", "-n", 2), "13"),
                (("--from-beginning", "--key", ""), "")):
            said = self.read(topic, *arguments).replace("\n", "")
            if wanted is not None:
                self.assertEqual(said, wanted, arguments)
        for arguments, what in ((("--from-time", "soon"), "expected a time such as"),
                                (("--offset", "x"), "expected an offset"),
                                (("-f", "%q"), "unknown field at character 1"),
                                (("-f", "xml"), "expected text, json, hex")):
            self.check(self.quipu("consume", topic, *arguments), 2, what)

    def test_it_prints_templates_and_hex(self):
        topic = self.make("print")
        self.json("produce", topic, "-f", "json",
                  text='{"key":"k","value":"v","timestamp":5,"headers":{"a":1}}\n')
        self.assertEqual(self.read(topic, "--offset", "start", "-f",
                                   r"%t/%p/%o %T %k=%v %h %K %V%%\n"), "print/0/0 5 k=v a=1 1 1%\n")
        self.assertEqual(self.read(topic, "--offset", "start", "-f", "hex").splitlines(), [
            "print partition 0 offset 0 1970-01-01T00:00:00.005Z", "  key 1 bytes",
            "    00000000  6b                                               k",
            "  value 1 bytes", "    00000000  76                                               v",
            "  header a 1 bytes",
            "    00000000  31                                               1"])

    # ---- interrupts ----
    def start(self, *arguments, **options):
        command = [programs.program("quipu"), *map(str, arguments), "-b", self.cluster.bootstrap]
        return subprocess.Popen(command, text=True, env=programs.environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def test_an_interrupted_producer_says_what_is_in_the_log(self):
        topic = self.make("cut")
        for life, (number, code) in enumerate(((signal.SIGINT, 130), (signal.SIGTERM, 143)), 1):
            child = self.start("produce", topic, "-o", "json", stdin=subprocess.PIPE)
            child.stdin.write("one\ntwo\nunfini")
            child.stdin.flush()
            eventually(lambda wanted=2 * life: len(self.records(topic)) == wanted, "two records")
            before = len(self.records(topic))
            child.send_signal(number)
            said, errors = child.communicate(timeout=30)
            self.assertEqual(child.returncode, code, errors)
            self.assertEqual(json.loads(said), {"acknowledged": 2, "read": 2, "failed": 0,
                                                "interrupted_after_line": 2})
            self.assertIn("interrupted; nothing after line 2 was sent", errors)
            self.assertEqual(len(self.records(topic)), before)

    def test_an_interrupted_member_commits_and_leaves(self):
        topic = self.make("leave")
        self.json("produce", topic, text="a\nb\nc\n")
        child = self.start("consume", topic, "-g", "leavers", "--from-beginning",
                           stdin=subprocess.DEVNULL)
        self.assertEqual([child.stdout.readline() for _ in "abc"], ["a\n", "b\n", "c\n"])
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.communicate(timeout=30), ("", "quipu: interrupted; 3 records were "
                         "printed, and their offsets are committed for group leavers\n"))
        self.assertEqual(child.returncode, 130)
        group = self.json("group", "describe", "leavers")
        self.assertEqual((group["state"], group["members"]), ("Empty", []))
        self.assertEqual(group["offsets"][0]["committed"], 3)

    def test_a_second_interrupt_ends_at_once(self):
        topic = self.make("twice")
        child = self.start("produce", topic, "--timeout", 60000, stdin=subprocess.PIPE)
        broker = self.cluster.nodes["broker-1"]["pid"]
        child.stdin.write("first\n")
        child.stdin.flush()
        eventually(lambda: self.records(topic), "the first record")
        os.kill(broker, signal.SIGSTOP)
        try:
            child.stdin.write("second\n")
            child.stdin.flush()
            time.sleep(0.5)  # the record is on its way to a broker that does not answer
            child.send_signal(signal.SIGINT)
            time.sleep(0.5)
            self.assertIsNone(child.poll(), "it waits for the record")
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=5)
            self.assertEqual(child.returncode, 130)
        finally:
            os.kill(broker, signal.SIGCONT)

    # ---- profiles ----
    def test_profiles_name_the_cluster(self):
        home = {"XDG_CONFIG_HOME": folder("profiles")}
        here = self.cluster.bootstrap
        self.check(run("quipu", "profile", "show", **home), 2, "no profile is in use")
        self.check(run("quipu", "profile", "create", "a", "-b", here, **home), 0)
        made = run("quipu", "profile", "create", "b", "-b", "127.0.0.1:1", "-c", "client.id=me",
                   "-o", "json", **home)
        self.assertEqual(json.loads(self.check(made, 0).stdout), {"created": "b", "current": False})
        self.assertEqual(json.loads(run("quipu", "profile", "list", "-o", "json", **home).stdout),
                         [{"name": "a", "bootstrap_servers": here, "current": True},
                          {"name": "b", "bootstrap_servers": "127.0.0.1:1", "current": False}])
        text = self.check(run("quipu", "profile", "list", **home), 0).stdout.splitlines()
        self.assertEqual(text[1].split(), ["a", here, "*"])
        self.check(run("quipu", "topic", "list", **home), 0)  # a is in use
        short = ("--timeout", 300)
        self.check(run("quipu", "topic", "list", "--profile", "b", *short, **home), 3)
        self.check(run("quipu", "profile", "use", "b", **home), 0)
        self.check(run("quipu", "topic", "list", *short, **home), 3)
        self.check(run("quipu", "topic", "list", QUIPU_BOOTSTRAP_SERVERS=here, **home), 0)
        self.check(run("quipu", "topic", "list", "--profile", "b", *short,
                       QUIPU_BOOTSTRAP_SERVERS=here, **home), 3)
        self.check(run("quipu", "topic", "list", "--profile", "b", "-b", here, **home), 0)
        shown = json.loads(run("quipu", "profile", "show", "b", "-o", "json", **home).stdout)
        self.assertEqual(shown, {"name": "b", "current": True, "settings": {
            "bootstrap.servers": "127.0.0.1:1", "client.id": "me"}})
        self.check(run("quipu", "profile", "delete", "b", **home), 0)
        self.check(run("quipu", "topic", "list", "--profile", "b", **home), 2, "there is no profile b")
        self.check(run("quipu", "topic", "list", QUIPU_BOOTSTRAP_SERVERS="x", **home), 2,
                   "QUIPU_BOOTSTRAP_SERVERS")
        for arguments, code, what in (
                (("a", "-b", here), 1, "--replace"), (("../x", "-b", here), 2, "profile name"),
                (("c", "-b", "x"), 2, "HOST:PORT"), (("c", "-b", here, "-c", "linger=3"), 2, "linger"),
                (("c", "-b", here, "-c", "linger.ms=x"), 2, "linger.ms")):
            self.check(run("quipu", "profile", "create", *arguments, **home), code, what)


if __name__ == "__main__":
    programs.main()
