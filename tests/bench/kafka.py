"""Apache Kafka beside Quipu: three nodes each, replication 3, min.insync.replicas 2, acks=all, driven by the same client
(librdkafka's rdkafka_performance; for latency quipu-kafka-latency) through Quipu's and Kafka's own listeners.

Kafka syncs to disk before it acknowledges only where a topic says flush.messages=1 (of the broker:
log.flush.interval.messages=1); one cluster serves topics of both kinds. Its nodes are kept over all rounds, so that
what its compiler has learnt stays, and are idle while Quipu is measured.
"""
import os
import re
import subprocess
import sys
import time

import processes
import programs
from client import CACHE, has
from produce import PARTITIONS
from results import Row
from station import GIB, Station, bench_program, free_port, told

sys.path.insert(0, os.path.join(programs.ROOT, "scripts"))
JARS = os.path.join(CACHE, "java", "jars", "*")
RATE = 1000
WARM_SECONDS = 40  # of load, for each kind of topic
SHAPES = ((1024, 16384), (1024, 65536), (100, 65536))  # bytes of a record, of a batch
KINDS = {"Kafka as it comes": (), "Kafka synced": ("--config", "flush.messages=1")}


class KafkaCluster:
    """Three nodes in KRaft mode, each broker and controller."""

    def __init__(self):
        self.folder = programs.folder("kafka")
        ports = [(free_port(), free_port()) for _ in range(3)]
        self.addresses = [f"127.0.0.1:{client}" for client, _ in ports]
        voters = ",".join(f"{number}@127.0.0.1:{quorum}" for number, (_, quorum) in enumerate(ports, 1))
        cluster_id = self.java("kafka.tools.StorageTool", "random-uuid").split()[-1]
        self.nodes = []
        for number, (client, quorum) in enumerate(ports, 1):
            settings = os.path.join(self.folder, f"{number}.properties")
            with open(settings, "w", encoding="ascii") as file:
                file.write(f"process.roles=broker,controller\nnode.id={number}\ncontroller.quorum.voters={voters}\n"
                           f"listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{quorum}\n"
                           "controller.listener.names=CONTROLLER\nmin.insync.replicas=2\n"
                           f"log.dirs={os.path.join(self.folder, str(number))}\n")
            self.java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", settings)
            with open(os.path.join(self.folder, f"{number}.log"), "w", encoding="utf-8") as log:
                self.nodes.append(subprocess.Popen(
                    ["java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-cp", JARS, "kafka.Kafka",
                     settings], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=programs.environment()))
        programs.eventually(self.has_all, "the three nodes of Kafka to be there", 60)

    @property
    def bootstrap(self):
        return ",".join(self.addresses)

    def pids(self):
        return [node.pid for node in self.nodes]

    def has_all(self):
        try:
            self.make_topic("ready", 1)
        except AssertionError as error:
            if "no such broker is registered" not in str(error):
                raise
            return False
        return True

    @staticmethod
    def java(*arguments):
        done = subprocess.run(["java", "-cp", JARS, *map(str, arguments)], text=True, capture_output=True, timeout=120,
                              env=programs.environment(), check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, arguments))}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def make_topic(self, name, partitions, *settings):
        """Partition 0 is led by the first node."""
        orders = ["1:2:3", "2:3:1", "3:1:2"]
        self.java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.bootstrap, "--create", "--topic",
                  name, "--replica-assignment", ",".join(orders[p % 3] for p in range(partitions)), *settings)

    def drop_topic(self, name):
        self.java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.bootstrap, "--delete", "--topic",
                  name)

    def end(self):
        for node in self.nodes:
            node.kill()
            node.wait()


def shape_text(record, batch):
    return f"{record} B records, {batch // 1024} KiB batches"


def rows_of_kafka():
    rows = []
    for record, batch in SHAPES:
        of = shape_text(record, batch)
        rows += [Row(f"{of}: Quipu against Kafka, synced both", f"Quipu: {of}", "records/s", f"Kafka synced: {of}",
                     at_least=2),
                 Row(f"{of}: Quipu, synced, against Kafka as it comes, not synced", f"Quipu: {of}", "records/s",
                     f"Kafka as it comes: {of}", at_least=1)]
        rows += [Row(f"beside it: CPU seconds of all nodes for each GiB, against {kind}", f"Quipu: {of}: CPU", "s",
                     f"{kind}: {of}: CPU") for kind in KINDS]
    for at in ("p50", "p99", "p99.9"):
        rows += [Row(f"{at} at {RATE:,} requests/s of one record, Quipu against {kind}", f"Quipu: {at}", "ms",
                     f"{kind}: {at}", at_most=1 if at == "p99.9" else None) for kind in KINDS]
    return [*rows, Row("memory of all nodes after the load", "Quipu: memory", "MiB", "Kafka: memory")]


class Kafka:
    name = "kafka"
    rows = rows_of_kafka()

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results, self.cluster, self.left_out = asked, plan, results, None, ""

    def prepare(self):
        """Installs and starts what is needed, once; why it cannot be, if so."""
        import kafka_speed
        subprocess.run([os.path.join(programs.ROOT, "tests", "compat", "install"), "java"], check=False)
        if not has("java"):
            return "Kafka could not be installed from Maven"
        try:
            self.program = kafka_speed.performance_program(os.path.abspath(CACHE))
        except (OSError, subprocess.SubprocessError, SystemExit) as error:
            return f"rdkafka_performance could not be built: {error}"
        self.cluster = KafkaCluster()
        for kind, settings in KINDS.items():
            self.warm(kind, settings)
        return ""

    def run(self, number):
        if self.cluster is None and not self.left_out:
            self.left_out = self.prepare()
        if self.left_out:
            self.results.note(f"LEFT OUT: Kafka: {self.left_out}")
            return
        for record, batch in SHAPES:
            with Station() as station:
                station.make_topic("t", PARTITIONS)
                self.keep(number, "Quipu", record, batch, *self.measured(
                    station.cluster.kafka_bootstrap, "t", station.pids(), record, batch))
                memory = sum(processes.resident_mib(pid) for pid in station.pids())
            for kind, settings in KINDS.items():
                self.of_kafka(number, kind, settings, record, batch)
        self.results.add(number, "Quipu: memory", memory)
        self.results.add(number, "Kafka: memory", sum(processes.resident_mib(pid) for pid in self.cluster.pids()))
        with Station() as station:
            station.make_topic("slow", 1)
            leader = station.describe("slow")[0]["leader"]
            self.latency(number, "Quipu", station.cluster.kafka_bootstrap.split(",")[leader - 1], "slow")
        for kind, settings in KINDS.items():
            self.cluster.make_topic("slow", 1, *settings)
            self.latency(number, kind, self.cluster.addresses[0], "slow")
            self.cluster.drop_topic("slow")

    def of_kafka(self, number, kind, settings, record, batch, keep=True):
        self.cluster.make_topic("t", PARTITIONS, *settings)
        figures = self.measured(self.cluster.bootstrap, "t", self.cluster.pids(), record, batch)
        self.cluster.drop_topic("t")
        if keep:
            self.keep(number, kind, record, batch, *figures)

    def warm(self, kind, settings):
        """Java compiles what runs often: until then Kafka is many times slower than it will be."""
        end = time.monotonic() + self.plan.seconds(WARM_SECONDS)
        while time.monotonic() < end:
            for record, batch in SHAPES:
                self.of_kafka(0, kind, settings, record, batch, keep=False)

    def keep(self, number, whose, record, batch, rate, cpu):
        self.results.add(number, f"{whose}: {shape_text(record, batch)}", rate)
        self.results.add(number, f"{whose}: {shape_text(record, batch)}: CPU", cpu)

    def measured(self, bootstrap, topic, pids, record, batch):
        """(records a second, CPU seconds of all nodes for each GiB)"""
        count = self.plan.count(300000 if record == 1024 else 2000000, 20000)
        os.sync()  # what others left to be written is not written meanwhile
        before = processes.cpu_seconds(pids)
        done = subprocess.run(
            [self.program, "-b", bootstrap, "-P", "-t", topic, "-c", str(count), "-s", str(record), "-a", "-1", "-q", "-X",
             f"batch.size={batch}", "-X", "linger.ms=5"], text=True, capture_output=True, timeout=300, check=False)
        said = done.stdout + done.stderr
        found = re.findall(rf"% {count} messages produced .* {count} delivered \(.*, 0 failed\).* (\d+) msgs/s", said)
        if done.returncode != 0 or not found:
            raise AssertionError(f"rdkafka_performance: {done.returncode}: {said[-1000:]}")
        return float(found[-1]), (processes.cpu_seconds(pids) - before) / (count * record / GIB)

    def latency(self, number, whose, address, topic):
        program = bench_program("quipu-kafka-latency")
        records = int(RATE * self.plan.seconds(8))
        os.sync()
        told([program, *address.rsplit(":", 1), topic, RATE, records // 4])  # warm
        result = told([program, *address.rsplit(":", 1), topic, RATE, records])
        for name, key in (("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p99_9_ms")):
            self.results.add(number, f"{whose}: {name}", result[key])

    def end(self):
        if self.cluster is not None:
            self.cluster.end()
