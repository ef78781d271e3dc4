"""Goal: docs/five-minutes.md and docs/from-kafka.md work as they stand, and from `cluster up` to the
first payment that is read back takes less than 10 s. Method: their `sh` blocks, in order, in one bash
whose home is new and whose path has the built programs first; each `text` block's lines come from the
block before. The Kafka cluster that is moved from is another of Quipu's.
"""
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest

import programs
from programs import folder, read

DOCS = os.path.join(programs.ROOT, "docs")
SECONDS_MAX = 10
SHELL_SECONDS = 200  # that a page may take
END = "--- block ended ---"


def blocks(page):
    """(commands, lines that they print), in the order of the page."""
    found = []
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", read(os.path.join(DOCS, page)), re.M | re.S):
        if kind == "sh":
            found.append((text, []))
        elif kind == "text":
            found[-1][1].extend(text.splitlines())
    return found


class Shell:
    """One bash that is given block after block."""

    def __init__(self, **variables):
        self.home = folder("home")
        env = programs.environment(HOME=self.home, **variables,
                                   PATH=programs.BIN + os.pathsep + os.environ["PATH"])
        self.errors = open(os.path.join(self.home, "errors"), "w+", encoding="utf-8")
        self.bash = subprocess.Popen(["bash", "-e", "-o", "pipefail"], env=env, text=True, bufsize=1,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self.errors, start_new_session=True)
        # Its programs are of its session; none of them may wait for ever.
        self.limit = threading.Timer(SHELL_SECONDS, os.killpg, (self.bash.pid, signal.SIGKILL))
        self.limit.daemon = True
        self.limit.start()

    def run(self, commands):
        """What it printed. bash -e ends at the first command that fails."""
        self.bash.stdin.write(f"{commands}\necho '{END}'\n")
        printed = []
        for line in self.bash.stdout:
            if line.rstrip("\n") == END:
                return printed
            printed.append(line.rstrip("\n"))
        self.errors.seek(0)
        raise AssertionError(f"failed:\n{commands}\n{printed}\n{self.errors.read()}")

    def end(self):
        self.limit.cancel()
        self.bash.stdin.close()
        self.bash.wait(timeout=programs.PATIENCE)
        self.bash.stdout.close()
        self.errors.close()


class PagesTest(programs.TestCase):
    def shell(self, **variables):
        shell = Shell(**variables)
        self.addCleanup(shell.end)
        self.addCleanup(lambda: programs.run("quipu", "cluster", "down", "--dir",
                                             os.path.join(shell.home, "quipu-cluster"), seconds=60))
        return shell

    def test_five_minutes_runs_as_it_stands(self):
        shell = self.shell()
        began = first_payment = time.monotonic()
        consumed = False
        for commands, expected in blocks("five-minutes.md"):
            printed = shell.run(commands)
            for line in expected:
                self.assertIn(line, printed, commands)
            if not consumed and "quipu consume" in commands:
                consumed, first_payment = "42" in printed, time.monotonic()
        self.assertTrue(consumed, "the page reads no payment")
        took = first_payment - began
        print(f"from cluster up to the first consumed payment: {took:.1f} s")
        self.assertLess(took, SECONDS_MAX)
        self.assertFalse(os.path.exists(os.path.join(shell.home, "quipu-cluster")))

    @unittest.skipUnless(shutil.which("kcat"), "there is no kcat here (scripts/setup --tests installs it)")
    def test_from_kafka_runs_as_it_stands(self):
        old = programs.Cluster(1)
        self.addCleanup(old.down)
        old.make_topic("payments", partitions=6, replicas=1)
        payments = "".join(f"acc-{i % 7}|{i}\n" for i in range(500))
        sent = programs.run(shutil.which("kcat"), "-P", "-b", old.kafka_bootstrap, "-t", "payments", "-K", "|",
                            "-X", "partitioner=murmur2_random", text=payments)
        self.check(sent, 0)
        shell = self.shell(OLD=old.kafka_bootstrap)
        for commands, expected in blocks("from-kafka.md"):
            printed = shell.run(commands)
            for line in expected:
                self.assertIn(line, printed, commands)
        self.assertEqual(sorted(read(os.path.join(shell.home, "payments.txt")).splitlines()),
                         sorted(payments.splitlines()))


if __name__ == "__main__":
    programs.main()
