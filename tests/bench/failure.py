"""What is killed: how long until partitions take records again, and until a broker serves again."""
import os
import re
import signal
import time
import urllib.request

import processes
import programs
from results import Row
from station import Station, bench_program, told

SIGNALS = (("kill -9", signal.SIGKILL), ("power-off", signal.SIGSTOP))
COUNTS = (1, 100, 1000)  # partitions that the broker leads
GOALS = {("kill -9", 1000): 1000, ("power-off", 1000): 4000}
VICTIM = 1
UNFLUSHED = re.compile(r"^quipu_(?:wal_file_bytes|journal_unflushed_bytes)(?:\{.*\})? (\S+)$", re.M)


def unflushed_mib(node):
    """Of the log of a broker, of either kind: what a start has to apply again at most."""
    with urllib.request.urlopen(f"http://{node['metrics']}/metrics", timeout=10) as answer:
        return sum(map(float, UNFLUSHED.findall(answer.read().decode()))) / (1 << 20)


def start_again(station, name, topic):
    """Seconds from its start until it serves, and until it is in sync; and MiB that it read until it served."""
    began = time.monotonic()
    station.cluster.up()
    served = time.monotonic() - began
    read = processes.bytes_read(station.cluster.nodes[name]["pid"]) / (1 << 20)
    station.await_in_sync(topic)
    return served, time.monotonic() - began, read


class Restart:
    """kill -9 under full load, when most is unflushed."""

    name = "restart"
    rows = [Row("start after kill -9 under full load, until it serves", "restart: serves", "s", at_most=10),
            Row("the same: until it is in sync", "restart: in sync", "s"),
            Row("the same: what its log held for a start to apply, when it was killed", "restart: unflushed", "MiB"),
            Row("the same: read until it served", "restart: read", "MiB")]

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results = asked, plan, results

    def run(self, number):
        name = f"broker-{VICTIM}"
        with Station() as station:
            station.make_topic("t", 24)
            seconds = self.plan.seconds(12)
            producer = station.start(*station.arguments("t", 1024, 65536, seconds, warm_up=0.1))
            # Near the largest amount that was seen, and at the end of the load at the latest.
            began, largest, unflushed = time.monotonic(), 0, 0
            while time.monotonic() - began < seconds:
                unflushed = unflushed_mib(station.cluster.nodes[name])
                if time.monotonic() - began > seconds / 2 and unflushed > 0.95 * largest > 0:
                    break
                largest = max(largest, unflushed)
                time.sleep(0.1)
            station.cluster.kill(name)
            station.ended(producer)
            served, in_sync, read = start_again(station, name, "t")
            self.results.add(number, "restart: unflushed", unflushed)
            self.results.add(number, "restart: serves", served)
            self.results.add(number, "restart: in sync", in_sync)
            self.results.add(number, "restart: read", read)


def stop_leader(station, topic, number):
    """quipu-bench-failover against the victim, which is whole again afterwards."""
    name = f"broker-{VICTIM}"
    led = [p["partition"] for p in station.describe(topic) if p["leader"] == VICTIM]
    if not led:
        raise AssertionError(f"{name} leads nothing of {topic}")
    pid = station.cluster.nodes[name]["pid"]
    try:
        result = told([bench_program("quipu-bench-failover"), "-b", station.cluster.bootstrap, "--topic", topic,
                       "--partitions", ",".join(map(str, led)), "--pid", pid, "--signal", int(number)])
    finally:
        if number == signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
    if number == signal.SIGKILL:
        os.waitpid(pid, 0)
        station.cluster.up()
    station.await_in_sync(topic)
    done = station.cluster.quipu("leader", "elect", "--topic", topic, "--timeout", 60000, seconds=90)
    if done.returncode != 0:
        raise AssertionError(f"leader elect: {done.stderr}")
    programs.eventually(lambda: sum(p["leader"] == VICTIM for p in station.describe(topic)) == len(led),
                        f"{name} to lead again")
    return result


class Failover:
    """A broker that leads 1, 100 or 1,000 partitions of a topic is stopped. Of a machine without power nothing is
    heard, and no connection is reset: for that it is frozen (SIGSTOP)."""

    name = "failover"
    rows = [Row(f"{how} of a broker that leads {count:,} partitions, until the last acknowledges again",
                f"{how} {count}: last", "ms", at_most=GOALS.get((how, count)))
            for how, _ in SIGNALS for count in COUNTS]
    rows += [Row(f"{how}, {count:,} partitions, until the first acknowledges again", f"{how} {count}: first", "ms")
             for how, _ in SIGNALS for count in COUNTS if count > 1]

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results = asked, plan, results

    def run(self, number):
        for count in COUNTS:
            partitions = 3 * (count if count < 1000 else self.plan.count(count, 150))
            with Station() as station:
                station.make_topic("t", partitions)
                for how, sent in SIGNALS:
                    result = stop_leader(station, "t", sent)
                    self.results.add(number, f"{how} {count}: first", result["first_ms"])
                    self.results.add(number, f"{how} {count}: last", result["last_ms"])
