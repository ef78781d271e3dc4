"""Ten thousand partitions beside ten, under the same load."""
import time

import processes
from failure import start_again
from results import Row
from station import Station

RECORD = 16000  # so large that each is a batch, however many partitions there are


class Many:
    name = "many"
    FEW = 10
    rows = [Row("10,000 partitions against 10: throughput, batches of 16 KB", "many: rate", "records/s", "few: rate",
                at_least=0.9),
            Row("the same: p99 at 1,000 records/s of 1 KiB", "many: p99", "ms", "few: p99", at_most=1.5),
            Row("the same: p50", "many: p50", "ms", "few: p50"),
            Row("memory of a broker with 10,000 partitions", "many: memory", "MiB", at_most=500),
            Row("the same, before any load", "many: memory before", "MiB"),
            Row("time to make 10,000 partitions", "many: made", "s"),
            Row("idle CPU of a broker with 10,000 partitions", "many: idle CPU", "ms/s", "few: idle CPU"),
            Row("start after kill -9 with 10,000 partitions", "many: serves", "s", at_most=10),
            Row("the same: until it is in sync", "many: in sync", "s")]

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results = asked, plan, results

    def run(self, number):
        for name, partitions in (("few", self.FEW), ("many", self.plan.count(10000, 300))):
            with Station(("--controller-set", "quipu.partitions.max=30000")) as station:
                self.measure(number, station, name, partitions)

    def measure(self, number, station, name, partitions):
        began = time.monotonic()
        station.make_topic("t", partitions, patience=300)
        if name == "many":
            self.results.add(number, "many: made", time.monotonic() - began)
            self.results.add(number, "many: memory before", self.memory(station))
        cpu, seconds = processes.cpu_seconds(station.pids("broker")), self.plan.seconds(3)
        time.sleep(seconds)
        cpu = processes.cpu_seconds(station.pids("broker")) - cpu
        self.results.add(number, f"{name}: idle CPU", cpu / seconds / 3 * 1000)
        told = station.produce("t", 1024, 16384, self.plan.seconds(6), rate=1000, linger_ms=0, keys=1000000)
        self.results.add(number, f"{name}: p50", told["p50_ms"])
        self.results.add(number, f"{name}: p99", told["p99_ms"])
        told = station.produce("t", RECORD, 16384, self.plan.seconds(4), keys=1000000)
        self.results.add(number, f"{name}: rate", told["records_per_second"])
        if name == "many":
            self.results.add(number, "many: memory", self.memory(station))
            station.cluster.kill("broker-1")
            served, in_sync, _ = start_again(station, "broker-1", "t")
            self.results.add(number, "many: serves", served)
            self.results.add(number, "many: in sync", in_sync)

    @staticmethod
    def memory(station):
        return max(processes.resident_mib(pid) for pid in station.pids("broker"))
