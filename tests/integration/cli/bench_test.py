"""Goal: `quipu bench` measures what it says, checks what it received, and ends with 1 when that is not
what was sent. Method: one cluster with a topic each, the `quipu` program, and what it prints.
"""
import json
import os
import pty
import re
import signal
import subprocess
import unittest

import programs
from programs import Cluster, eventually

PERCENTILES = ("p50_ms", "p95_ms", "p99_ms", "p99_9_ms", "p99_99_ms", "max_ms")


class BenchTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1, "--controller-set", "default.replication.factor=1",
                              "--controller-set", "min.insync.replicas=1")
        cls.quipu, cls.json = cls.cluster.quipu, cls.cluster.json

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def make(self, name, partitions=3):
        self.cluster.make_topic(name, partitions=partitions, replicas=1)
        return name

    def ascending(self, told):
        values = [told[name] for name in PERCENTILES]
        self.assertEqual(values, sorted(values))
        self.assertGreater(values[0], 0)

    def test_produce_and_consume_count_the_same(self):
        topic = self.make("both")
        told = self.json("bench", "produce", topic, "-n", 3000, "-s", 100, "--keys", 10)
        self.assertEqual((told["records"], told["acknowledged"], told["failed"],
                          told["interrupted"]), (3000, 3000, 0, False))
        self.ascending(told)
        told = self.json("bench", "consume", topic)
        # The keys are "account-0" to "account-9".
        self.assertEqual((told["records"], told["bytes"], told["partitions"], told["skipped"],
                          told["repeated"]), (3000, 3000 * 109, 3, 0, 0))
        self.assertGreater(told["records_per_second"], 0)
        self.assertAlmostEqual(told["mb_per_second"] * told["seconds"] * 1e6, told["bytes"],
                               delta=1)
        self.assertEqual(self.json("bench", "consume", topic, "-n", 7)["records"], 7)
        text = self.check(self.quipu("bench", "consume", topic), 0)
        self.assertRegex(text.stdout, r"^\d+ records/s, \d+\.\d MB/s \(3000 records, ")
        self.assertEqual(text.stderr, "", "no progress without a terminal")

    def test_produce_for_so_long_several_times_after_a_warm_up(self):
        topic = self.make("runs")
        told = self.json("bench", "produce", topic, "--seconds", 0.5, "--warm-up", 0.3, "--runs", 3, "--rate", 2000,
                         "-s", 64, "--linger-ms", 0)
        self.assertEqual((len(told["runs"]), told["warm_up_seconds"], told["rate"]), (3, 0.3, 2000))
        for run in told["runs"]:
            self.assertEqual((run["records"], run["acknowledged"], run["failed"]), (1000, 1000, 0))
            self.assertAlmostEqual(run["seconds"], 0.5, delta=0.05)
            # Of the last millisecond's the acknowledgements come too late.
            self.assertLessEqual(run["records_per_second"], 2200)
            self.ascending(run)
        values = sorted(run["p99_ms"] for run in told["runs"])
        self.assertEqual([told[name]["p99_ms"] for name in ("lowest", "median", "highest")], values)
        self.assertEqual(self.end_of_all(topic), 600 + 3 * 1000, "the warm-up is sent and not counted")
        told = self.json("bench", "produce", topic, "--seconds", 0.5, "-s", 64)
        self.assertAlmostEqual(told["seconds"], 0.5, delta=0.05)
        self.assertLessEqual(told["records_per_second"] * 0.5, told["acknowledged"] + 1)
        text = self.check(self.quipu("bench", "produce", topic, "-n", 10, "--runs", 2), 0).stdout
        self.assertRegex(text, r"\nmedian of 2 runs: \d+ records/s \(\d+-\d+\), p99 ")

    def end_of_all(self, topic):
        return sum(p["high_watermark"] for p in self.json("topic", "describe", topic)["partitions"])

    def test_consume_from_the_end_sees_what_comes_then(self):
        topic = self.make("tail")
        self.json("bench", "produce", topic, "-n", 500, "-s", 10)
        child = self.start("bench", "consume", topic, "--from-end", "--seconds", "3", "-o", "json")
        eventually(lambda: programs.catches(child.pid, signal.SIGINT), "the consumer to know the end")
        self.json("bench", "produce", topic, "-n", 200, "-s", 10)
        said, errors = child.communicate(timeout=30)
        self.assertEqual(child.returncode, 0, errors)
        told = json.loads(said)
        self.assertEqual((told["records"], told["skipped"], told["repeated"]), (200, 0, 0))

    def test_consume_ends_with_1_when_less_is_there_than_it_was_to_read(self):
        topic = self.make("less")
        self.json("produce", topic, text="a\nb\n")
        done = self.check(self.quipu("bench", "consume", topic, "-n", 3, "--timeout", 700), 1,
                          "only 2 of 3 records came")
        self.assertIn("(2 records, ", done.stdout, "what was read is told all the same")

    def test_consume_reads_for_so_long(self):
        topic = self.make("long")
        told = self.json("bench", "consume", topic, "--seconds", 0.3)
        self.assertEqual(told["records"], 0)
        self.assertGreaterEqual(told["seconds"], 0.3)

    def test_end_to_end_receives_what_it_sends(self):
        topic = self.make("through")
        self.json("produce", topic, text="of somebody else\n" * 5)
        told = self.json("bench", "end-to-end", topic, "--rate", 2000, "-n", 2000, "-s", 64,
                         "--keys", 7, "--warm-up", 0.5)
        self.assertEqual({name: told[name] for name in (
            "sent", "acknowledged", "received", "measured", "missing", "doubled", "out_of_order",
            "damaged", "refuted", "not_stored", "persisted_unknown", "others")},
            {"sent": 3000, "acknowledged": 3000, "received": 3000, "measured": 2000, "missing": 0,
             "doubled": 0, "out_of_order": 0, "damaged": 0, "refuted": 0, "not_stored": 0,
             "persisted_unknown": 0, "others": 0})
        self.assertGreaterEqual(told["seconds"], 1.5 - 0.01, "not faster than the rate")
        self.ascending(told)
        text = self.check(self.quipu("bench", "end-to-end", topic, "--rate", 1000, "-n", 200,
                                     "--warm-up", 0), 0).stdout
        self.assertIn("200 acknowledged, 200 received\nmissing 0, doubled 0, ", text)
        self.assertRegex(text, r"end to end, of 200 records after the warm-up: p50 \d+\.\d+ ms, p95 ")

    def test_a_stall_counts_from_when_records_were_due(self):
        topic = self.make("stall", partitions=1)
        child = self.start("bench", "end-to-end", topic, "--rate", 500, "-n", 1500, "-s", 64,
                           "--warm-up", 0, "-o", "json")
        eventually(lambda: self.end_of(topic) > 100, "the first records")
        broker = self.cluster.nodes["broker-1"]["pid"]
        subprocess.run(["sh", "-c", f"kill -STOP {broker}; sleep 1; kill -CONT {broker}"],
                       check=True)
        said, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0, errors)
        told = json.loads(said)
        self.assertEqual((told["received"], told["missing"]), (1500, 0))
        self.assertGreaterEqual(told["max_ms"], 900)
        # A third of all was due in that second: also those that could not be sent in it are late.
        self.assertGreaterEqual(told["p95_ms"], 500)

    def test_end_to_end_ends_with_1_when_records_cannot_be_stored(self):
        topic = self.make("gone", partitions=1)
        child = self.start("bench", "end-to-end", topic, "--rate", 500, "-n", 100000, "-o", "json")
        eventually(lambda: self.end_of(topic) > 100, "the first records")
        self.json("topic", "delete", topic)
        said, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 1, errors)
        self.assertGreater(json.loads(said)["acknowledged"], 100)

    def end_of(self, topic):
        return self.json("topic", "describe", topic)["partitions"][0]["high_watermark"]

    def start(self, *arguments):
        return programs.start("quipu", *map(str, arguments), "-b", self.cluster.bootstrap)

    def test_a_terminal_is_told_how_far_it_is(self):
        topic = self.make("shown")
        for more, shown in (([], True), (["--no-progress"], False)):
            terminal, end = pty.openpty()
            child = subprocess.Popen(
                [programs.program("quipu"), "bench", "end-to-end", topic, "--rate", "1000", "-n",
                 "700", "--warm-up", "0", "-b", self.cluster.bootstrap, *more],
                stdout=subprocess.PIPE, stderr=end, env=programs.environment())
            os.close(end)
            written = b""
            while True:
                try:
                    written += os.read(terminal, 1 << 16)
                except OSError:  # nobody holds the other end any more
                    break
            os.close(terminal)
            self.assertIn(b"700 received", child.communicate(timeout=30)[0])
            self.assertEqual(child.returncode, 0)
            if shown:
                self.assertTrue(re.search(rb"\r\d+ of 700 sent, \d+ acknowledged", written), written)
                self.assertTrue(written.endswith(b"\r\x1b[K"), "the line is taken away")
            else:
                self.assertEqual(written, b"")

    def test_wrong_arguments(self):
        for arguments in (("consume",), ("consume", "t", "-n", 0), ("consume", "t", "--seconds", -1),
                          ("consume", "t", "--from-end"), ("produce", "t", "-n", 1, "--seconds", 1),
                          ("produce", "t", "--runs", 0),
                          ("end-to-end",), ("end-to-end", "t", "-s", 15),
                          ("end-to-end", "t", "--rate", 0),
                          ("end-to-end", "t", "--rate", 10000000, "--warm-up", 3600),
                          ("end-to-end", "t", "--keys", 0)):
            with self.subTest(arguments):
                self.check(self.quipu("bench", *arguments), 2)
        for verb in ("produce", "consume", "end-to-end"):
            self.check(self.quipu("bench", verb, "missing"), 1, "topic missing")


if __name__ == "__main__":
    programs.main()
