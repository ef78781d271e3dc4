"""Goal: the quickstart counts every wait in full, and leaves no process and no file when a signal ends
it. Method: its account of waits over written events; the real program, ended by signals at different
moments.
"""
import os
import re
import signal
import subprocess
import sys
import unittest

import programs
from programs import BIN, UNDER_FIRE, WORK, environment, fire

SAMPLE = os.path.join(programs.ROOT, "client/examples/payments/sample/payments.csv.xz")
WINDOW = 5000


class WaitsTest(unittest.TestCase):
    """Partition 0 and 1; the kill is at 1000."""

    def setUp(self):
        self.events = fire.Events("/nonexistent")

    def take(self, *lines):
        for line in lines:
            self.events.take(line)

    def wait(self, partition=0, since=1000):
        return self.events.longest_wait_ms(partition, since, WINDOW)

    def test_a_straggler_hides_no_stall_that_ends_behind_the_window(self):
        self.take("P 995 20 10 5,5", "A 1030 0 2", "P 1031 20 12 3,5", "A 8000 0 3",
                  "P 8001 20 15 0,5")
        self.assertEqual(self.wait(), 8000 - 1030)

    def test_a_wait_that_has_not_ended_counts_so_far(self):
        self.take("P 995 20 10 5,5", "A 1030 0 2", "P 1031 20 12 3,5", "P 9000 20 12 3,5")
        self.assertEqual(self.wait(), 9000 - 1030)
        self.assertEqual(self.wait(1), 9000 - 1000)

    def test_a_partition_with_nothing_to_acknowledge_does_not_wait(self):
        self.take("P 995 20 10 5,5", "A 1010 0 5", "P 1011 20 15 0,5", "P 9000 20 15 0,5",
                  "P 9005 21 15 1,5", "A 9010 0 1")
        self.assertEqual(self.wait(), 10)

    def test_what_waited_before_the_kill_counts_from_the_kill(self):
        self.take("P 500 20 10 5,5", "A 1200 0 5", "P 1201 20 15 0,5")
        self.assertEqual(self.wait(), 200)

    def test_a_wait_that_begins_behind_the_window_is_not_of_this_kill(self):
        self.take("P 995 20 10 0,0", "P 6001 20 10 0,0", "P 6006 21 10 1,0", "A 9000 0 1")
        self.assertEqual(self.wait(), 0)

    def test_rows_of_a_killed_producer_wait_for_its_next_life(self):
        self.take("P 995 20 10 5,5")
        self.events.hold([0], 1000)
        self.take("P 3000 20 15 0,0", "A 3100 0 1", "P 3101 21 16 0,0")
        self.assertEqual(self.wait(), 2100)

    def test_the_progress_before_a_moment_is_known(self):
        self.take("P 990 20 10 5,5", "P 995 20 10 4,4", "P 1005 20 10 3,3")
        self.assertEqual(self.events.at(1000)["in_flight"], [4, 4])


class SignalsTest(programs.TestCase):
    def run_until(self, pattern, number, seconds=60):
        """Starts the quickstart and sends the signal when a line matches."""
        before = set(os.listdir(WORK))
        child = subprocess.Popen(
            [sys.executable, UNDER_FIRE, "--programs", BIN, "--input", SAMPLE], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
            start_new_session=True)
        if pattern is None:  # as soon as it has begun to work
            programs.eventually(lambda: set(os.listdir(WORK)) - before, "its directory")
        else:
            for line in child.stdout:
                if re.search(pattern, line):
                    break
        child.send_signal(number)
        _, said = child.communicate(timeout=seconds)
        self.assertEqual(child.returncode, 128 + number, said)
        self.assertIn(f"interrupted by {signal.Signals(number).name}", said)
        self.no_descendants()
        self.assertEqual(set(os.listdir(WORK)) - before, set())

    def test_while_the_cluster_starts(self):
        self.run_until(None, signal.SIGINT)

    def test_while_payments_stream(self):
        self.run_until("streaming", signal.SIGTERM)

    def test_while_a_process_is_down(self):
        self.run_until("killed the controller leader", signal.SIGHUP)

    def test_a_terminal_that_is_gone_keeps_no_process(self):
        """Nobody reads what it prints any more."""
        before = set(os.listdir(WORK))
        child = subprocess.Popen(
            [sys.executable, UNDER_FIRE, "--programs", BIN, "--input", SAMPLE], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        child.stdout.readline()
        child.stdout.close()
        self.assertEqual(child.wait(timeout=60), 1)
        self.no_descendants()
        for name in set(os.listdir(WORK)) - before:  # kept, as after every failure
            programs.shutil.rmtree(os.path.join(WORK, name))


if __name__ == "__main__":
    programs.main()
