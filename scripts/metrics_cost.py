#!/usr/bin/env python3
"""What a scrape a second of every process costs in processor time, busy and idle.

    scripts/metrics_cost.py [--programs build/release/bin] [--pairs 10] [--records 200000]
    scripts/metrics_cost.py --against OTHER/bin     another build that nobody scrapes, too

One cluster (three controllers, three brokers). Runs with and without scrapes come in pairs, one right
after the other, and the order turns with each pair, so that a machine that gets slower or faster
favours neither. What is compared is the processor time of the six processes, to the nanosecond, within
each pair: how long a run took says nothing on a machine that others use, and is printed last. Of the
ratios of all pairs it prints the median, the quartiles, and in how many pairs the second was dearer:
a cost that is there shows in nearly all of them.
"""
import argparse
import contextlib
import functools
import glob
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
        """(processor microseconds of all six processes for each record, records a second)"""
        began, cpu = time.monotonic(), self.cpu_seconds()
        self.run("bench", "produce", "bench", "-n", str(records), "-s", "1024", "-b",
                 self.bootstrap, "--timeout", "60000")
        return ((self.cpu_seconds() - cpu) * 1e6 / records,
                records / (time.monotonic() - began))

    def cpu_seconds(self):
        """On a processor so far, over all threads: they live as long as their process."""
        nanoseconds = 0
        for pid in self.pids:
            paths = glob.glob(f"/proc/{pid}/task/*/schedstat")
            if not paths:
                raise SystemExit(f"/proc/{pid}/task/*/schedstat: no such process, or a kernel "
                                 "without CONFIG_SCHED_INFO")
            for path in paths:
                with open(path, encoding="ascii") as file:
                    nanoseconds += int(file.read().split()[0])
        return nanoseconds / 1e9

    def idle(self, seconds):
        """(processor milliseconds of all six processes for each second,)"""
        before = self.cpu_seconds()
        time.sleep(seconds)
        return ((self.cpu_seconds() - before) * 1e3 / seconds,)

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


def spread(values, form):
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def pairs_of(count, first, second):
    """Runs both `count` times, the order turning; [(first's results, second's results)]."""
    pairs = []
    for i in range(count):
        results = {}
        for which in ((first, second), (second, first))[i % 2]:
            results[which] = which()
        pairs.append((results[first], results[second]))
    return pairs


def tell(what, pairs, unit):
    ratios = [second[0] / first[0] for first, second in pairs]
    dearer = sum(ratio > 1 for ratio in ratios)
    print(f"{what}: {spread([first[0] for first, _ in pairs], ',.2f')} against "
          f"{spread([second[0] for _, second in pairs], ',.2f')} {unit};\n"
          f"    ratio {spread(ratios, '.3f')}, dearer in {dearer} of {len(pairs)} pairs; difference "
          f"{spread([second[0] - first[0] for first, second in pairs], '+,.2f')}", flush=True)
    if len(pairs[0][0]) > 1:
        print("    on the clock: " + " against ".join(
            spread([pair[i][1] for pair in pairs], ",.0f") for i in (0, 1)) + " records/s")


def measure(asked, cluster, other=None):
    scraper = Scraper(cluster.metrics)

    def with_scrapes(run):
        def scraped():
            with scraper:
                return run()
        return scraped
    busy = functools.partial(cluster.produce, asked.records)
    for warm_up in (busy, other and functools.partial(other.produce, asked.records)):
        if warm_up:
            warm_up()
    print("median (quartiles); without scrapes against with one a second")
    tell("produce", pairs_of(asked.pairs, busy, with_scrapes(busy)), "us of processor a record")
    idle = functools.partial(cluster.idle, asked.idle_seconds)
    tell("idle", pairs_of(asked.pairs, idle, with_scrapes(idle)), "ms of processor a second")
    print(f"{scraper.count} scrapes of {len(cluster.metrics)} processes")
    if other:
        tell("produce, the other build against this one, both without scrapes",
             pairs_of(asked.pairs, functools.partial(other.produce, asked.records), busy),
             "us of processor a record")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--programs", default=os.path.join(root, "build/release/bin"))
    parser.add_argument("--against")
    parser.add_argument("--pairs", type=int, default=10, help="of each kind; at least 2")
    parser.add_argument("--records", type=int, default=200000)
    parser.add_argument("--idle-seconds", type=int, default=10)
    asked = parser.parse_args()
    if asked.pairs < 2:
        parser.error("--pairs: expected at least 2")
    with tempfile.TemporaryDirectory(prefix="quipu-metrics-cost-") as where, \
            contextlib.ExitStack() as ending:
        clusters = []
        for name, programs in (("c", asked.programs), ("other", asked.against)):
            if programs:
                clusters.append(Cluster(programs, os.path.join(where, name)))
                ending.callback(clusters[-1].down)
        measure(asked, *clusters)


if __name__ == "__main__":
    main()
