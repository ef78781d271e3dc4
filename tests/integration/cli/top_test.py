"""Goal: `quipu top` shows partitions and groups with their rates and lags, judges checks with its exit
code, and ends clean. Method: one cluster with a topic and a group that is behind, by text and JSON.
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

import programs
from programs import Cluster


class Terminal:
    """A pseudo-terminal with a program in it, and what that has drawn."""

    ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
    CLEAR = b"\x1b[H\x1b[2J"

    def __init__(self, rows, columns):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.child, self.written = None, b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def start(self, *arguments):
        self.child = subprocess.Popen(
            [programs.program("quipu"), *arguments], stdin=self.slave, stdout=self.slave,
            stderr=self.slave, env=programs.environment(), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def write(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.written += os.read(self.master, 1 << 16)

    def screens(self, count, seconds=programs.PATIENCE):
        """So many screens that are drawn from now on, each the list of its lines."""
        deadline = time.monotonic() + seconds
        self.read(0)
        seen = self.written.count(self.CLEAR)
        # The last one is whole when the next has begun, or when nothing has come for a while.
        while True:
            before = len(self.written)
            self.read(0.3)
            drawn = self.written.split(self.CLEAR)[1:][seen:]
            if len(drawn) > count or (len(drawn) == count and len(self.written) == before):
                break
            assert time.monotonic() < deadline, self.written[-3000:]
        plain = [re.sub(rb"\x1b\[\d*m", b"", screen).decode() for screen in drawn[:count]]
        return [screen.replace("\r", "").split("\n") for screen in plain]

    def end(self, seconds=programs.PATIENCE):
        deadline = time.monotonic() + seconds
        while self.child.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self.read(0.05)
        self.read(0.2)
        return self.child.returncode

    def is_as_it_was(self, test):
        test.assertEqual(termios.tcgetattr(self.slave), self.before)
        test.assertEqual(self.written.count(self.ENTER), 1)
        test.assertTrue(self.written.rstrip().endswith(self.LEAVE), self.written[-200:])


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

    def top(self, *arguments, code=0, interval=200):
        return self.check(self.cluster.quipu("top", "--interval-ms", interval, *arguments), code)

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
        self.top("--once", "--check", "produced_bytes_per_second@watched>=0")
        # Nothing was acknowledged meanwhile.
        said = self.top("--once", "--check", "produce_p99_ms<1000", code=4).stdout
        self.assertIn("produce_p99_ms is not known", said)

    def test_bytes_latency_and_producers_of_a_stream(self):
        self.cluster.make_topic("streamed", partitions=2, replicas=1)
        load = programs.start("quipu", "bench", "produce", "streamed", "--rate", "500", "-n",
                              "1000000", "-s", "1000", "--linger-ms", "1", "-b",
                              self.cluster.bootstrap)
        reader = programs.start("quipu", "bench", "consume", "streamed", "--seconds", "600", "-b",
                                self.cluster.bootstrap)
        try:
            told = json.loads(self.top("--batch", 10, "-o", "json", "--topic", "streamed",
                                       interval=300).stdout.splitlines()[-1])
            self.assertEqual([t["topic"] for t in told["topics"]], ["streamed"])
            topic = told["topics"][0]
            self.assertEqual(topic["partitions"], 2)
            # 500 records of 1000 bytes and a key; how even the stream is depends on the machine.
            self.assertGreater(topic["produced_bytes_per_second"], 100_000)
            self.assertLess(topic["produced_bytes_per_second"], 1_500_000)
            self.assertGreater(topic["consumed_bytes_per_second"], 100_000)
            self.assertGreater(told["produce_p50_ms"], 0)
            self.assertGreaterEqual(told["produce_p99_ms"], told["produce_p50_ms"])
            self.assertEqual(len(told["producers"]), 1)
            producer = told["producers"][0]
            self.assertEqual(producer["partitions"], [{"topic": "streamed", "partition": n}
                                                      for n in (0, 1)])
            self.assertAlmostEqual(producer["records_per_second"], topic["records_per_second"],
                                   delta=0.3 * topic["records_per_second"])
            self.top("--once", "--check", "produce_p99_ms<10000", "--check",
                     "produced_bytes_per_second@streamed>1000", "--check",
                     "consumed_bytes_per_second>1000")
            lines = [line.split() for line in self.top("--once", "--rows", 50).stdout.splitlines()]
            below = lines[next(i for i, line in enumerate(lines) if line[:1] == ["PRODUCER"]) + 1:]
            row = next(line for line in below if line[:1] == [str(producer["producer_id"])])
            self.assertEqual(row[1:3], [str(producer["epoch"]), "2"])
        finally:
            for child in (load, reader):
                child.send_signal(signal.SIGINT)
            for child in (load, reader):
                self.assertIn("records/s", child.communicate(timeout=30)[0])
                self.assertEqual(child.returncode, 130)

    # ---- on a terminal ----
    def test_it_draws_within_the_window_and_follows_its_size(self):
        terminal = Terminal(24, 80)
        terminal.start("top", "--interval-ms", "100", "-b", self.cluster.bootstrap)
        for rows, columns in ((24, 80), (9, 31), (50, 200), (1, 1), (24, 80)):
            terminal.resize(rows, columns)
            # The frame that is being drawn may be of the size before.
            screens = terminal.screens(4)[2:]
            for screen in screens:
                self.assertLessEqual(len(screen), rows, screen)
                for line in screen:
                    self.assertLessEqual(len(line), columns, line)
            if (rows, columns) == (24, 80):
                text = "\n".join(screens[-1])
                self.assertRegex(text, r"^1 brokers, 0 fenced ")
                for head in ("TOPIC ", "PRODUCER ", "GROUP "):
                    self.assertIn(head, text)
        terminal.write("x")  # no key of it: it is not shown and does nothing
        self.assertNotIn("x", terminal.screens(3)[-1])
        terminal.write("q")
        self.assertEqual(terminal.end(), 0)
        terminal.is_as_it_was(self)

    def test_a_resize_is_drawn_at_once(self):
        terminal = Terminal(24, 80)
        terminal.start("top", "--interval-ms", "3000", "-b", self.cluster.bootstrap)
        terminal.screens(1)
        began = time.monotonic()
        terminal.resize(24, 40)
        self.assertLessEqual(max(map(len, terminal.screens(1)[0])), 40)
        self.assertLess(time.monotonic() - began, 2)
        terminal.write("q")
        self.assertEqual(terminal.end(), 0)

    def test_ctrl_c_leaves_the_terminal_as_it_was(self):
        terminal = Terminal(24, 80)
        terminal.start("top", "--interval-ms", "100", "-b", self.cluster.bootstrap)
        terminal.screens(2)
        terminal.write("\x03")
        self.assertEqual(terminal.end(), 130)
        terminal.is_as_it_was(self)

    def test_so_does_a_second_ctrl_c_while_it_waits_for_a_broker(self):
        terminal = Terminal(24, 80)
        terminal.start("top", "--interval-ms", "100", "--timeout", "60000", "-b",
                       self.cluster.bootstrap)
        terminal.screens(2)
        broker = self.cluster.nodes["broker-1"]["pid"]
        os.kill(broker, signal.SIGSTOP)
        try:
            time.sleep(0.5)
            terminal.write("\x03")
            time.sleep(0.5)
            terminal.write("\x03")
            self.assertEqual(terminal.end(seconds=3), 130)
        finally:
            os.kill(broker, signal.SIGCONT)
        terminal.is_as_it_was(self)

    def test_one_refresh_on_a_terminal_takes_no_screen_of_its_own(self):
        terminal = Terminal(24, 80)
        terminal.start("top", "--once", "--interval-ms", "100", "-b", self.cluster.bootstrap)
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn(b"\x1b[?1049h", terminal.written)
        self.assertIn(b"watched", terminal.written)

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
