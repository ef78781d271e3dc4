"""Goal: Kafka's command-line tools do with Quipu what they do with Kafka. Method: their main classes, each once
for each thing that operators use it for, against three brokers; what they did is seen by `quipu`.
"""
import json
import os
import re
import subprocess
import unittest

import programs
from programs import Cluster, eventually
from client import CACHE, has

FOLDER = os.path.join(CACHE, "java")
TOOLS = "org.apache.kafka.tools."
CLASSES = {
    "kafka-topics": TOOLS + "TopicCommand", "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups": TOOLS + "consumer.group.ConsumerGroupCommand", "kafka-groups": TOOLS + "GroupsCommand",
    "kafka-get-offsets": TOOLS + "GetOffsetShell", "kafka-delete-records": TOOLS + "DeleteRecordsCommand",
    "kafka-console-producer": TOOLS + "ConsoleProducer",
    "kafka-console-consumer": TOOLS + "consumer.ConsoleConsumer",
    "kafka-broker-api-versions": TOOLS + "BrokerApiVersionsCommand", "kafka-log-dirs": TOOLS + "LogDirsCommand",
    "kafka-leader-election": TOOLS + "LeaderElectionCommand", "kafka-transactions": TOOLS + "TransactionsCommand",
    "kafka-verifiable-producer": TOOLS + "VerifiableProducer",
    "kafka-verifiable-consumer": TOOLS + "VerifiableConsumer",
    "kafka-producer-perf-test": TOOLS + "ProducerPerformance",
    "kafka-consumer-perf-test": TOOLS + "ConsumerPerformance",
}


@unittest.skipUnless(has("java"), "Kafka's tools are not installed (scripts/setup --compat does it)")
class KafkaToolsTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, "--broker-set", "group.initial.rebalance.delay.ms=100")
        cls.addClassCleanup(cls.cluster.down)

    def start(self, name, *arguments, **more):
        command = ["java", "-cp", f"{FOLDER}/jars/*", CLASSES[name], "--bootstrap-server",
                   self.cluster.kafka_bootstrap, *map(str, arguments)]
        child = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=programs.environment(), **more)
        self.addCleanup(lambda: (child.kill(), child.communicate()) if child.poll() is None else None)
        return child

    def ended(self, child, code=0, text=None):
        out, err = child.communicate(text, timeout=120)
        self.assertEqual(child.returncode, code, f"{child.args[3:]}: {out}\n{err[-3000:]}")
        return out

    def tool(self, name, *arguments, text="", code=0):
        return self.ended(self.start(name, *arguments), code, text)

    def made(self, topic, partitions=3, **configs):
        self.cluster.make_topic(topic, partitions=partitions, **configs)
        return topic

    def filled(self, topic, count=300, **more):
        self.made(topic, **more)
        lines = "".join(f"acc-{i % 50}:{i}\n" for i in range(count))
        self.check(self.cluster.quipu("produce", topic, "--key-separator", ":", text=lines), 0)
        return topic

    def partitions(self, topic):
        return self.cluster.json("topic", "describe", topic)["partitions"]

    def topics(self):
        return [topic["name"] for topic in self.cluster.json("topic", "list")]

    def test_topics(self):
        self.tool("kafka-topics", "--create", "--topic", "t", "--partitions", 3, "--replication-factor", 3,
                  "--config", "retention.ms=86400000")
        self.assertEqual([len(p["replicas"]) for p in self.partitions("t")], [3, 3, 3])
        self.assertIn("t", self.tool("kafka-topics", "--list").split())
        told = self.tool("kafka-topics", "--describe", "--topic", "t")
        self.assertRegex(told, r"PartitionCount: 3\s+ReplicationFactor: 3")
        self.assertIn("retention.ms=86400000", told)
        for one in self.partitions("t"):
            self.assertRegex(told, rf"Partition: {one['partition']}\s+Leader: {one['leader']}\s")
        self.assertIn("exists already", self.tool(
            "kafka-topics", "--create", "--topic", "t", "--partitions", 3, "--replication-factor", 3, code=1))
        self.tool("kafka-topics", "--create", "--if-not-exists", "--topic", "t", "--partitions", 3,
                  "--replication-factor", 3)
        self.tool("kafka-topics", "--alter", "--topic", "t", "--partitions", 5)
        self.assertEqual(len(self.partitions("t")), 5)
        self.tool("kafka-topics", "--delete", "--topic", "t")
        eventually(lambda: "t" not in self.topics(), "the topic to be gone")

    def test_configs_of_topics(self):
        topic = ("--entity-type", "topics", "--entity-name", self.made("configured", retention_ms=86400000))

        def described(*more):
            return self.tool("kafka-configs", "--describe", *topic, *more)
        self.assertIn("retention.ms=86400000", described())
        self.tool("kafka-configs", "--alter", *topic, "--add-config", "max.message.bytes=200000")
        eventually(lambda: "max.message.bytes=200000" in described(), "the setting")
        self.assertIn("retention.ms=86400000", described())  # what was not named stays
        self.tool("kafka-configs", "--alter", *topic, "--delete-config", "retention.ms")
        eventually(lambda: "retention.ms=" not in described(), "the setting to be the default again")
        self.assertIn("cleanup.policy=", described("--all"))
        self.tool("kafka-configs", "--alter", *topic, "--add-config", "no.such.setting=1", code=1)

    def test_configs_of_brokers(self):
        told = self.tool("kafka-configs", "--describe", "--entity-type", "brokers", "--entity-name", 1, "--all")
        self.assertIn("group.initial.rebalance.delay.ms=100", told)

    def test_console_producer_and_consumer(self):
        topic = self.made("console")
        lines = [f"acc-{i % 20}:{i}" for i in range(500)]
        self.tool("kafka-console-producer", "--topic", topic, "--reader-property", "parse.key=true",
                  "--reader-property", "key.separator=:", text="\n".join(lines) + "\n")
        done = self.check(self.cluster.quipu("consume", topic, "--from-beginning", "-e", "-f", "%k:%v\n"), 0)
        self.assertCountEqual(done.stdout.splitlines(), lines)
        read = self.tool("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", 500,
                         "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:",
                         "--timeout-ms", 30000)
        self.assertCountEqual(read.splitlines(), lines)

    def test_groups(self):
        topic = self.filled("grouped")
        read = self.tool("kafka-console-consumer", "--topic", topic, "--group", "readers", "--from-beginning",
                         "--max-messages", 300, "--timeout-ms", 30000)
        self.assertEqual(len(read.splitlines()), 300)

        def groups(*arguments, code=0):
            return self.tool("kafka-consumer-groups", *arguments, code=code)
        self.assertIn("readers", groups("--list").split())
        self.assertIn("readers", self.tool("kafka-groups", "--list"))
        told = groups("--describe", "--group", "readers")
        rows = [line.split() for line in told.splitlines() if line.startswith("readers")]
        self.assertEqual(len(rows), 3, told)
        self.assertEqual({row[5] for row in rows}, {"0"}, told)  # LAG
        self.assertIn("Empty", groups("--describe", "--group", "readers", "--state"))
        groups("--reset-offsets", "--group", "readers", "--topic", topic, "--to-earliest", "--execute")
        offsets = self.cluster.json("group", "describe", "readers")["offsets"]
        self.assertEqual([offset["committed"] for offset in offsets], [0, 0, 0])
        groups("--delete", "--group", "readers")
        self.assertNotIn("readers", groups("--list").split())

    def test_offsets_of_a_group_are_deleted(self):
        topic, other = self.filled("kept"), self.filled("forgotten")
        for name in (topic, other):
            self.tool("kafka-console-consumer", "--topic", name, "--group", "both", "--from-beginning",
                      "--max-messages", 300, "--timeout-ms", 30000)
        self.tool("kafka-consumer-groups", "--delete-offsets", "--group", "both", "--topic", other)
        offsets = self.cluster.json("group", "describe", "both")["offsets"]
        self.assertEqual({offset["topic"] for offset in offsets if offset["committed"] is not None}, {topic})

    def test_a_group_at_work(self):
        topic = self.filled("worked")
        member = self.start("kafka-console-consumer", "--topic", topic, "--group", "workers", "--from-beginning")

        def described(*more):
            return self.tool("kafka-consumer-groups", "--describe", "--group", "workers", *more)
        eventually(lambda: "Stable" in described("--state"), "the group to be stable", 90)
        self.assertRegex(described("--members", "--verbose"), r"workers .*console-consumer.* 3 ")
        said = self.tool("kafka-consumer-groups", "--delete", "--group", "workers")  # its exit code is 0 all the same
        self.assertRegex(said, "Group 'workers' could not be deleted.*GroupNotEmptyException")
        member.terminate()
        member.communicate(timeout=60)

    def test_who_owns_what_in_a_group_that_the_server_assigns(self):
        topic = self.filled("assigned")
        member = programs.start("quipu", "consume", topic, "-g", "assigned-group", "-b", self.cluster.bootstrap,
                                "--from-beginning")
        self.addCleanup(lambda: (member.kill(), member.communicate()))

        def owned():
            told = self.tool("kafka-consumer-groups", "--describe", "--group", "assigned-group", "--members", "--verbose")
            return re.search(rf"{topic}[:(]0,1,2\b", told)
        eventually(owned, "the member and its partitions", 90)
        told = self.tool("kafka-consumer-groups", "--describe", "--group", "assigned-group")
        rows = [line.split() for line in told.splitlines() if line.startswith("assigned-group")]
        self.assertEqual(len(rows), 3, told)
        self.assertNotIn("-", {row[6] for row in rows}, told)  # CONSUMER-ID

    def test_offsets_of_partitions(self):
        topic = self.filled("counted", partitions=2)
        done = self.check(self.cluster.quipu("consume", topic, "--from-beginning", "-e", "-f", "json"), 0)
        read = [[one for one in map(json.loads, done.stdout.splitlines()) if one["partition"] == p] for p in (0, 1)]
        ends = {p: len(read[p]) for p in (0, 1)}

        def offsets(*arguments):
            told = self.tool("kafka-get-offsets", "--topic", topic, *arguments)
            return {int(p): int(o) for p, o in re.findall(rf"{topic}:(\d+):(-?\d+)", told)}
        self.assertEqual(offsets("--time", "latest"), ends)
        self.assertEqual(offsets("--time", "earliest"), {0: 0, 1: 0})
        newest = {p: max(read[p], key=lambda one: (one["timestamp"], -one["offset"]))["offset"] for p in (0, 1)}
        self.assertEqual(offsets("--time", "max-timestamp"), newest)

    def test_delete_records(self):
        topic = self.filled("cut", partitions=1)
        path = os.path.join(programs.folder("json"), "offsets.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 100}]}, file)
        self.assertIn("low_watermark: 100", self.tool("kafka-delete-records", "--offset-json-file", path))
        told = self.check(self.cluster.quipu("consume", topic, "--from-beginning", "-e", "-f", "%o\n"), 0)
        self.assertEqual(told.stdout.splitlines()[0], "100")

    def test_what_brokers_say_of_themselves(self):
        told = self.tool("kafka-broker-api-versions")
        self.assertEqual(len(re.findall(r"\(id: \d+ rack: ", told)), 3, told)
        self.assertRegex(told, r"Produce\(0\): \d+ to \d+ \[usable: ")
        topic = self.filled("stored")
        told = self.tool("kafka-log-dirs", "--describe", "--topic-list", topic)
        dirs = json.loads(next(line for line in told.splitlines() if line.startswith("{")))
        self.assertEqual(len(dirs["brokers"]), 3)
        for broker in dirs["brokers"]:
            self.assertEqual(sorted(p["partition"] for d in broker["logDirs"] for p in d["partitions"]),
                             [f"{topic}-{n}" for n in range(3)])

    def test_leaders_and_producers(self):
        self.cluster.json("config", "set", "auto.leader.rebalance.enable=false")
        topic = self.filled("led")
        wanted = [p["replicas"][0] for p in self.partitions(topic)]
        self.cluster.json("broker", "drain", wanted[0], "--no-stop", "--timeout", 30000)
        self.cluster.json("broker", "undrain", wanted[0])
        eventually(lambda: all(len(p["isr"]) == 3 for p in self.partitions(topic)), "all to be in sync")
        self.assertNotEqual([p["leader"] for p in self.partitions(topic)], wanted)
        self.tool("kafka-leader-election", "--election-type", "preferred", "--all-topic-partitions")
        self.assertEqual([p["leader"] for p in self.partitions(topic)], wanted)
        told = self.tool("kafka-transactions", "describe-producers", "--topic", topic, "--partition", 0)
        self.assertRegex(told, r"(?m)^\d+\s")  # a producer, below the titles

    def test_verifiable_producer_and_consumer(self):
        topic = self.made("verifiable")
        out = self.tool("kafka-verifiable-producer", "--topic", topic, "--max-messages", 20000, "--acks", -1)
        summary = json.loads(out.splitlines()[-1])
        self.assertEqual((summary["sent"], summary["acked"]), (20000, 20000), summary)
        out = self.tool("kafka-verifiable-consumer", "--topic", topic, "--group-id", "verifiers",
                        "--max-messages", 20000, "--reset-policy", "earliest")
        counts = [json.loads(line).get("count", 0) for line in out.splitlines()
                  if '"records_consumed"' in line]
        self.assertEqual(sum(counts), 20000)

    def test_performance_tools(self):
        topic = self.made("measured")
        out = self.tool("kafka-producer-perf-test", "--topic", topic, "--num-records", 20000, "--record-size", 200,
                        "--throughput", -1)
        self.assertIn("20000 records sent", out)
        out = self.tool("kafka-consumer-perf-test", "--topic", topic, "--num-records", 20000, "--timeout", 30000)
        self.assertRegex(out, r", 20000,")


if __name__ == "__main__":
    programs.main()
