"""Goal: with a broker gone, commands tell what they know, name what they do not, and end with the
documented codes. Method: three brokers with three shards each, whose group topic has one replica,
and one broker killed.
"""
import unittest

import programs
from programs import Cluster, PATIENCE, eventually


class DegradedTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster = Cluster(3, "--broker-set", "num.shards=3", "--broker-set",
                                        "offsets.topic.replication.factor=1")
        cls.quipu, cls.json = cluster.quipu, cluster.json
        cluster.make_topic("thin", partitions=3, replicas=1)
        cluster.make_topic("thick", partitions=3, replicas=3)
        for partition in range(3):
            for topic in ("thin", "thick"):
                cluster.json("produce", topic, "-p", partition, text="1\n2\n3\n")
        # Groups on all three brokers, as their names fall.
        cls.coordinators = {}
        while len(set(cls.coordinators.values())) < 3:
            name = f"group-{len(cls.coordinators)}"
            done = cluster.quipu("consume", "thin", "-g", name, "--from-beginning", "-n", 9)
            assert done.returncode == 0 and len(done.stdout.split()) == 9, done
            cls.coordinators[name] = cluster.json("group", "describe", name)["coordinator"]
        cluster.kill("broker-2")
        eventually(lambda: "broker 2 is fenced" in str(cls.quipu("cluster", "health").stdout),
                   "broker 2 to be fenced")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def groups(self, dead):
        return sorted(g for g, broker in self.coordinators.items() if (broker == 2) == dead)

    def test_health_names_what_is_not_well_and_ends_with_4(self):
        done = self.check(self.quipu("cluster", "health"), 4)
        self.assertIn("broker 2 is fenced", done.stdout)
        self.assertIn("of thin has no leader", done.stdout)
        self.assertIn("has 2 of 3 replicas in sync", done.stdout)
        done = self.check(self.quipu("cluster", "health", "-o", "json"), 4)
        self.assertIn('"healthy": false', done.stdout)

    def test_a_partition_without_a_leader_hides_nothing_else_of_the_group(self):
        name = self.groups(dead=False)[0]
        group = self.json("group", "describe", name)
        self.assertEqual([o["committed"] for o in group["offsets"]], [3, 3, 3])
        self.assertEqual(sorted(str(o["lag"]) for o in group["offsets"]), ["0", "0", "None"])
        rows = [line.split() for line in self.quipu("group", "describe", name).stdout.splitlines()]
        self.assertEqual([row[-2:] for row in rows if row[0] == "thin"].count(["-", "-"]), 1)

    def test_a_group_list_that_is_not_complete_says_so(self):
        done = self.check(self.quipu("group", "list", "--timeout", 1500), 1, "is not complete",
                          "of __consumer_offsets: it has no leader", "quipu cluster health")
        self.assertEqual(sorted(line.split()[0] for line in done.stdout.splitlines()[1:]),
                         self.groups(dead=False))

    def test_a_group_whose_coordinator_is_gone_is_an_error_within_the_time(self):
        name = self.groups(dead=True)[0]
        self.check(self.quipu("group", "describe", name, "--timeout", 1500), 1, "quipu: ")

    def test_a_topic_shows_its_leaderless_partition(self):
        told = self.json("topic", "describe", "thin")["partitions"]
        self.assertEqual(sorted(p["leader"] for p in told)[0], -1)
        text = self.check(self.quipu("topic", "describe", "thin"), 0).stdout
        self.assertIn("none", text)

    def test_a_record_for_a_partition_without_a_leader_has_a_named_outcome(self):
        lost = next(p["partition"] for p in self.json("topic", "describe", "thin")["partitions"]
                    if p["leader"] < 0)
        done = self.quipu("produce", "thin", "-p", lost, "--timeout", 1500, text="a\nb\n")
        self.check(done, 1, "line 1", "persisted: no", "of 2 records read 0 are acknowledged")

    def test_what_has_replicas_goes_on(self):
        self.json("produce", "thick", "-p", 0, text="4\n")
        values = self.quipu("consume", "thick", "--from-beginning", "-n", 10).stdout.split()
        self.assertEqual(sorted(values), sorted("123" * 3 + "4"))

    def test_z_consumers_end_with_3_when_the_last_broker_is_gone(self):
        watchers = [programs.start("quipu", "consume", "thick", "-b", self.cluster.bootstrap,
                                   "--timeout", "2000", *more)
                    for more in ((), ("-g", self.groups(dead=False)[0]))]
        self.addCleanup(self.cluster.up)
        for name in ("broker-1", "broker-3"):
            self.cluster.kill(name)
        for watcher in watchers:
            _, said = watcher.communicate(timeout=PATIENCE)
            self.assertEqual(watcher.returncode, 3, said)
            for server in self.cluster.bootstrap.split(","):
                self.assertIn(server, said)


if __name__ == "__main__":
    programs.main()
