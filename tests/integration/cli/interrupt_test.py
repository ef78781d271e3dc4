"""Goal: every verb that may take longer than a moment ends at the first Ctrl-C or SIGTERM with 128 + the
signal, says what it has done and what goes on without it, and ends at once at the second. Method: each
of them is started, has begun, and gets the signal.
"""
import json
import os
import pty
import select
import signal
import time
import unittest

import programs
from programs import Cluster, eventually, folder, run


class InterruptTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.quipu, cls.json = cls.cluster.quipu, cls.cluster.json

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def make(self, name, **configs):
        self.cluster.make_topic(name, **configs)
        return name

    def start(self, *arguments, **options):
        return programs.start("quipu", *arguments, "-b", self.cluster.bootstrap, **options)

    def end_of(self, topic):
        return self.json("topic", "describe", topic)["partitions"][0]["high_watermark"]

    def interrupt(self, child, number=signal.SIGINT, seconds=30):
        """Both outputs of a process that the signal ended as it should."""
        child.send_signal(number)
        said, errors = child.communicate(timeout=seconds)
        self.assertEqual(child.returncode, 128 + number, f"{child.args}: {errors}")
        return said, errors

    # `produce`, `consume` and `top` with their files and formats: cli_records_test.py, top_test.py.
    def test_consume_says_how_much_it_printed(self):
        topic = self.make("printed")
        self.json("produce", topic, text="a\nb\n")
        for number in (signal.SIGINT, signal.SIGTERM):
            child = self.start("consume", topic, "--from-beginning")
            self.assertEqual([child.stdout.readline() for _ in "ab"], ["a\n", "b\n"])
            self.assertEqual(self.interrupt(child, number)[1],
                             "quipu: interrupted; 2 records were printed\n")

    def test_a_static_member_keeps_its_place(self):
        topic = self.make("placed")
        self.json("produce", topic, text="a\nb\n")
        child = self.start("consume", topic, "-g", "places", "--instance-id", "one",
                           "--from-beginning")
        self.assertEqual([child.stdout.readline() for _ in "ab"], ["a\n", "b\n"])
        self.assertEqual(self.interrupt(child)[1], "quipu: interrupted; 2 records were printed, "
                         "and their offsets are committed for group places\n")
        group = self.json("group", "describe", "places")
        self.assertEqual([m["instance_id"] for m in group["members"]], ["one"])
        self.assertEqual(group["offsets"][0]["committed"], 2)

    def test_bench_produce_reports_what_was_acknowledged(self):
        topic = self.make("benched")
        child = self.start("bench", "produce", topic, "--rate", "500", "-n", "1000000", "-o",
                           "json")
        eventually(lambda: self.end_of(topic) > 50, "records")
        told = json.loads(self.interrupt(child)[0])
        self.assertTrue(told["interrupted"])
        self.assertEqual((told["acknowledged"], told["failed"]), (told["records"], 0))
        self.assertEqual(self.end_of(topic), told["acknowledged"])

    def test_bench_consume_reports_what_it_read(self):
        topic = self.make("read")
        self.json("produce", topic, text="x\n" * 20)
        terminal, end = pty.openpty()
        self.addCleanup(os.close, terminal)
        child = self.start("bench", "consume", topic, "--seconds", "600", "-o", "json", stderr=end)
        os.close(end)
        shown = b""
        while b"\r20 records" not in shown:
            self.assertTrue(select.select([terminal], [], [], programs.PATIENCE)[0], shown)
            shown += os.read(terminal, 1 << 16)
        told = json.loads(self.interrupt(child)[0])
        self.assertEqual((told["records"], told["interrupted"]), (20, True))

    def test_bench_end_to_end_receives_what_it_sent(self):
        topic = self.make("ended")
        child = self.start("bench", "end-to-end", topic, "--rate", "500", "-n", "1000000", "-o",
                           "json")
        eventually(lambda: self.end_of(topic) > 50, "records")
        told = json.loads(self.interrupt(child, signal.SIGTERM)[0])
        self.assertTrue(told["interrupted"])
        self.assertEqual((told["received"], told["acknowledged"], told["missing"]),
                         (told["sent"], told["sent"], 0))
        self.assertEqual(self.end_of(topic), told["sent"])

    def test_the_second_ends_at_once(self):
        topic = self.make("twice")
        child = self.start("bench", "produce", topic, "--rate", "500", "-n", "1000000",
                           "--timeout", "60000")
        eventually(lambda: self.end_of(topic) > 50, "records")
        brokers = [n["pid"] for name, n in self.cluster.nodes.items() if name.startswith("broker")]
        for pid in brokers:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            time.sleep(0.7)
            self.assertIsNone(child.poll(), "it waits for what was sent")
            self.interrupt(child, seconds=5)
        finally:
            for pid in brokers:
                os.kill(pid, signal.SIGCONT)
        eventually(lambda: self.quipu("cluster", "health").returncode == 0, "all to be well again")

    def test_a_drain_goes_on_without_who_asked_for_it(self):
        # The ISR must not become smaller than its minimum: the broker cannot leave.
        topic = self.make("needed", min_insync_replicas=3)
        child = self.start("broker", "drain", "2", "--no-stop", "--timeout", "60000")
        eventually(lambda: self.broker(2)["state"] == "draining", "the drain")
        errors = self.interrupt(child)[1]
        self.assertIn("interrupted: broker 2 is not drained yet: ", errors)
        self.assertIn(topic, errors)
        self.assertIn("The drain goes on; `quipu broker undrain` ends it", errors)
        self.assertEqual(self.broker(2)["state"], "draining")
        self.json("broker", "undrain", 2)
        self.json("topic", "delete", topic)

    def broker(self, number):
        return next(b for b in self.json("broker", "list") if b["id"] == number)

    def test_z_a_replacement_of_a_controller_goes_on(self):
        self.cluster.kill("controller-3")
        new = run("quipu", "storage", "random-id").stdout.split()[0]
        child = self.start("controller", "replace", "--id", "3", "--directory-id", new, "--force",
                           "--timeout", "30000")
        eventually(lambda: any(one["directory_id"] == new for one in
                               self.json("controller", "status")["controllers"]),
                   "the replacement to have begun")
        errors = self.interrupt(child)[1]
        self.assertIn("interrupted: controller 3 is not replaced yet; the controllers go on, "
                      "`quipu controller status` shows how far", errors)

    # ---- local clusters ----
    def test_up_says_what_runs_on(self):
        directory = os.path.join(folder("interrupted"), "c")
        child = programs.start("quipu", "cluster", "up", "--dir", directory, "-n", "3")
        description = os.path.join(directory, "cluster.json")
        try:
            eventually(lambda: os.path.exists(description) and any(
                node["pid"] for node in json.loads(programs.read(description))["nodes"]),
                "the first process")
            errors = self.interrupt(child)[1]
            self.assertIn("quipu: interrupted: ", errors)
            self.assertIn(f"until `quipu cluster down --dir {directory}`", errors)
            nodes = json.loads(run("quipu", "cluster", "status", "--dir", directory, "--timeout",
                                   500, "-o", "json").stdout)["nodes"]
            self.assertTrue(any(node["running"] for node in nodes))
        finally:
            self.check(run("quipu", "cluster", "down", "--dir", directory, seconds=60), 0)

    def test_down_says_what_still_runs(self):
        cluster = Cluster(1)
        broker = cluster.nodes["broker-1"]["pid"]
        os.kill(broker, signal.SIGSTOP)
        try:
            child = programs.start("quipu", "cluster", "down", "--dir", cluster.directory,
                                   "--timeout", "60000")
            eventually(lambda: programs.catches(child.pid, signal.SIGINT), "the handler")
            self.assertEqual(self.interrupt(child)[1], "quipu: interrupted: controller-1, broker-1 "
                             "still ran; the same command goes on\n")
        finally:
            os.kill(broker, signal.SIGCONT)
        self.check(run("quipu", "cluster", "down", "--dir", cluster.directory, seconds=60), 0)


if __name__ == "__main__":
    programs.main()
