#!/usr/bin/env python3
"""What the Kafka listener costs against gRPC: librdkafka's rdkafka_performance and `quipu bench` take turns
on one cluster of three brokers, replication 3, acks=all, the same sizes of records and batches. For the
latency of small requests a bare connection of its own (tests/bench/kafka_latency.cc) stands for the former.

  scripts/kafka_speed.py [--rounds 5] [--records 300000] [--rate 1000] [--seconds 10]

rdkafka_performance runs as it comes, without keys and without idempotence: with it librdkafka has but one request of more than
four records under way for a partition, at any broker. Quipu's own client is always idempotent.

Prints each figure of both, its median and spread, and the ratio within each pair. Needs npm (librdkafka's
sources, as tests/compat/librdkafka_suite.py) and a C compiler. Nothing else should run meanwhile.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(ROOT, "tests", "integration"), os.path.join(ROOT, "tests", "compat")]
import librdkafka_suite  # noqa: E402
import programs  # noqa: E402

LATENCY_PROGRAM = os.path.join(programs.BUILD, "tests", "quipu-kafka-latency")
RECORD_BYTES, BATCH_BYTES, LINGER_MS, PARTITIONS = 1024, 16384, 5, 6


def performance_program(cache):
    """rdkafka_performance, built beside librdkafka's sources."""
    suite = librdkafka_suite.Suite(cache)
    suite.prepare()
    examples = os.path.join(suite.root, "examples")
    subprocess.run(["make", "-s", "-C", examples, "rdkafka_performance"], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(examples, "rdkafka_performance")


class Speed:
    def __init__(self, asked, program, cluster):
        self.asked, self.program, self.cluster = asked, program, cluster

    def quipu(self, *arguments):
        done = self.cluster.quipu("bench", *arguments, "--no-progress", "-o", "json")
        if done.returncode != 0:
            sys.exit(f"quipu bench {' '.join(map(str, arguments))}: {done.stderr}")
        return json.loads(done.stdout)

    def kafka(self, *arguments):
        done = subprocess.run([self.program, "-b", self.cluster.kafka_bootstrap, *map(str, arguments)],
                              text=True, capture_output=True, timeout=600)
        if done.returncode != 0:
            sys.exit(f"rdkafka_performance {arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def records_per_second(self, printed, done):
        """Of the last summary, which must be of all records, done as it says."""
        found = re.findall(rf"% {self.asked.records} messages {done}.* (\d+) msgs/s", printed)
        if not found:
            sys.exit(f"no summary of {self.asked.records} records in: {printed[-500:]}")
        return float(found[-1])

    def produce(self, topic):
        common = ("-n", self.asked.records, "-s", RECORD_BYTES)
        grpc = self.quipu("produce", f"grpc-{topic}", *common, "--batch-size", BATCH_BYTES, "--linger-ms", LINGER_MS)
        printed = self.kafka("-P", "-t", f"kafka-{topic}", "-c", self.asked.records, "-s", RECORD_BYTES, "-a", -1,
                             "-q", "-X", f"batch.size={BATCH_BYTES}", "-X", f"linger.ms={LINGER_MS}")
        delivered = rf"produced .* {self.asked.records} delivered \(.*, 0 failed\)"
        return grpc["records_per_second"], self.records_per_second(printed, delivered)

    def consume(self, topic):
        grpc = self.quipu("consume", f"grpc-{topic}", "-n", self.asked.records)
        places = [word for p in range(PARTITIONS) for word in ("-p", p)]
        printed = self.kafka("-C", "-t", f"kafka-{topic}", *places, "-o", "beginning", "-c", self.asked.records, "-q")
        return grpc["records_per_second"], self.records_per_second(printed, r"\(.*\) consumed")

    def latency(self, topic):
        """Milliseconds of the 99th percentile, at a rate, each record a request of its own; both from
        when it was due."""
        records = self.asked.rate * self.asked.seconds
        grpc = self.quipu("produce", f"grpc-{topic}", "-n", records, "-s", 100, "--rate", self.asked.rate,
                          "--linger-ms", 0, "--keys", 1)
        leader = self.cluster.json("topic", "describe", f"kafka-{topic}")["partitions"][0]["leader"]
        address = self.cluster.kafka_bootstrap.split(",")[leader - 1]  # by rising id
        done = subprocess.run([LATENCY_PROGRAM, *address.rsplit(":", 1), f"kafka-{topic}", str(self.asked.rate),
                               str(records)], text=True, capture_output=True, timeout=600)
        if done.returncode != 0:
            sys.exit(f"quipu-kafka-latency: {done.stderr}")
        return grpc["p99_ms"], json.loads(done.stdout)["p99_ms"]


def spread(values):
    return f"{statistics.median(values):,.2f} ({min(values):,.2f}-{max(values):,.2f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=300000)
    parser.add_argument("--rate", type=int, default=1000, help="records per second, for the latency")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement of the latency")
    parser.add_argument("--cache", default=os.path.join(programs.BUILD, "..", "compat"))
    asked = parser.parse_args()
    if not os.path.exists(LATENCY_PROGRAM):
        sys.exit(f"{LATENCY_PROGRAM} is not built: scripts/build release quipu_kafka_latency")
    program = performance_program(os.path.abspath(asked.cache))
    cluster = programs.Cluster(3)
    found = {}
    try:
        speed = Speed(asked, program, cluster)
        for number in range(asked.rounds):
            for side in ("grpc", "kafka"):
                cluster.make_topic(f"{side}-{number}", partitions=PARTITIONS)
                cluster.make_topic(f"{side}-slow-{number}", partitions=1)
            for what, pair in (("produce, records/s", speed.produce(number)),
                               ("consume, records/s", speed.consume(number)),
                               (f"p99 at {asked.rate}/s, ms", speed.latency(f"slow-{number}"))):
                found.setdefault(what, []).append(pair)
                print(f"round {number + 1}: {what}: gRPC {pair[0]:,.2f}, Kafka {pair[1]:,.2f}", flush=True)
    finally:
        cluster.down()
    print("\n| figure | gRPC | Kafka listener | Kafka / gRPC within a pair |\n|---|---|---|---|")
    for what, pairs in found.items():
        print(f"| {what} | {spread([a for a, _ in pairs])} | {spread([b for _, b in pairs])} | "
              f"{spread([b / a for a, b in pairs])} |")


if __name__ == "__main__":
    main()
