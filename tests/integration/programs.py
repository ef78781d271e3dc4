"""Starts the built programs for the integration tests and ends each of them.

Everything lives below one temporary directory of the test program and is gone at its end. What has
a condition is awaited by it: `eventually` asks again until a deadline.
"""
import atexit
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("QUIPU_BUILD", os.path.join(ROOT, "build", "release"))
BIN = os.path.join(BUILD, "bin")
RAW_CLIENT = os.path.join(BUILD, "tests", "quipu-raw-client")
UNDER_FIRE = os.path.join(ROOT, "scripts", "payments_under_fire.py")
PATIENCE = 30  # seconds that anything may take on a busy machine


def load_under_fire():
    """The quickstart's program as a module."""
    spec = importlib.util.spec_from_file_location("payments_under_fire", UNDER_FIRE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fire = load_under_fire()
fire.adopt_orphans()
WORK = tempfile.mkdtemp(prefix="quipu-integration-")


def clean_up():
    fire.ignore_signals()
    fire.end_descendants()
    shutil.rmtree(WORK, ignore_errors=True)


atexit.register(clean_up)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def program(name):
    return os.path.join(BIN, name)


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QUIPU_")}
    return {**clean, "TMPDIR": WORK, "XDG_CONFIG_HOME": os.path.join(WORK, "config"), **more}


def run(name, *arguments, text="", seconds=PATIENCE, **env):
    """Runs a program to its end; stdout, stderr and returncode of it."""
    return subprocess.run([program(name), *map(str, arguments)], input=text, text=True,
                          capture_output=True, timeout=seconds, env=environment(**env), check=False)


def start(name, *arguments, stderr=subprocess.PIPE, **options):
    return subprocess.Popen([program(name), *map(str, arguments)], text=True, env=environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                            **options)


def eventually(condition, what, seconds=PATIENCE):
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def catches(pid, number):
    """Whether the process has a handler for the signal."""
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", read(f"/proc/{pid}/status"), re.M)
    return bool(int(caught.group(1), 16) >> (number - 1) & 1)


def folder(name):
    return tempfile.mkdtemp(prefix=f"{name}-", dir=WORK)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


# Of every broker: with QUIPU_TEST_LOG_STORE, each test runs on that way to store (log.store).
STORE_SETTINGS = (("--broker-set", "log.store=" + os.environ["QUIPU_TEST_LOG_STORE"])
                  if os.environ.get("QUIPU_TEST_LOG_STORE") else ())


class Cluster:
    """A local cluster of `quipu cluster up`."""

    def __init__(self, nodes, *settings, directory=None):
        self.directory = directory or os.path.join(folder("cluster"), "c")
        self.settings = (*STORE_SETTINGS, *settings)  # the last one of a key counts
        self.nodes, self.bootstrap = {}, ""
        self.up("-n", nodes, *self.settings)

    def up(self, *arguments):
        done = run("quipu", "cluster", "up", "--dir", self.directory, "--timeout", PATIENCE * 1000,
                   "-o", "json", *arguments, seconds=2 * PATIENCE)
        if done.returncode != 0:
            raise AssertionError(f"cluster up: {done.returncode}: {done.stderr}")
        told = json.loads(done.stdout)
        self.nodes = {node["name"]: node for node in told["nodes"]}
        self.bootstrap = told["bootstrap_servers"]
        self.kafka_bootstrap = told["kafka_bootstrap_servers"]

    def down(self):
        run("quipu", "cluster", "down", "--dir", self.directory, "--timeout", 15000,
            seconds=2 * PATIENCE)
        shutil.rmtree(self.directory, ignore_errors=True)

    def quipu(self, *arguments, **options):
        return run("quipu", *arguments, "-b", self.bootstrap, **options)

    def json(self, *arguments, **options):
        done = self.quipu(*arguments, "-o", "json", **options)
        if done.returncode != 0:
            raise AssertionError(f"quipu {arguments}: {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def kill(self, name):
        """SIGKILL, and until it is gone; it was started by us, be it through `cluster up`."""
        pid = self.nodes[name]["pid"]
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def pid_is_alive(self, name):
        pid = self.nodes[name]["pid"]
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def make_topic(self, name, partitions=1, replicas=3, **configs):
        settings = [p for k, v in configs.items() for p in ("-c", f"{k.replace('_', '.')}={v}")]
        self.json("topic", "create", name, "-p", partitions, "-r", replicas, *settings)
        eventually(lambda: all(len(p["isr"]) == replicas and p["leader"] >= 0
                               for p in self.json("topic", "describe", name)["partitions"]),
                   f"{name} to be in sync")


class TestCase(unittest.TestCase):
    """Assertions on what a program said and how it ended."""

    maxDiff = None

    def check(self, done, code, *stderr_has):
        """The exit code and, on standard error, each of the texts."""
        self.assertEqual(done.returncode, code,
                         f"{done.args}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        for text in stderr_has:
            self.assertIn(text, done.stderr, f"{done.args}")
        return done

    def no_descendants(self):
        """Every process that a test started has ended."""
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            alive = []
            for pid in file.read().split():
                if os.waitpid(int(pid), os.WNOHANG)[0] == 0:
                    command = read(f"/proc/{pid}/cmdline").replace("\0", " ")
                    if command:
                        alive.append(command)
                    else:
                        os.waitpid(int(pid), 0)  # it has ended, but for what the system has to do
        self.assertEqual(alive, [])


def main():
    """unittest's, and 77 when every test was left out: ctest then calls it skipped, not passed."""
    result = unittest.main(exit=False).result
    # A class that is left out as a whole is in `skipped` too, and its tests have not run.
    left_out = [test for test, _ in result.skipped if isinstance(test, unittest.TestCase)]
    all_left_out = bool(result.skipped) and len(left_out) >= result.testsRun
    sys.exit(77 if result.wasSuccessful() and all_left_out else not result.wasSuccessful())
