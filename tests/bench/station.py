"""A cluster of three controllers and three brokers that is measured, and what is started at it."""
import json
import os
import shutil
import socket
import subprocess
import time

import processes
import programs

# So many that partitions have nearly the same share: with 900 the fullest of 24 has a third more than the mean, and a
# producer goes as fast as that one.
KEYS = 100_000
KEY_BYTES = 13  # of a record: "account-NNNNN", as nine keys in ten are
GIB = 1 << 30


def bench_program(name):
    return os.path.join(programs.BUILD, "tests", name)


def free_port():
    """Of the loopback; nobody has it now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def told(command, seconds=120):
    """What a program of the set prints as JSON."""
    done = subprocess.run([*map(str, command)], text=True, capture_output=True, timeout=seconds,
                          env=programs.environment(), check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


class Station:
    """`with Station(...) as station`: a fresh cluster."""

    def __init__(self, settings=()):
        self.settings = settings

    def __enter__(self):
        self.cluster = programs.Cluster(3, *self.settings)
        return self

    def __exit__(self, *_):
        """At once: nobody needs what it holds any more."""
        for name in self.cluster.nodes:
            self.cluster.kill(name)
        shutil.rmtree(self.cluster.directory)

    def pids(self, role=""):
        return [node["pid"] for name, node in self.cluster.nodes.items() if name.startswith(role)]

    def make_topic(self, name, partitions, *settings, patience=120):
        self.cluster.json("topic", "create", name, "-p", partitions, "-r", 3, "--timeout", patience * 1000, *settings,
                          seconds=patience)
        self.await_in_sync(name, patience)

    def describe(self, topic):
        return self.cluster.json("topic", "describe", topic, seconds=60)["partitions"]

    def await_in_sync(self, topic, patience=120):
        programs.eventually(lambda: all(len(p["isr"]) == 3 and p["leader"] >= 0 for p in self.describe(topic)),
                            f"{topic} to be in sync", patience)

    def arguments(self, topic, record_bytes, batch_bytes, seconds, rate=0, linger_ms=None, keys=KEYS, warm_up=1):
        linger = () if linger_ms is None else ("--linger-ms", linger_ms)
        return ("bench", "produce", topic, "--seconds", seconds, "--warm-up", min(warm_up, seconds), "-s",
                record_bytes - KEY_BYTES, "--batch-size", batch_bytes, "--rate", int(rate), "--keys", keys,
                *linger, "--no-progress", "--timeout", 60000)

    def produce(self, *arguments, **more):
        """`quipu bench produce`. Records are of the bytes named, with their keys."""
        return self.cluster.json(*self.arguments(*arguments, **more), seconds=180)

    def measured_produce(self, topic, record_bytes, *arguments, **more):
        """The same, with what it cost for each GiB of records, warm-up included."""
        everything, brokers = self.pids(), self.pids("broker")
        cpu, written = processes.cpu_seconds(everything), processes.bytes_written(brokers)
        children, records = sum(os.times()[2:4]), self.records_in(topic)
        result = self.produce(topic, record_bytes, *arguments, **more)
        gib = (self.records_in(topic) - records) * record_bytes / GIB
        result["servers_cpu_per_gib"] = (processes.cpu_seconds(everything) - cpu) / gib
        result["client_cpu_per_gib"] = (sum(os.times()[2:4]) - children) / gib
        time.sleep(1)  # what is written behind the acknowledgement
        result["written_per_byte"] = (processes.bytes_written(brokers) - written) / GIB / (3 * gib)
        return result

    def start(self, *arguments):
        return programs.start("quipu", *map(str, arguments), "-b", self.cluster.bootstrap, "-o", "json")

    def ended(self, child, seconds=180):
        out, error = child.communicate(timeout=seconds)
        if child.returncode != 0:
            raise AssertionError(f"{' '.join(child.args[1:])}: {child.returncode}: {error}")
        return json.loads(out)

    def start_consumers(self, count, topic, *arguments):
        """Once they know where they begin."""
        children = [self.start("bench", "consume", topic, *arguments, "--no-progress", "--timeout", 30000)
                    for _ in range(count)]
        for child in children:
            programs.eventually(lambda pid=child.pid: programs.catches(pid, 2), "a consumer to begin")
        return children

    def records_in(self, topic):
        return sum(p["high_watermark"] for p in self.describe(topic))

    def restart(self):
        """All of it, in order."""
        programs.run("quipu", "cluster", "down", "--dir", self.cluster.directory, "--timeout", 15000, seconds=60)
        self.cluster.up()
