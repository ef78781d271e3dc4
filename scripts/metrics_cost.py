#!/usr/bin/env python3
"""What a scrape a second of every process costs: produce throughput, processor time busy and idle.

    scripts/metrics_cost.py [--programs build/release/bin] [--rounds 4] [--records 200000]
    scripts/metrics_cost.py --against OTHER/bin     throughput of another build without metrics too

Runs with and without scrapes take turns in one cluster (three controllers, three brokers), since a
machine has fast and slow hours. Prints medians, lowest and highest, and the ratio of the medians. The
processor time of a record says something even where others use the machine.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request


class Cluster:
    def __init__(self, programs, where):
        self.quipu, self.where = os.path.join(programs, "quipu"), where
        told = self.run("cluster", "up", "-n", "3", "--dir", where, "--timeout", "60000")
        self.bootstrap = told["bootstrap_servers"]
        self.pids = [node["pid"] for node in told["nodes"]]
        self.metrics = [node["metrics"] for node in told["nodes"] if node.get("metrics")]
        self.run("topic", "create", "bench", "-p", "6", "-b", self.bootstrap)

    def run(self, *arguments):
        done = subprocess.run([self.quipu, *arguments, "-o", "json"], text=True, check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def produce(self, records):
        """(records a second, processor microseconds of all six processes for each record)"""
        began, cpu = time.monotonic(), self.cpu_seconds()
        self.run("bench", "produce", "bench", "-n", str(records), "-s", "1024", "-b",
                 self.bootstrap, "--timeout", "60000")
        return (records / (time.monotonic() - began),
                (self.cpu_seconds() - cpu) * 1e6 / records)

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def idle(self, seconds):
        """Processor seconds of all six processes for each second."""
        before = self.cpu_seconds()
        time.sleep(seconds)
        return (self.cpu_seconds() - before) / seconds

    def down(self):
        self.run("cluster", "down", "--dir", self.where)


class Scraper:
    """Scrapes every process once a second while it is entered."""

    def __init__(self, addresses):
        self.addresses, self.ending, self.count = addresses, threading.Event(), 0

    def loop(self):
        while not self.ending.wait(1):
            for address in self.addresses:
                with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                    answer.read()
                self.count += 1

    def __enter__(self):
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.ending.clear()


def tell(what, values, unit):
    print(f"{what}: {statistics.median(values):,.4g} {unit} "
          f"({min(values):,.4g}-{max(values):,.4g}, {len(values)} runs)", flush=True)
    return statistics.median(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--programs", default=os.path.join(root, "build/release/bin"))
    parser.add_argument("--against")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--records", type=int, default=200000)
    parser.add_argument("--idle-seconds", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quipu-metrics-cost-") as where:
        clusters = [Cluster(asked.programs, os.path.join(where, "c"))]
        try:
            if asked.against:
                clusters.append(Cluster(asked.against, os.path.join(where, "other")))
            measure(asked, *clusters)
        finally:
            for cluster in clusters:
                cluster.down()


def measure(asked, cluster, other=None):
    scraper = Scraper(cluster.metrics)
    quiet, scraped, before, idle_quiet, idle_scraped = [], [], [], [], []
    for each in (cluster, other):
        if each:
            each.produce(asked.records)  # warms up
    for _ in range(asked.rounds):
        quiet.append(cluster.produce(asked.records))
        with scraper:
            scraped.append(cluster.produce(asked.records))
        if other:
            before.append(other.produce(asked.records))
        idle_quiet.append(cluster.idle(asked.idle_seconds))
        with scraper:
            idle_scraped.append(cluster.idle(asked.idle_seconds))
    print(f"{scraper.count} scrapes of {len(cluster.metrics)} processes")
    for part, unit in ((0, "records/s"), (1, "us of processor a record")):
        plain = tell("produce, nobody scrapes", [run[part] for run in quiet], unit)
        for what, runs in (("scraped every second", scraped), ("the other build", before)):
            if runs:
                median = tell(f"produce, {what}", [run[part] for run in runs], unit)
                print(f"ratio {median / plain:.3f}")
    plain = tell("idle, nobody scrapes", idle_quiet, "processors")
    print(f"more: {tell('idle, scraped every second', idle_scraped, 'processors') - plain:.4f}")


if __name__ == "__main__":
    main()
