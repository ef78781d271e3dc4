"""Goal: the administration of topics, brokers, leaders and settings does what it says, as text and as
JSON, and refuses the rest; every process of a cluster can be restarted while payments stream.
Method: a real three-node cluster for each class, the `quipu` program and scripts/rolling_restart.py.
"""
import os
import subprocess
import sys
import unittest

import programs
from programs import BIN, Cluster, PATIENCE, environment, eventually


class TopicAdminTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.quipu, cls.json = cls.cluster.quipu, cls.cluster.json

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def described(self, name):
        return self.json("topic", "describe", name)

    def test_configs_are_set_deleted_and_checked(self):
        self.cluster.make_topic("configs", min_insync_replicas=1)
        self.assertEqual(
            self.json("topic", "alter", "configs", "-c", "retention.ms=60000", "-c",
                      "max.message.bytes=2000"),
            {"topic": "configs", "deleted": [],
             "set": {"max.message.bytes": "2000", "retention.ms": "60000"}})
        eventually(lambda: self.described("configs")["configs"].get("retention.ms") == "60000",
                   "the config to be known")
        done = self.quipu("topic", "alter", "configs", "--delete-config", "retention.ms")
        self.assertIn("retention.ms is the cluster's default again", self.check(done, 0).stdout)
        eventually(lambda: "retention.ms" not in self.described("configs")["configs"],
                   "the deletion to be known")
        for config, said in (("retention.ms=soon", "whole number"), ("retention.m=1", "retention.ms"),
                             ("min.insync.replicas=0", "from 1")):
            self.check(self.quipu("topic", "alter", "configs", "-c", config), 1, "INVALID_CONFIG",
                       said)
        self.check(self.quipu("topic", "alter", "configs"), 2)
        self.check(self.quipu("topic", "alter", "missing", "-c", "retention.ms=1"), 1, "missing")

    def test_partitions_are_added_only_when_accounts_may_move(self):
        self.cluster.make_topic("grows", partitions=2)
        done = self.quipu("topic", "add-partitions", "grows", "-p", 4)
        self.check(done, 1, "POLICY_VIOLATION", "accounts move", "--allow-key-remap")
        self.assertEqual(len(self.described("grows")["partitions"]), 2)
        self.assertEqual(self.json("topic", "add-partitions", "grows", "-p", 4,
                                   "--allow-key-remap"), {"topic": "grows", "partitions": 4})
        eventually(lambda: len(self.described("grows")["partitions"]) == 4, "the partitions")
        self.json("produce", "grows", "-p", 3, text="new\n")
        self.assertEqual(self.quipu("consume", "grows", "-p", 3, "--offset", 0, "-n", 1).stdout,
                         "new\n")
        self.check(self.quipu("topic", "add-partitions", "grows", "-p", 4, "--allow-key-remap"), 1,
                   "INVALID_PARTITIONS", "4 partitions")

    def test_deleted_records_stay_deleted_on_every_replica_and_after_a_restart(self):
        self.cluster.make_topic("trimmed", partitions=2)
        for partition in (0, 1):
            self.json("produce", "trimmed", "-p", partition, text="a\nb\nc\nd\n")
        self.assertEqual(self.json("topic", "delete-records", "trimmed", "-p", 0, "--before", 2),
                         {"topic": "trimmed", "partition": 0, "log_start_offset": 2})
        self.check(self.quipu("topic", "delete-records", "trimmed", "-p", 0, "--before", 9), 1,
                   "OFFSET_OUT_OF_RANGE")
        self.check(self.quipu("topic", "delete-records", "trimmed", "-p", 0), 2)
        self.check(self.quipu("topic", "delete-records", "trimmed", "--before", 1), 2)

        def starts():
            told = self.json("partition", "describe", "trimmed", 0)
            return {replica.get("log_start_offset") for replica in told["replica_logs"]}
        eventually(lambda: starts() == {2}, "every replica to begin at 2")
        leader = self.described("trimmed")["partitions"][0]["leader"]
        self.cluster.kill(f"broker-{leader}")
        self.cluster.up()
        eventually(lambda: starts() == {2}, "the log start after a restart")
        self.assertEqual(self.quipu("consume", "trimmed", "-p", 0, "--from-beginning", "-n",
                                    2).stdout, "c\nd\n")
        told = self.json("topic", "delete-records", "trimmed", "--all-partitions",
                         "--to-high-watermark")
        self.assertEqual([p["log_start_offset"] for p in told], [4, 4])

    def test_filters_show_what_they_name(self):
        self.cluster.make_topic("full", partitions=1)
        self.cluster.make_topic("odd", partitions=1, retention_ms=1000)
        names = [t["name"] for t in self.json("topic", "describe", "--with-overrides")]
        self.assertIn("odd", names)
        self.assertNotIn("full", names)
        eventually(lambda: self.json("topic", "describe", "--under-replicated") == [],
                   "everything to be in sync")
        self.assertEqual(self.json("topic", "describe", "--unavailable"), [])
        self.json("topic", "alter", "full", "-c", "min.insync.replicas=3")
        eventually(lambda: [t["name"] for t in self.json("topic", "describe", "--at-min-isr")]
                   == ["full"], "the topic at its minimum")
        self.assertIn("topic full",
                      self.check(self.quipu("topic", "describe", "--at-min-isr"), 0).stdout)
        self.assertEqual(self.json("topic", "describe", "--under-min-isr"), [])

    def test_settings_are_changed_at_run_time(self):
        told = {c["key"]: c for c in self.json("config", "describe")}
        self.assertEqual((told["num.partitions"]["value"], told["num.partitions"]["source"],
                          told["num.partitions"]["type"]), ("6", "DEFAULT_CONFIG", "int"))
        self.assertEqual(self.json("config", "set", "num.partitions=2"),
                         {"broker": None, "set": {"num.partitions": "2"}, "deleted": []})
        self.assertEqual(self.json("topic", "create", "small")["partitions"], 2)
        self.check(self.quipu("config", "set", "--delete", "num.partitions"), 0)
        self.assertEqual(self.json("topic", "create", "usual")["partitions"], 6)

        key = "quipu.disk.free.bytes.min"
        self.json("config", "set", "--broker", 2, f"{key}={1 << 50}")
        eventually(lambda: {c["key"]: c["source"] for c in
                            self.json("config", "describe", "--broker", 2)}[key]
                   == "DYNAMIC_BROKER_CONFIG", "broker 2 to know")
        log = os.path.join(self.cluster.directory, "broker-2", "node.log")
        eventually(lambda: "broker.disk_full" in programs.read(log), "broker 2 to refuse produce")
        self.json("config", "set", "--broker", 2, "--delete", key)
        eventually(lambda: "broker.disk_has_space" in programs.read(log), "broker 2 to have space")
        for arguments, said in ((("log.dir=/tmp",), "configuration file"),
                                (("num.partitions=0",), "from 1 to 10000"),
                                (("--broker", 1, "num.partitions=3"), "whole cluster"),
                                (("--broker", 9, f"{key}=1"), "no broker 9")):
            self.check(self.quipu("config", "set", *arguments), 1, said)
        self.check(self.quipu("config", "set"), 2)

    def test_the_quorum_has_the_name_that_people_expect(self):
        told = self.json("metadata", "quorum")
        self.assertEqual(len(told["controllers"]), 3)
        self.assertEqual(told["leader_id"], self.json("controller", "status")["leader_id"])
        for field in ("term", "commit_index"):
            self.assertGreater(told[field], 0)


class BrokerAdminTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.quipu, cls.json = cls.cluster.quipu, cls.cluster.json

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def broker(self, number):
        return {b["id"]: b for b in self.json("broker", "list")}[number]

    def test_a_broker_is_drained_undrained_and_drained_to_stop(self):
        self.cluster.make_topic("d", partitions=3)
        before = self.broker(2)
        self.assertEqual((before["state"], before["unclean"], before["replicas"]),
                         ("active", False, 3))
        self.assertEqual(self.json("broker", "drain", 2, "--no-stop"),
                         {"id": 2, "drained": True, "stopped": False})
        drained = self.broker(2)
        self.assertEqual((drained["state"], drained["leaders"], drained["in_sync"]),
                         ("draining", 0, 0))
        self.json("produce", "d", "--key-separator", ":", text="a:1\nb:2\nc:3\n")
        self.assertIn("draining", self.check(self.quipu("broker", "list"), 0).stdout)
        self.json("config", "set", "auto.leader.rebalance.enable=false")  # it would come first
        self.assertEqual(self.json("broker", "undrain", 2), {"id": 2, "drained": False})
        eventually(lambda: self.broker(2)["in_sync"] == 3, "broker 2 to be in sync")
        self.assertEqual(self.json("leader", "elect", "--topic", "d"), {"elected": 1})
        eventually(lambda: self.broker(2)["leaders"] == 1, "broker 2 to lead")
        self.json("config", "set", "auto.leader.rebalance.enable=true")

        # Where the minimum needs it, it stays, and the command says so.
        self.json("topic", "alter", "d", "-c", "min.insync.replicas=3")
        done = self.quipu("broker", "drain", 2, "--timeout", 1500)
        self.check(done, 1, "is not drained", "of d", "undrain")
        self.assertEqual((self.broker(2)["leaders"], self.broker(2)["in_sync"]), (0, 3))
        self.json("broker", "undrain", 2)  # it would end at once now
        self.json("topic", "alter", "d", "-c", "min.insync.replicas=2")
        self.assertEqual(self.json("broker", "drain", 2),
                         {"id": 2, "drained": True, "stopped": True})
        log = os.path.join(self.cluster.directory, "broker-2", "node.log")
        eventually(lambda: "event=broker.stopped" in programs.read(log), "an orderly stop")
        self.assertEqual(self.broker(2)["state"], "fenced")
        self.check(self.quipu("broker", "drain", 2), 1, "fenced")
        self.check(self.quipu("broker", "drain", 7), 1, "no broker 7")
        self.cluster.up()
        eventually(lambda: self.broker(2)["in_sync"] == 3, "broker 2 to be back")
        self.assertEqual(self.broker(2)["state"], "active")

    def test_leaders_are_elected_by_partition(self):
        self.cluster.make_topic("e", partitions=3)
        self.assertEqual(self.json("leader", "elect", "--topic", "e", "-p", 0), {"elected": 0})
        self.check(self.quipu("leader", "elect", "--topic", "e", "-p", 9), 1, "no partition 9")
        self.check(self.quipu("leader", "elect", "--topic", "missing"), 1, "missing")
        self.check(self.quipu("leader", "elect"), 2)
        self.check(self.quipu("leader", "elect", "--all-topics"), 0)


class RollingRestartTest(programs.TestCase):
    def test_a_controller_leader_and_a_broker_restart_unnoticed(self):
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(programs.ROOT, "scripts", "rolling_restart.py"),
             "--programs", BIN, "--rate", "4000", "--only", "controller-leader", "--only",
             "broker-1"],
            capture_output=True, text=True, env=environment(), timeout=4 * PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("lost 0, doubled 0, reordered 0", done.stdout)
        self.assertIn("longest pause of any partition", done.stdout)


class HelpTest(programs.TestCase):
    def test_every_verb_has_examples(self):
        for verb in (("topic", "alter"), ("topic", "add-partitions"), ("topic", "describe"),
                     ("topic", "delete-records"), ("broker", "list"), ("broker", "drain"),
                     ("broker", "undrain"), ("leader", "elect"), ("config", "describe"),
                     ("config", "set"), ("metadata", "quorum")):
            self.assertIn("Example", self.check(programs.run("quipu", *verb, "--help"), 0).stdout)


if __name__ == "__main__":
    programs.main()
