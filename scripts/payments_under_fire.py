#!/usr/bin/env python3
"""Streams payments through a local cluster while its processes are killed, and proves the result.

Starts the cluster with `quipu cluster up`, the payments producer and the consumer group; kills with
SIGKILL the busiest broker, the controller leader, the group coordinator and the producer, each
while batches are in flight; restarts each; then runs the verifier, which reads every partition
from its start. Prints what it saw and exits 0 only if nothing was lost, doubled or reordered.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOPIC = "payments"
GROUP = "billing"
RECOVERY_SECONDS_MAX = 5.0


class Failure(Exception):
    """The run cannot be called a success; the text says why."""


def say(text):
    print(text, flush=True)


class Programs:
    """Runs the built programs and keeps track of every process, to end each by its pid."""

    def __init__(self, directory, work):
        self.directory, self.work, self.children = os.path.abspath(directory), work, []

    def path(self, name):
        path = os.path.join(self.directory, name)
        if not os.access(path, os.X_OK):
            raise Failure(f"{path} is not there; scripts/quickstart builds it")
        return path

    def quipu(self, *arguments, timeout=60):
        done = subprocess.run([self.path("quipu"), *arguments], capture_output=True, text=True,
                              timeout=timeout, check=False)
        if done.returncode != 0:
            raise Failure(f"quipu {' '.join(arguments)} exited with {done.returncode}: "
                          f"{done.stderr.strip()}")
        return done.stdout

    def quipu_json(self, *arguments):
        return json.loads(self.quipu(*arguments, "--output", "json"))

    def start(self, name, *arguments, log):
        with open(os.path.join(self.work, log), "ab") as output:
            child = subprocess.Popen([self.path(name), *arguments], stdout=output, stderr=output,
                                     stdin=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def end_all(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()


class Events:
    """The producer's event file: progress lines and acknowledgements by partition.

    P time_ms sent acked in_flight,per,partition      A time_ms partition rows
    """

    def __init__(self, path):
        self.path, self.position, self.rest = path, 0, ""
        self.progress, self.acks = None, {}
        self.acked_base = 0

    def read(self):
        try:
            with open(self.path, encoding="ascii") as file:
                file.seek(self.position)
                text = self.rest + file.read()
                self.position = file.tell()
        except FileNotFoundError:
            return
        lines = text.split("\n")
        self.rest = lines.pop()
        for line in lines:
            fields = line.split(" ")
            if fields[0] == "P":
                self.progress = {"time": int(fields[1]), "sent": int(fields[2]),
                                 "acked": int(fields[3]),
                                 "in_flight": [int(n) for n in fields[4].split(",")]}
            elif fields[0] == "A":
                self.acks.setdefault(int(fields[2]), []).append(int(fields[1]))

    def longest_silence_ms(self, partition, since_ms):
        """From `since_ms` to the first acknowledgement that came clearly after it."""
        later = [t for t in self.acks.get(partition, []) if t > since_ms + 20]
        return later[0] - since_ms if later else None

    def longest_gap_ms(self, partition, since_ms, window_ms=5000):
        """The longest time between two acknowledgements in the window after `since_ms`."""
        times = [since_ms] + [t for t in self.acks.get(partition, [])
                              if since_ms < t <= since_ms + window_ms]
        return max((b - a for a, b in zip(times, times[1:])), default=0)


class Run:
    """One run from start to proof."""

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.programs = Programs(options.programs, work)
        self.cluster = os.path.join(work, "cluster")
        self.events = Events(os.path.join(work, "events"))
        self.nodes, self.bootstrap, self.producer = {}, "", None
        self.worst_recovery_ms, self.kills = 0, []

    # ---- cluster ----
    def up(self):
        up = self.programs.quipu_json("cluster", "up", "-n", "3", "--dir", self.cluster)
        self.nodes = {node["name"]: node for node in up["nodes"]}
        self.bootstrap = up["bootstrap_servers"]

    def partitions(self):
        topic = self.programs.quipu_json("topic", "describe", TOPIC, "-b", self.bootstrap)
        return topic["partitions"]

    def wait_for(self, what, condition, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        raise Failure(f"waited {seconds} s in vain for {what}")

    def fully_in_sync(self):
        try:
            return all(sorted(p["isr"]) == sorted(p["replicas"]) and p["leader"] >= 0
                       for p in self.partitions())
        except Failure:
            return False

    # ---- the job ----
    def start_producer(self):
        options = self.options
        arguments = ["produce", "-b", self.bootstrap, "--topic", TOPIC, "--input", options.input,
                     "--state-dir", self.work, "--rate", str(options.rate),
                     "--events", self.events.path]
        arguments += self.columns()
        self.producer = self.programs.start("quipu-payments", *arguments, log="producer.log")

    def columns(self):
        given = [("--key-column", self.options.key_column),
                 ("--amount-column", self.options.amount_column),
                 ("--balance-column", self.options.balance_column)]
        return [part for flag, value in given if value for part in (flag, value)]

    def acked(self):
        self.events.read()
        return self.events.progress["acked"] if self.events.progress else 0

    def wait_for_rows(self, rows, partitions):
        """Until so many rows are acknowledged and some row is in flight to one of `partitions`."""
        deadline = time.monotonic() + self.options.patience
        while True:
            acked = self.acked()
            if acked >= rows:
                flying = self.events.progress["in_flight"]
                count = sum(flying[p] for p in partitions if p < len(flying))
                fresh = time.time() * 1000 - self.events.progress["time"] < 50
                if count > 0 and fresh:
                    return acked, count
            if self.producer.poll() is not None:
                raise Failure("the producer ended before every kill was done: "
                              + self.tail("producer.log"))
            if time.monotonic() > deadline:
                raise Failure(f"only {acked} of {rows} rows were acknowledged in "
                              f"{self.options.patience} s: {self.tail('producer.log')}")
            time.sleep(0.001)

    def tail(self, name):
        with open(os.path.join(self.work, name), encoding="utf-8", errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-3:])

    # ---- kills ----
    def kill_node(self, name):
        os.kill(self.nodes[name]["pid"], signal.SIGKILL)
        return time.time() * 1000

    def acknowledges_again(self, partition, killed_at):
        """Whether the partition acknowledged since, or has no row left to acknowledge."""
        if self.events.longest_silence_ms(partition, killed_at) is not None:
            return True
        return self.producer.poll() == 0 and self.events.progress["in_flight"][partition] == 0

    def report_kill(self, what, acked, in_flight, killed_at, partitions):
        def recovered():
            self.events.read()
            return all(self.acknowledges_again(p, killed_at) for p in partitions)
        self.wait_for(f"acknowledgements after the kill of {what}", recovered, 30)
        silences = [self.events.longest_silence_ms(p, killed_at) for p in partitions]
        silence = max((s for s in silences if s is not None), default=0)
        self.worst_recovery_ms = max(self.worst_recovery_ms, silence)
        self.kills.append((killed_at, partitions))
        say(f"  killed {what}: {acked} rows acknowledged before, {in_flight} in flight, "
            f"{self.acked()} acknowledged since; longest wait of a partition {silence:.0f} ms")

    def kill_broker(self, rows, broker, what):
        led = [p["partition"] for p in self.partitions() if p["leader"] == broker]
        watched = led or [p["partition"] for p in self.partitions()]
        acked, in_flight = self.wait_for_rows(rows, watched)
        killed_at = self.kill_node(f"broker-{broker}")
        self.report_kill(f"{what} broker-{broker} (leads {len(led)} partitions)", acked, in_flight,
                         killed_at, watched)
        self.up()
        self.wait_for("all replicas to be in sync again", self.fully_in_sync, 30)

    def kill_busiest_broker(self, rows):
        self.events.read()
        load = {}
        for partition in self.partitions():
            acks = len(self.events.acks.get(partition["partition"], []))
            load[partition["leader"]] = load.get(partition["leader"], 0) + acks
        self.kill_broker(rows, max(load, key=load.get), "the busiest broker,")

    def kill_coordinator(self, rows):
        group = self.programs.quipu_json("group", "describe", GROUP, "-b", self.bootstrap)
        self.kill_broker(rows, group["coordinator"], "the group coordinator,")

    def kill_controller_leader(self, rows):
        status = self.programs.quipu_json("cluster", "status", "--dir", self.cluster)
        leader = f"controller-{status['controller_leader']}"
        everything = [p["partition"] for p in self.partitions()]
        acked, in_flight = self.wait_for_rows(rows, everything)
        killed_at = self.kill_node(leader)
        self.report_kill(f"the controller leader, {leader}", acked, in_flight, killed_at,
                         everything)
        self.up()

    def kill_producer(self, rows):
        everything = [p["partition"] for p in self.partitions()]
        acked, in_flight = self.wait_for_rows(rows, everything)
        self.producer.kill()
        self.producer.wait()
        killed_at = time.time() * 1000
        self.start_producer()
        self.report_kill("the producer", acked, in_flight, killed_at, everything)

    # ---- whole run ----
    def count_rows(self):
        done = subprocess.run([self.programs.path("quipu-payments"), "count", "--input",
                               self.options.input, *self.columns()],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())
        return int(done.stdout)

    def execute(self):
        began = time.monotonic()
        rows = self.count_rows()
        if self.options.rate is None:
            self.options.rate = max(100, min(3000, rows // 20))
        self.up()
        say(f"cluster of {len(self.nodes)} processes is up: {self.bootstrap}")
        self.programs.quipu("topic", "create", TOPIC, "--partitions", "6", "--replication-factor",
                            "3", "-b", self.bootstrap)
        self.wait_for("all replicas to be in sync", self.fully_in_sync, 30)
        consumer = self.programs.start(
            "quipu-payments", "consume", "-b", self.bootstrap, "--topic", TOPIC, "--group", GROUP,
            "--members", "3", "--ledger-dir", self.work, "--rows", str(rows), log="consumer.log")
        self.start_producer()
        pace = f"{self.options.rate} rows/s" if self.options.rate else "full speed"
        say(f"streaming {rows} payments of {self.options.input} at {pace}")
        self.kill_controller_leader(rows * 5 // 100)
        self.kill_producer(rows * 15 // 100)
        self.kill_busiest_broker(rows * 25 // 100)
        self.kill_coordinator(rows * 45 // 100)
        self.finish(consumer)
        say(f"done in {time.monotonic() - began:.0f} s")

    def finish(self, consumer):
        for child, log in ((self.producer, "producer.log"), (consumer, "consumer.log")):
            try:
                code = child.wait(timeout=self.options.patience)
            except subprocess.TimeoutExpired:
                raise Failure(f"{log}: not done after {self.options.patience} s: "
                              + self.tail(log)) from None
            say("  " + self.tail(log).replace(" | ", "\n  "))
            if code != 0:
                raise Failure(f"{log}: exit code {code}: {self.tail(log)}")
        arguments = ["-b", self.bootstrap, "--topic", TOPIC, "--input", self.options.input,
                     "--ledger-dir", self.work, "--balance-tolerance",
                     str(self.options.balance_tolerance), *self.columns()]
        if self.options.expected:
            arguments += ["--expected-table", self.options.expected]
        verified = subprocess.run([self.programs.path("quipu-payments-verify"), *arguments],
                                  capture_output=True, text=True, check=False)
        say(verified.stdout.rstrip())
        if verified.returncode != 0:
            raise Failure("the verifier found the log wanting: " + verified.stderr.strip())
        # A single acknowledgement could have been on its way already: the gaps behind it count too.
        gap = max(self.events.longest_gap_ms(p, at) for at, led in self.kills for p in led)
        self.worst_recovery_ms = max(self.worst_recovery_ms, gap)
        say(f"longest pause of a partition within 5 s of a kill: {gap:.0f} ms")
        if self.worst_recovery_ms > RECOVERY_SECONDS_MAX * 1000:
            raise Failure(f"a partition waited {self.worst_recovery_ms:.0f} ms, longer than "
                          f"{RECOVERY_SECONDS_MAX} s")

    def stop(self):
        self.programs.end_all()
        if os.path.exists(os.path.join(self.cluster, "cluster.json")):
            self.programs.quipu("cluster", "down", "--dir", self.cluster)


def expected_table_of(path):
    """The table that lies beside the input, if there is one."""
    folder = os.path.dirname(os.path.abspath(path))
    for name in sorted(os.listdir(folder)):
        if "_expected.csv" in name:
            return os.path.join(folder, name)
    return None


def parse_arguments():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    parser = argparse.ArgumentParser(
        prog="scripts/quickstart", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", default=os.path.join(root, "build/release/bin"),
                        help="folder of the built programs")
    parser.add_argument("--input", default=os.path.join(
        root, "client/examples/payments/sample/payments.csv.xz"), help="CSV, plain or .xz")
    parser.add_argument("--key-column", help="account (default: the first column)")
    parser.add_argument("--amount-column", help="whole number (default: found by name)")
    parser.add_argument("--balance-column", help="balance after the payment (default: by name)")
    parser.add_argument("--balance-tolerance", type=int, default=10,
                        help="allowed rounding of the balance column")
    parser.add_argument("--expected", help="final table (default: *_expected.csv* beside the input)")
    parser.add_argument("--rate", type=int,
                        help="rows per second, 0: full speed (default: at most 3000, so that the "
                             "run takes at least 20 s)")
    parser.add_argument("--patience", type=int, default=180, help="seconds to wait for progress")
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    options = parser.parse_args()
    if not os.path.isfile(options.input):
        parser.error(f"--input {options.input}: no such file")
    if options.expected is None:
        options.expected = expected_table_of(options.input)
    return options


def main():
    options = parse_arguments()
    work = tempfile.mkdtemp(prefix="quipu-quickstart-")
    run, code = Run(options, work), 0
    try:
        run.execute()
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(f"quickstart: FAILED: {failure}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("quickstart: interrupted", file=sys.stderr)
        code = 130
    finally:
        try:
            run.stop()
        except Failure as failure:
            print(f"quickstart: {failure}", file=sys.stderr)
            code = code or 1
        if options.keep or code:
            print(f"quickstart: logs and data are in {work}", file=sys.stderr)
        else:
            shutil.rmtree(work)
    if code == 0:
        say("quickstart: PASSED: no payment was lost, doubled or reordered")
    sys.exit(code)


if __name__ == "__main__":
    main()
