"""Consumers at the tail and far behind it, and what they do to producers."""
import os
import time

import processes
import programs
from results import Row
from station import Station

PARTITIONS = 24
TAIL_LOAD = 0.4  # of full load: the producers' share of two cores that three consumers use as well
CHUNK = 1 << 20


def read_file(path):
    """Seconds, with nothing of it in the page cache."""
    buffer = bytearray(CHUNK)
    began = time.monotonic()
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.monotonic() - began


class Reading:
    name = "read"
    rows = [
        Row("three consumers at the tail: the slowest against the producer", "tail: consume", "records/s",
            "tail: produce", at_least=1),
        Row(f"the same: p99 of produce at {TAIL_LOAD:.0%} of full load, against none", "tail: p99 with three", "ms",
            "tail: p99 with none", at_most=1.2),
        Row("full speed with three consumers at the tail, against none", "tail: full speed with three", "records/s",
            "tail: full speed"),
        Row("catch-up read from disk, cold, against a sequential file read", "cold read", "MB/s", "file read",
            at_least=0.7),
        Row("the same: p99 of produce meanwhile, against none", "cold read: p99 meanwhile", "ms", "cold read: p99 before",
            at_most=2),
    ]

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results = asked, plan, results

    def run(self, number):
        with Station() as station:
            self.tail(number, station)
            self.cold(number, station)

    def tail(self, number, station):
        station.make_topic("full", PARTITIONS)
        full = station.produce("full", 1024, 16384, self.plan.seconds(3))["records_per_second"]
        self.results.add(number, "tail: full speed", full)
        rate, seconds = int(TAIL_LOAD * full), self.plan.seconds(6)
        station.make_topic("alone", PARTITIONS)
        alone = station.produce("alone", 1024, 16384, seconds, rate=rate)
        self.results.add(number, "tail: p99 with none", alone["p99_ms"])
        station.make_topic("tail", PARTITIONS)
        records = int(0.95 * rate * seconds)  # the last may be due after the end
        children = station.start_consumers(3, "tail", "--from-end", "-n", records)
        with_three = station.produce("tail", 1024, 16384, seconds, rate=rate, warm_up=0)
        self.results.add(number, "tail: p99 with three", with_three["p99_ms"])
        self.results.add(number, "tail: produce", with_three["records_per_second"])
        took = []
        for child in children:
            told = station.ended(child)
            took.append(told["seconds"] - told["first_record_ms"] / 1000)
        self.results.add(number, "tail: consume", records / max(took))
        station.make_topic("full-tail", PARTITIONS)
        children = station.start_consumers(3, "full-tail", "--from-end", "--seconds", self.plan.seconds(4) + 1)
        told = station.produce("full-tail", 1024, 16384, self.plan.seconds(3))
        self.results.add(number, "tail: full speed with three", told["records_per_second"])
        for child in children:
            station.ended(child)

    def cold(self, number, station):
        """Of a topic that was written before the brokers started, in the middle of what is on disk."""
        station.make_topic("old", PARTITIONS)
        records = self.plan.count(400, 16) << 10
        station.cluster.json("bench", "produce", "old", "-n", records, "-s", 1013, "--keys", 900, "--no-progress",
                             seconds=180)
        station.restart()
        station.await_in_sync("old")
        file = os.path.join(programs.WORK, "sequential")
        if not os.path.exists(file):
            with open(file, "wb") as out:
                for _ in range(records * 1024 // CHUNK):
                    out.write(os.urandom(CHUNK))
        processes.forget_pages(programs.WORK)
        self.results.add(number, "file read", os.path.getsize(file) / read_file(file) / 1e6)
        told = station.cluster.json("bench", "consume", "old", "-n", records, "--no-progress", seconds=180)
        self.results.add(number, "cold read", told["mb_per_second"])
        rate = TAIL_LOAD * self.results.list_of("tail: full speed")[-1]
        station.make_topic("now", PARTITIONS)
        before = station.produce("now", 1024, 16384, self.plan.seconds(5), rate=rate)
        processes.forget_pages(station.cluster.directory)
        seconds = self.plan.seconds(5)
        producer = station.start(*station.arguments("now", 1024, 16384, seconds, rate=rate))
        time.sleep(min(1, seconds))  # its warm-up
        while producer.poll() is None:
            station.cluster.json("bench", "consume", "old", "-n", records, "--no-progress", seconds=180)
            processes.forget_pages(station.cluster.directory)
        self.results.add(number, "cold read: p99 before", before["p99_ms"])
        self.results.add(number, "cold read: p99 meanwhile", station.ended(producer)["p99_ms"])
