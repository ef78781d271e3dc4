"""Goal: docs/five-minutes.md works as it stands, and from `cluster up` to the first payment that is
read back takes less than 10 s. Method: its `sh` blocks, in order, in one bash whose home is new and
whose path has the built programs first; each `text` block's lines come from the block before.
"""
import os
import re
import subprocess
import time
import unittest

import programs
from programs import folder, read

PAGE = os.path.join(programs.ROOT, "docs", "five-minutes.md")
SECONDS_MAX = 10
END = "--- block ended ---"


def blocks():
    """(commands, lines that they print), in the order of the page."""
    found = []
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", read(PAGE), re.M | re.S):
        if kind == "sh":
            found.append((text, []))
        elif kind == "text":
            found[-1][1].extend(text.splitlines())
    return found


class Shell:
    """One bash that is given block after block."""

    def __init__(self):
        self.home = folder("home")
        env = programs.environment(HOME=self.home,
                                   PATH=programs.BIN + os.pathsep + os.environ["PATH"])
        self.errors = open(os.path.join(self.home, "errors"), "w+", encoding="utf-8")
        self.bash = subprocess.Popen(["bash", "-e", "-o", "pipefail"], env=env, text=True, bufsize=1,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self.errors)

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
        self.bash.stdin.close()
        self.bash.wait(timeout=programs.PATIENCE)
        self.bash.stdout.close()
        self.errors.close()


class FiveMinutesTest(programs.TestCase):
    def test_the_page_runs_as_it_stands(self):
        shell = Shell()
        self.addCleanup(shell.end)
        self.addCleanup(lambda: programs.run("quipu", "cluster", "down", "--dir",
                                             os.path.join(shell.home, "quipu-cluster"), seconds=60))
        began = first_payment = time.monotonic()
        consumed = False
        for commands, expected in blocks():
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


if __name__ == "__main__":
    programs.main()
