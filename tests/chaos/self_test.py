#!/usr/bin/env python3
"""Shows that what the chaos tests rely on can fail: lost records, processes that end by themselves,
schedules that are not the seed's."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from history import History
from network import Isolated, Loopback
from nodes import Cluster


def line(**event):
    return json.dumps({"process": 1, "time": 0, "type": "invoke", "f": "transfer", **event}) + "\n"


class HistoryTest(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8")
        self.addCleanup(self.file.close)
        self.history = History(self.file.name, reader_process=0)

    def add(self, text):
        self.file.write(text)
        self.file.flush()
        self.history.refresh()

    def test_what_is_acknowledged_stays_unread_until_the_reader_has_it(self):
        self.add(line(value=7) + line(value=7, type="ok", partition=1, offset=3))
        self.assertEqual(self.history.unread, {7: (1, 3)})
        self.add(line(process=5, f="poll", type="ok", partition=1, records=[[3, 7, "a", "b", 1]]))
        self.assertEqual(self.history.unread, {7: (1, 3)}, "another consumer is not the reader")
        self.add(line(process=0, f="poll", type="ok", partition=1, records=[[3, 7, "a", "b", 1]]))
        self.assertEqual(self.history.unread, {})

    def test_half_a_line_is_left_for_later(self):
        whole = line(value=1) + line(value=2)
        self.add(whole[:-5])
        self.assertEqual(self.history.counts["invoke"], 1)
        self.add(whole[-5:])
        self.assertEqual(self.history.counts["invoke"], 2)

    def test_a_wait_of_one_partition_is_seen_though_others_go_on(self):
        for second in range(4):
            self.add(line(value=second, type="ok", partition=0, offset=second, time=second * 10**8))
        self.add(line(value=8, type="ok", partition=1, offset=0, time=0) +
                 line(value=9, type="ok", partition=1, offset=1, time=2 * 10**9))
        self.assertAlmostEqual(self.history.longest_gap(), 2.0)
        self.assertAlmostEqual(self.history.longest_gap(anywhere=True), 1.7)


class ScheduleTest(unittest.TestCase):
    def plan(self, seed):
        return [(at, type(fault), fault.length)
                for at, fault in faults.schedule(seed, 120, Loopback([]), True)]

    def test_the_seed_is_the_schedule(self):
        self.assertEqual(self.plan(3), self.plan(3))
        self.assertNotEqual(self.plan(3), self.plan(4))

    def test_what_needs_a_network_of_its_own_is_left_out_on_loopback(self):
        kinds = {kind for seed in range(50) for _, kind, _ in self.plan(seed)}
        self.assertFalse(any(kind.needs_partitions for kind in kinds))
        network = Isolated.__new__(Isolated)
        kinds = {type(fault) for seed in range(50)
                 for _, fault in faults.schedule(seed, 120, network, True)}
        self.assertEqual(kinds, set(faults.KINDS))


class WatchTest(unittest.TestCase):
    def test_a_process_that_ends_by_itself_is_reported(self):
        with tempfile.TemporaryDirectory() as work:
            cluster = Cluster("build", work, Loopback([]), ["rocksdb"] * 3, 1, False, 1)
            node = cluster.nodes["b1"]
            with open(node.log, "w", encoding="utf-8") as log:
                log.write("the last words\n")
            cluster.start = lambda _: None
            for may_stop, expected in ((True, 0), (False, 1)):
                node.child, node.gone, node.may_stop = subprocess.Popen(["false"]), False, may_stop
                node.child.wait()
                cluster.watch()
                self.assertEqual(len(cluster.unexpected), expected)
            self.assertIn("b1 ended with 1: the last words", cluster.unexpected[0])


if __name__ == "__main__":
    unittest.main()
