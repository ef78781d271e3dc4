"""Goal: `quipu doctor` finds what is wrong with a real cluster and says what to do; `quipu bundle`
packs everything but contents of records, and leaves no broken file. Method: clusters of real
processes, some of which are killed, stopped or set up wrongly, and what the two verbs say.
"""
import json
import os
import re
import resource
import signal
import socket
import subprocess
import tarfile
import unittest

import programs
from programs import Cluster, eventually, folder, read, run

SECRET = "s3cret"  # of records: key, value and header
NOBODY = "127.0.0.1:1"


class SupportCase(programs.TestCase):
    def doctor(self, code, *arguments, to=None):
        """What is not ok, by "subject: check"."""
        done = run("quipu", "doctor", "-o", "json", "-b", to or self.cluster.bootstrap, *arguments)
        self.told = json.loads(self.check(done, code).stdout)
        self.assertEqual(self.told["healthy"], code == 0)
        bad = {f"{f['subject']}: {f['check']}": f for f in self.told["findings"]
               if f["level"] != "ok"}
        self.assertEqual([name for name, f in bad.items() if f["level"] == "fail"],
                         self.told["failed"])
        for finding in bad.values():
            self.assertTrue(finding["do"], finding)
        return bad

    def finds(self, level, name, what, advice, *arguments, code=1, to=None):
        """Waits until the doctor finds it."""
        def found():
            done = run("quipu", "doctor", "-o", "json", "-b", to or self.cluster.bootstrap,
                       *arguments)
            return name in json.loads(done.stdout)["failed"] or level == "warn"
        eventually(found, f"{name} to be found")
        finding = self.doctor(code, *arguments, to=to)[name]
        self.assertEqual(finding["level"], level)
        self.assertIn(what, finding["what"])
        self.assertIn(advice, finding["do"])


class HealthyTest(SupportCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.cluster.make_topic("payments")
        cls.cluster.json("produce", "payments", "--key-separator", ":", "-H", f"h={SECRET}",
                         text=f"{SECRET}:{SECRET}\n")
        cls.cluster.quipu("consume", "payments", "-g", "billing", "--from-beginning", "-n", 1)
        eventually(lambda: cls.cluster.quipu("cluster", "health").returncode == 0, "health")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    # ---- doctor ----
    def test_a_healthy_cluster_has_nothing_to_mend_and_its_facts_are_told(self):
        self.assertEqual(self.doctor(0), {})
        nodes = {(n["role"], n["id"]): n for n in self.told["nodes"]}
        self.assertEqual(len(nodes), 6)
        node = nodes["broker", 2]
        version = re.search(r'kVersion\[\] = "(\S+)"',
                            read(os.path.join(programs.ROOT, "base/version.h"))).group(1)
        self.assertEqual((node["version"], self.told["version"]), (version, version))
        data = os.path.join(self.cluster.directory, "broker-2", "data")
        self.assertEqual((node["data_dir"], node["address"], node["metrics"]), (
            data, self.cluster.nodes["broker-2"]["address"],
            self.cluster.nodes["broker-2"]["metrics"]))
        disk = os.statvfs(data)
        self.assertEqual(node["disk_total_bytes"], disk.f_blocks * disk.f_frsize)
        self.assertGreater(node["disk_free_bytes"], 0)
        self.assertEqual(node["ballast_bytes"], os.stat(os.path.join(data, "ballast")).st_size)
        self.assertLess(abs(node["clock_difference_ms"]), 1000)
        self.assertEqual([b["reached"] for b in self.told["advertised"]["brokers"]], [True] * 3)
        self.assertEqual([c["reached"] for c in self.told["advertised"]["controllers"]], [True] * 3)
        self.assertEqual([(k["address"], k["reached"]) for k in self.told["advertised"]["kafka"]],
                         [(address, True) for address in self.cluster.kafka_bootstrap.split(",")])

    def test_bootstrap_addresses_that_are_wrong(self):
        first = self.cluster.bootstrap.split(",")[0]
        gone = self.doctor(0, to=f"{NOBODY},{first}")
        self.assertEqual(list(gone), [f"{NOBODY}: bootstrap"])
        self.assertIn("refused", gone[f"{NOBODY}: bootstrap"]["what"])
        controller = self.cluster.nodes["controller-1"]["address"]
        self.finds("fail", f"{controller}: bootstrap", "controller 1 listens there",
                   "listener.client", to=f"{controller},{first}")
        self.doctor(1, to=controller)
        self.doctor(3, to=NOBODY)
        text = self.check(run("quipu", "doctor", "-b", NOBODY), 3).stdout
        self.assertIn(f"({NOBODY}: bootstrap", text.splitlines()[-1])

    def test_a_listener_that_speaks_another_language(self):
        with socket.create_server(("127.0.0.1", 0)) as stranger:
            where = "127.0.0.1:%d" % stranger.getsockname()[1]
            first = self.cluster.bootstrap.split(",")[0]
            self.assertEqual(list(self.doctor(0, "--timeout", 1000, to=f"{where},{first}")),
                             [f"{where}: bootstrap"])

    def test_thresholds_are_options(self):
        self.finds("warn", "broker 1: disk", "less than 100 %", "retention", "--disk-free-min", 100,
                   code=0)
        self.check(run("quipu", "doctor", "--disk-free-min", 101), 2)
        self.check(run("quipu", "doctor", "--clock-difference-max", -1), 2)

    # ---- bundle ----
    def bundle(self, *arguments, code=0, to=None):
        """What the verb says, and its file's members by name."""
        file = os.path.join(folder("bundle"), "b.tar.gz")
        done = run("quipu", "bundle", file, "-o", "json", "-b", to or self.cluster.bootstrap,
                   *arguments)
        told = json.loads(self.check(done, code).stdout)
        self.assertEqual((told["file"], told["bytes"]), (file, os.path.getsize(file)))
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        with tarfile.open(file) as tar:
            members = {m.name: tar.extractfile(m).read().decode() for m in tar.getmembers()}
        contents = json.loads(members["bundle.json"])
        self.assertEqual((contents["parts"], contents["missing"]), (told["parts"], told["missing"]))
        self.assertEqual({p["name"]: p["bytes"] for p in told["parts"]},
                         {name: len(content.encode()) for name, content in members.items()
                          if name != "bundle.json"})
        return {m["name"]: m["reason"] for m in told["missing"]}, members

    def test_a_bundle_holds_what_the_verbs_say(self):
        missing, members = self.bundle()
        self.assertEqual(missing, {})
        for name, arguments in (("brokers.json", ("broker", "list")),
                                ("topics.json", ("topic", "describe")),
                                ("configs/cluster.json", ("config", "describe")),
                                ("configs/broker-2.json", ("config", "describe", "--broker", 2)),
                                ("configs/controller-3.json", ("config", "describe",
                                                               "--controller", 3))):
            self.assertEqual(json.loads(members[name]), self.cluster.json(*arguments), name)
        self.assertEqual(json.loads(members["groups.json"])[0]["offsets"][0]["committed"], 1)
        self.assertTrue(json.loads(members["doctor.json"])["healthy"])
        self.assertEqual(len(json.loads(members["quorum.json"])["controllers"]), 3)
        logs = [r for r in json.loads(members["replicas.json"]) if r["topic"] == "payments"]
        self.assertEqual([(r["broker"], r["log_end_offset"]) for r in logs], [(1, 1), (2, 1), (3, 1)])
        for node in ("broker-1", "broker-2", "broker-3", "controller-1"):
            self.assertIn("quipu_node_info", members[f"metrics/{node}.prom"])

    def test_no_contents_of_records_come_along_even_with_logs_and_data_beside_them(self):
        raw = subprocess.run(["grep", "-rlF", SECRET, self.cluster.directory], text=True,
                             capture_output=True, check=False).stdout
        self.assertIn("/data/", raw, "the data directories hold it, to be found")
        missing, members = self.bundle("--logs", self.cluster.directory)
        self.assertIn("logs/broker-1/node.log", members)
        self.assertIn("event=broker.serving", members["logs/broker-1/node.log"])
        self.assertEqual(len(missing), 6, "the data directories")
        self.assertEqual({reason for reason in missing.values()},
                         {"a data directory, with contents of records"})
        for name, content in members.items():
            self.assertNotIn(SECRET, content, name)

    def test_a_file_that_is_there_is_not_overwritten(self):
        file = os.path.join(folder("bundle"), "mine")
        with open(file, "w", encoding="ascii") as mine:
            mine.write("mine")
        self.check(self.cluster.quipu("bundle", file), 1, file, "not overwritten")
        self.assertEqual(read(file), "mine")
        self.check(self.cluster.quipu("bundle", "/missing/b.tar.gz"), 1, "/missing/b.tar.gz")
        self.check(self.cluster.quipu("bundle", "--logs", "/missing"), 2, "/missing")

    def test_a_disk_that_takes_no_more_is_an_error_and_leaves_nothing(self):
        file = os.path.join(folder("bundle"), "b.tar.gz")

        def no_room():  # Python ignores SIGXFSZ, and so does its child
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        done = subprocess.run(
            [programs.program("quipu"), "bundle", file, "-b", self.cluster.bootstrap], text=True,
            capture_output=True, env=programs.environment(), preexec_fn=no_room,
            restore_signals=False, timeout=programs.PATIENCE, check=False)
        self.check(done, 1, file, "File too large")
        self.assertFalse(os.path.exists(file))

    def test_what_prints_the_result_may_be_full_too(self):
        file = os.path.join(folder("bundle"), "b.tar.gz")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(
                [programs.program("quipu"), "bundle", file, "-b", self.cluster.bootstrap],
                stdout=full, stderr=subprocess.PIPE, text=True, env=programs.environment(),
                timeout=programs.PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(tarfile.is_tarfile(file))

    def test_without_a_cluster_a_bundle_holds_what_is_left(self):
        missing, members = self.bundle("--logs", os.path.join(self.cluster.directory, "broker-1"),
                                       to=NOBODY, code=3)
        self.assertIn("logs/node.log", members)
        self.assertFalse(json.loads(members["doctor.json"])["healthy"])
        self.assertIn("brokers.json", missing)
        self.assertIn("no bootstrap address answers", missing["brokers.json"])


class BrokenTest(SupportCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def test_killed_processes_are_named(self):
        self.addCleanup(self.cluster.up)
        self.cluster.make_topic("watched", min_insync_replicas=3)
        self.cluster.kill("broker-2")
        self.finds("fail", "broker 2: state", "it is fenced, and nobody answers", "start it")
        bad = self.doctor(1)
        self.assertIn("partitions: min-isr", self.told["failed"])
        self.assertIn("partitions: replication", bad)
        self.assertEqual([b["reached"] for b in self.told["advertised"]["brokers"]],
                         [True, False, True])
        text = self.check(self.cluster.quipu("doctor"), 1).stdout
        self.assertIn("broker 2: state", text.splitlines()[-1])

        leader = self.cluster.json("controller", "status")["leader_id"]
        lost, last = [c for c in (1, 2, 3) if c != leader]
        self.cluster.kill(f"controller-{lost}")
        self.finds("fail", f"controller {lost}: quorum", "the leader heard of it",
                   "controller replace")
        self.assertIn(f"controller {lost}: address", self.doctor(1))
        self.cluster.kill(f"controller-{last}")
        self.finds("fail", "controllers: quorum", "no controller that leads answers", "majority",
                   "--timeout", 2000)

        file = os.path.join(folder("bundle"), "b.tar.gz")
        done = self.cluster.quipu("bundle", file, "--timeout", 1000, "-o", "json")
        missing = {m["name"] for m in json.loads(self.check(done, 0).stdout)["missing"]}
        self.assertLessEqual({"quorum.json", "configs/broker-2.json", "metrics/broker-2.prom",
                              "broker 2 in replicas.json"}, missing)

    def test_an_address_that_no_client_can_use_and_an_unsafe_setting(self):
        file = os.path.join(self.cluster.directory, "broker-2", "node.properties")
        lines = read(file)

        def restart_with(more):
            with open(file, "w", encoding="utf-8") as config:
                config.write(lines + more)
            self.cluster.kill("broker-2")
            self.cluster.up()

        self.addCleanup(restart_with, "")
        other = self.cluster.nodes["broker-1"]["address"]
        restart_with(f"advertised.listeners=CLIENT://{other}\n")
        self.finds("fail", "broker 2: address", f"clients are told {other}, and broker 1",
                   "set advertised.listeners of broker 2")
        restart_with("advertised.listeners=CLIENT://127.0.0.1:1\n")
        self.finds("fail", "broker 2: address", "clients are told 127.0.0.1:1, and it cannot be reached",
                   "set advertised.listeners of broker 2")
        for address, what in (("127.0.0.1:1", "it cannot be reached from here: Connection refused"),
                              (other, "what listens there does not speak the Kafka protocol")):
            restart_with(f"advertised.listeners=KAFKA://{address}\n")
            self.finds("fail", "broker 2: kafka-address", what,
                       "set advertised.listeners of broker 2 to KAFKA://")
            self.assertIn(f"clients of the Kafka protocol are told {address}, and",
                          self.doctor(1)["broker 2: kafka-address"]["what"])
        restart_with("quipu.unsafe.plaintext.network=true\n")
        unsafe = self.doctor(0)["broker 2: unsafe"]
        self.assertIn(f"quipu.unsafe.plaintext.network=true ({file}:", unsafe["what"])
        self.assertEqual(unsafe["level"], "warn")

    def test_an_interrupted_bundle_leaves_nothing(self):
        file = os.path.join(folder("bundle"), "b.tar.gz")
        pid = self.cluster.nodes["broker-1"]["pid"]
        os.kill(pid, signal.SIGSTOP)  # it takes the connection and does not answer
        try:
            child = subprocess.Popen(
                [programs.program("quipu"), "bundle", file, "-b", self.cluster.bootstrap],
                text=True, env=programs.environment(), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
            eventually(lambda: os.path.exists(file), "the file")
            # From then on the signal is caught.
            eventually(lambda: programs.catches(child.pid, signal.SIGINT), "the handler")
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.communicate(timeout=60),
                             ("", "quipu: interrupted: no bundle was written\n"))
            self.assertEqual(child.returncode, 130)
            self.assertFalse(os.path.exists(file))
        finally:
            os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    programs.main()
