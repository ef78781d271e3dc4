"""Produce at full speed, what that costs, and light and middling load."""

import processes
import programs
from floors import chain
from results import Row
from station import Station

PARTITIONS = 24
KEPT_BYTES = 16 << 20  # of a partition
KEPT_BYTES_SLOW = 4 << 20  # the same, where few bytes come
# name, bytes of a record, of a batch, unit; each beside the floor of the same batches
SHAPES = (("1 KiB records, 16 KiB batches", 1024, 16384), ("1 KiB records, 64 KiB batches", 1024, 65536),
          ("100 B records, 64 KiB batches", 100, 65536))
FLOOR_RECORD_HEAD = 10  # quipu-bench-floor's, for each record


class Full:
    """As fast as it goes."""

    name = "produce"
    rows = []
    for what, record, _ in SHAPES:
        small = record == 100
        rows += [
            Row(f"durable produce, replication 3, {what}, at the limit of retention.bytes", f"{what}: rate",
                "records/s" if small else "MB/s", f"{what}: three-copy floor", at_least=0.75 if small else 0.8,
                or_figure_at_least=2e6 if small else None),
            Row("beside it: while the log grows", f"{what}: growing", "records/s" if small else "MB/s",
                f"{what}: three-copy floor"),
            Row("beside it: the floor, and the same without any store", f"{what}: three-copy floor",
                "records/s" if small else "MB/s", f"{what}: transport floor"),
            Row("beside it: CPU seconds for each GiB, all processes", f"{what}: CPU", "s", f"{what}: floor CPU"),
            Row("beside it: CPU seconds for each GiB, of the client", f"{what}: client CPU", "s"),
            Row("beside it: syncs a second of the floor's leader", f"{what}: floor syncs", "/s"),
            Row("beside it: memory of a broker afterwards", f"{what}: broker memory", "MiB")]
    rows += [Row("bytes written for each byte of records, 64 KiB batches, at the limit of retention.bytes",
                 "written, 64 KiB", "", at_most=1.1),
             Row("the same, 300 B batches", "written, 300 B", "", at_most=1.5),
             Row("the same, 64 KiB batches, while the log grows", "written, growing", "")]

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results = asked, plan, results

    def run(self, number):
        for what, record, batch in SHAPES:
            self.floors(number, what, record, batch)
            with Station() as station:
                self.growing(number, station, what, record, batch)
            with Station() as station:
                self.kept(number, station, what, record, batch)
        with Station() as station:
            told = self.at_the_limit(station, 300 - 72, 1, KEPT_BYTES_SLOW)  # 72: a batch's head, a record's
            self.results.add(number, "written, 300 B", told["written_per_byte"])

    def at_the_limit(self, station, record, batch, kept_bytes=KEPT_BYTES):
        """Once as much is given up as comes: segments are used again, as the floor's file is."""
        station.make_topic("kept", PARTITIONS, "-c", f"retention.bytes={kept_bytes}")
        for _ in range(1 if self.plan.quick else 10):
            station.produce("kept", record, batch, self.plan.seconds(3))
            if all(part["log_start_offset"] > 0 for part in station.describe("kept")):
                break
        else:
            if not self.plan.quick:
                raise AssertionError("the limit of retention.bytes was not reached")
        return station.measured_produce("kept", record, batch, self.plan.seconds(4))

    @staticmethod
    def rate(told, record):
        """MB/s; of small records, records/s."""
        return told["records_per_second"] * (1 if record == 100 else record / 1e6)

    def floors(self, number, what, record, batch):
        copied = record if record == 100 else 0
        records = batch // (record + FLOOR_RECORD_HEAD) if copied else batch / 1e6  # or MB, of a batch
        transport = chain(self.plan, "", batch, 3, record_bytes=copied)
        floor = chain(self.plan, programs.WORK, batch, 3, record_bytes=copied)
        self.results.add(number, f"{what}: transport floor", transport["batches_per_second"] * records)
        self.results.add(number, f"{what}: three-copy floor", floor["batches_per_second"] * records)
        self.results.add(number, f"{what}: floor CPU", floor["cpu_seconds_per_gib"])
        self.results.add(number, f"{what}: floor syncs", floor["nodes"][0]["syncs_per_second"])

    def growing(self, number, station, what, record, batch):
        station.make_topic("t", PARTITIONS)
        told = station.measured_produce("t", record, batch, self.plan.seconds(4))
        self.results.add(number, f"{what}: growing", self.rate(told, record))
        if (record, batch) == (1024, 65536):
            self.results.add(number, "written, growing", told["written_per_byte"])

    def kept(self, number, station, what, record, batch):
        told = self.at_the_limit(station, record, batch)
        self.results.add(number, f"{what}: rate", self.rate(told, record))
        self.results.add(number, f"{what}: CPU", told["servers_cpu_per_gib"] + told["client_cpu_per_gib"])
        self.results.add(number, f"{what}: client CPU", told["client_cpu_per_gib"])
        self.results.add(number, f"{what}: broker memory",
                         max(processes.resident_mib(pid) for pid in station.pids("broker")))
        if (record, batch) == (1024, 65536):
            self.results.add(number, "written, 64 KiB", told["written_per_byte"])


class Latency:
    """Light load, one record a batch; and 70 % of what goes at all."""

    name = "latency"
    RATE = 1000
    rows = [
        Row("acknowledgement at 1,000 records/s, linger.ms=0: p50", "light p50", "ms", "light floor p50", at_most=1.4),
        Row("the same: p99", "light p99", "ms", "light floor p99", at_most=1.5),
        Row("the same: p99.9", "light p99.9", "ms", "light floor p99.9"),
        Row("the floor's p50 without any store", "light transport p50", "ms"),
        Row("idle memory of a broker", "idle memory", "MiB", at_most=64),
        Row("p99.9 at 70 % of full load (1 KiB records, 16 KiB batches), against p50", "70 %: p99.9", "ms", "70 %: p50",
            at_most=10),
        Row("the same: the rate", "70 %: rate", "records/s", "full load"),
    ]

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results = asked, plan, results

    def run(self, number):
        transport = chain(self.plan, "", 100, 4, rate=self.RATE)
        floor = chain(self.plan, programs.WORK, 100, 8, rate=self.RATE)
        self.results.add(number, "light transport p50", transport["p50_ms"])
        with Station() as station:
            self.results.add(number, "idle memory",
                             max(processes.resident_mib(pid) for pid in station.pids("broker")))
            station.make_topic("light", PARTITIONS)
            told = station.produce("light", 100, 16384, self.plan.seconds(8), rate=self.RATE, linger_ms=0)
            for name, key in (("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p99_9_ms")):
                self.results.add(number, f"light floor {name}", floor[key])
                self.results.add(number, f"light {name}", told[key])
            station.make_topic("full", PARTITIONS)
            full = station.produce("full", 1024, 16384, self.plan.seconds(3))["records_per_second"]
            self.results.add(number, "full load", full)
            station.make_topic("most", PARTITIONS)
            told = station.produce("most", 1024, 16384, self.plan.seconds(8), rate=0.7 * full)
            self.results.add(number, "70 %: rate", told["records_per_second"])
            self.results.add(number, "70 %: p50", told["p50_ms"])
            self.results.add(number, "70 %: p99.9", told["p99_9_ms"])
