"""Goal: `quipu top` shows partitions and groups with their rates and lags, judges checks with its exit
code, and ends clean. Method: one cluster with a topic and a group that is behind, by text and JSON.
"""
import json
import signal
import subprocess
import unittest

import programs
from programs import Cluster


class TopTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1, "--controller-set", "default.replication.factor=1",
                              "--controller-set", "min.insync.replicas=1")
        cls.cluster.make_topic("watched", replicas=1)
        cls.cluster.json("produce", "watched", text="x\n" * 10)
        done = cls.cluster.quipu("consume", "watched", "-g", "slow", "--from-beginning", "-n", 4)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def top(self, *arguments, code=0):
        return self.check(self.cluster.quipu("top", "--interval-ms", 200, *arguments), code)

    def test_one_refresh_as_json_and_as_text(self):
        told = json.loads(self.top("--once", "-o", "json").stdout)
        self.assertEqual((told["brokers"], told["fenced"], told["offline"], told["missing"]),
                         (1, 0, 0, []))
        partition = next(p for p in told["partitions"] if p["topic"] == "watched")
        self.assertEqual((partition["log_start"], partition["log_end"], partition["leader"],
                          partition["records_per_second"]), (0, 10, 1, 0.0))
        group = next(g for g in told["groups"] if g["group"] == "slow")
        self.assertEqual((group["state"], group["members"], group["lag"]), ("Empty", 0, 6))
        self.assertTrue(group["lag_seconds_or_more"])
        lines = [line.split() for line in self.top("--once").stdout.splitlines()]
        self.assertIn(["watched", "0", "1", "1/1", "10", "0.0"], lines)
        self.assertEqual(next(line for line in lines if line and line[0] == "slow")[1:4],
                         ["Empty", "0", "6"])
        self.assertNotIn("\x1b", self.top("--once").stdout)

    def test_batches_and_filters(self):
        told = [json.loads(line) for line in
                self.top("--batch", 3, "--topic", "none", "--group", "slow", "-o",
                         "json").stdout.splitlines()]
        self.assertEqual([(len(t["partitions"]), len(t["groups"])) for t in told], [(0, 1)] * 3)

    def test_checks_end_with_4_when_they_do_not_hold(self):
        self.top("--once", "--check", "lag<7", "--check", "offline==0")
        said = self.top("--once", "--check", "lag@slow<6", "--check", "fenced==0", code=4).stdout
        self.assertIn("lag@slow<6: lag of group slow is 6", said)
        told = json.loads(self.top("--once", "--check", "lag@other<1", "-o", "json", code=4).stdout)
        self.assertEqual(told["violations"], ["lag@other<1: there is no group other"])
        self.assertIn("the metric is one of", self.top("--check", "x<1", code=2).stderr)

    def test_an_interrupt_ends_it_clean(self):
        child = subprocess.Popen([programs.program("quipu"), "top", "--interval-ms", "100", "-o",
                                  "json", "-b", self.cluster.bootstrap], text=True,
                                 env=programs.environment(), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.communicate(timeout=30)[1], "")
        self.assertEqual(child.returncode, 130)


if __name__ == "__main__":
    programs.main()
