#!/usr/bin/env python3
"""Real servers and clients under faults from a seed, and a verdict on what the clients saw.

Three controllers and three to five brokers, each a process in a network namespace of its own,
several producers, a consumer group and a reader; kills, pauses, partitions, slow and full disks,
clock jumps. At the end all is healed and must settle; then everything acknowledged is read, once
and in order, or quipu-history-check says what is wrong. docs/testing.md says how to read the report.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from history import History
from network import UNSHARE, Isolated, Loopback, can_isolate
from nodes import TOPIC, Cluster, wait_until

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
INSIDE = "QUIPU_CHAOS_INSIDE"  # set in the process that has namespaces of its own
PARTITIONS = 4
PRODUCERS, MEMBERS = 3, 3
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
READER = 0                     # number of the following reader in the history
DELIVERY_TIMEOUTS_MS = (2500, 60000, 60000)  # the first gives up early: unknown outcomes
PADDING = 400                  # bytes that each record is longer
VALUES = 10**9                 # each producer's values begin at a multiple of it
# Bounds of the time after the last fault. They only have to hold on a busy machine.
SETTLE_SECONDS_MAX = 120
ACKNOWLEDGED_IN_A_ROUND = 300  # of --kill-rounds, from the kill on
START_SECONDS_MAX = 90


STORES = ("rocksdb", "journal")


class Failure(Exception):
    """The run is no success; the text says why."""


def say(text):
    print(text, flush=True)


class Client:
    def __init__(self, mode, child):
        self.mode, self.child = mode, child


class Run:
    def __init__(self, options, work, why_not_isolated):
        self.options, self.work = options, work
        rng = random.Random(options.seed)
        brokers = options.brokers or rng.randint(3, 5)
        names = ["c1", "c2", "c3", *(f"b{i}" for i in range(1, brokers + 1))]
        self.network = Loopback(names) if why_not_isolated else Isolated(names)
        small_disks = not why_not_isolated
        stores = [options.log_store or rng.choice(STORES) for _ in range(brokers)]
        self.cluster = Cluster(options.build, work, self.network, stores, rng.randint(1, 2),
                               small_disks, max(options.minutes, options.kill_rounds / 10))
        self.small_disks = small_disks
        self.history_path = os.path.join(work, "history.jsonl")
        self.history = History(self.history_path, READER)
        self.clients, self.processes = [], READER
        # Of the producers in turn, and of the topic: what its leaders make of them.
        self.codecs = rng.sample(CODECS, len(CODECS))
        self.compression_type = rng.choice(["producer", "uncompressed", *CODECS[1:]])
        self.counts = collections.Counter()
        self.stopped_by_full_disk = 0
        say(f"seed {options.seed}: 3 controllers, {brokers} brokers ({', '.join(stores)}) with "
            f"{self.cluster.shards} "
            f"shards, {PRODUCERS} producers ({', '.join(self.codecs[:PRODUCERS])}; the topic: "
            f"{self.compression_type}), {MEMBERS} members, "
            f"{options.rate:.0f} transfers/s")
        if why_not_isolated:
            say(f"NO NAMESPACES ({why_not_isolated}): on 127.0.0.1, WITHOUT partitions and full "
                "disks")

    # ---- clients ----
    def client(self, mode, *arguments, process=None, history=None):
        """Each start is a process of its own in the history."""
        if process is None:
            self.processes += 1
            process = self.processes
        if mode == "produce":
            arguments = (*arguments, "--first-value", process * VALUES, "--rate",
                         self.options.rate / PRODUCERS, "--compression",
                         self.codecs[(process - 1) % len(self.codecs)],
                         "--padding", PADDING,
                         "--delivery-timeout", DELIVERY_TIMEOUTS_MS[process % PRODUCERS])
        if mode == "consume":
            arguments = (*arguments, "--group", "billing")
        with open(os.path.join(self.work, f"{mode}-{process}.log"), "wb") as log:
            child = subprocess.Popen(
                [os.path.join(self.cluster.bin, "quipu-chaos-client"), mode, "-b",
                 self.cluster.bootstrap, "--topic", TOPIC, "--history",
                 history or self.history_path, "--process", str(process), *map(str, arguments)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        client = Client(mode, child)
        self.clients.append(client)
        return client

    def replace_client(self, rng):
        client = rng.choice([c for c in self.clients if c.mode != "read"])
        client.child.kill()
        client.child.wait()
        self.clients.remove(client)
        self.client(client.mode)
        return f"kill -9 of a client ({client.mode})"

    def watch(self):
        """Called often: a process that ended by itself is a finding."""
        self.cluster.watch()
        for client in self.clients:
            if client.child.poll() is not None:
                raise Failure(f"a client ({client.mode}) ended with {client.child.returncode}; see "
                              f"{self.work}/{client.mode}-*.log")
        self.history.refresh()

    # ---- the run ----
    def start(self):
        self.cluster.format()
        for node in self.cluster.nodes.values():
            self.cluster.start(node)
        self.cluster.make_topic(PARTITIONS, self.compression_type, START_SECONDS_MAX)
        if self.network.partitions:
            self.prove_cuts()
        self.client("read", "--follow", process=READER)
        for _ in range(PRODUCERS):
            self.client("produce")
        for _ in range(MEMBERS):
            self.client("consume")
        wait_until(lambda: self.history.counts["ok"] > 0, START_SECONDS_MAX, "a first acknowledgement",
                   meanwhile=self.watch)

    def prove_cuts(self):
        """A cut that cuts nothing would make everything below worthless."""
        port = self.cluster.nodes["b1"].port
        for cut, expected in (((), True), ((("c1", "b1"),), False), ((("b1", "c1"),), False),
                              ((), True)):
            self.network.change(set(cut))
            if self.network.reaches("c1", "b1", port) != expected:
                raise Failure(f"a cut of {cut} does not do what it says")

    def chaos(self, seconds, only=None):
        plan = faults.schedule(self.options.seed, seconds, self.network, self.small_disks, only)
        began = time.monotonic()
        ends = []  # (when, fault)
        say("schedule:")
        while plan or ends:
            now = time.monotonic() - began
            if ends and min(ends, key=lambda e: e[0])[0] <= now:
                entry = min(ends, key=lambda e: e[0])
                ends.remove(entry)
                entry[1].finish(self)
                continue
            if plan and plan[0][0] <= now:
                fault = plan.pop(0)[1]
                what = fault.begin(self)
                if what:
                    self.counts[type(fault).__name__] += 1
                    say(f"  {now:6.1f} s  {what}, for {fault.length:.1f} s")
                ends.append((time.monotonic() - began + fault.length, fault))
                continue
            self.watch()
            time.sleep(0.05)

    def kill_rounds(self, rounds):
        """One process at a time: SIGKILL, a start, and all that is acknowledged is there."""
        say("round  killed              whole again after  a partition waited  read")
        for number in range(1, rounds + 1):
            rng = random.Random(f"{self.options.seed}/{number}")
            since = time.monotonic_ns()
            began = time.monotonic()
            self.history.refresh()
            wanted = self.history.counts["ok"] + ACKNOWLEDGED_IN_A_ROUND
            what = self.kill_one(rng)
            wait_until(self.cluster.is_whole, SETTLE_SECONDS_MAX, "all replicas to be in sync",
                       meanwhile=self.watch)
            whole = time.monotonic() - began
            wait_until(lambda: self.history.counts["ok"] >= wanted, SETTLE_SECONDS_MAX,
                       "acknowledgements after a kill", meanwhile=self.watch)
            self.history.refresh()
            self.await_reads(set(self.history.unread))
            self.counts["KillRound"] += 1
            say(f"{number:5}  {what:18} {whole:15.1f} s {self.history.longest_gap(since):17.2f} s  "
                f"{len(self.history.read):,}")

    def kill_one(self, rng):
        if rng.random() < 0.2:
            return self.replace_client(rng).removeprefix("kill -9 of ")
        node = rng.choice(sorted(self.cluster.nodes.values(), key=lambda n: n.name))
        before = self.cluster.epoch(node) if node.role == "broker" else 0
        self.cluster.kill(node)
        until = time.monotonic() + rng.choice([0.0, 0.2, 1.0, 4.0])
        wait_until(lambda: time.monotonic() >= until, 60, "", every=0.05, meanwhile=self.watch)
        self.cluster.start(node)
        if node.role == "broker":
            wait_until(lambda: self.cluster.epoch(node) > before, SETTLE_SECONDS_MAX,
                       f"{node.name} to serve again", meanwhile=self.watch)
        return node.name

    def await_reads(self, values):
        """Everything acknowledged so far reaches the reader."""
        wait_until(lambda: values.isdisjoint(self.history.unread), SETTLE_SECONDS_MAX,
                   "what was acknowledged to be read", meanwhile=self.watch)

    # ---- the end ----
    def settle(self):
        self.network.heal_all()
        for node in self.cluster.nodes.values():
            self.cluster.set_control(node, 0, 0)
            self.cluster.start(node)
        wait_until(self.cluster.is_whole, SETTLE_SECONDS_MAX, "all replicas to be in sync",
                   meanwhile=self.watch)
        acknowledged = self.history.counts["ok"]
        wait_until(lambda: self.history.counts["ok"] > acknowledged, SETTLE_SECONDS_MAX,
                   "an acknowledgement after everything was healed", meanwhile=self.watch)

    def stop_clients(self, *modes):
        ending = [c for c in self.clients if c.mode in modes]
        self.clients = [c for c in self.clients if c.mode not in modes]
        for client in ending:
            client.child.send_signal(signal.SIGTERM)
        for client in ending:
            try:
                code = client.child.wait(timeout=SETTLE_SECONDS_MAX + 30)
            except subprocess.TimeoutExpired:
                client.child.kill()
                raise Failure(f"a client ({client.mode}) does not end") from None
            if code != 0:
                raise Failure(f"a client ({client.mode}) ended with {code}; see {self.work}/"
                              f"{client.mode}-*.log")

    def judge(self):
        """Everything acknowledged is read by the follower, and once more by a reader from the start."""
        self.stop_clients("produce")
        self.history.refresh()
        self.await_reads(set(self.history.unread))
        self.stop_clients("consume", "read")
        final = self.client("read", "--patience", SETTLE_SECONDS_MAX)
        self.clients.remove(final)
        if final.child.wait() != 0:
            raise Failure("the last reader did not reach the end of the log")
        if self.cluster.unexpected:
            raise Failure("ended by itself: " + "; ".join(self.cluster.unexpected))
        checker = os.path.join(self.cluster.bin, "quipu-history-check")
        done = subprocess.run([checker, self.history_path], capture_output=True, text=True,
                              check=False)
        say("history: " + done.stdout.strip().replace("\n", "\n         "))
        if done.returncode != 0:
            raise Failure(f"the history is not clean {done.stderr.strip()}")
        if self.history.counts["ok"] == 0:
            raise Failure("nothing was acknowledged")

    def report(self):
        self.history.refresh()
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        say(f"faults: {kinds or 'none'}; brokers that a full disk ended: {self.stopped_by_full_disk}")
        say(self.history.summary())
        say(f"group: {self.history.group_records:,} records, {self.history.assignments} assignments")
        say(f"longest time without an acknowledgement: {self.history.longest_gap(anywhere=True):.2f} "
            f"s; in one partition: {self.history.longest_gap():.2f} s")

    def stop(self):
        for client in self.clients:
            if client.child.poll() is None:
                client.child.kill()
            client.child.wait()
        self.cluster.stop()


def go(options, work, why_not):
    run = None
    try:
        run = Run(options, work, why_not)
        run.start()
        if options.kill_rounds:
            run.kill_rounds(options.kill_rounds)
        else:
            run.chaos(options.minutes * 60, options.only)
        run.settle()
        run.judge()
        run.report()
        say(f"verdict: clean (seed {options.seed})")
        return 0
    except (Failure, TimeoutError, OSError, subprocess.SubprocessError) as failure:
        if run is not None:
            run.report()
        say(f"verdict: FAILED (seed {options.seed}): {failure}")
        return 1
    finally:
        if run is not None:
            run.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-rounds", type=int, default=0, metavar="N",
                        help="no schedule: N times SIGKILL of a process, restart, verification")
    parser.add_argument("--brokers", type=int, choices=(3, 4, 5), help="default: by the seed")
    parser.add_argument("--log-store", choices=STORES, help="of all brokers; default: by the seed")
    parser.add_argument("--rate", type=float, default=300, help="transfers per second, in all")
    parser.add_argument("--only", action="append", choices=[k.__name__ for k in faults.KINDS],
                        help="only these faults; may be repeated")
    parser.add_argument("--loopback", action="store_true", help="without namespaces")
    parser.add_argument("--build", default=os.environ.get(
        "QUIPU_BUILD", os.path.join(ROOT, "build", "release")))
    options = parser.parse_args()
    why_not = "asked for" if options.loopback else can_isolate()
    if not why_not and INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, "-B", *sys.argv])
    work = tempfile.mkdtemp(prefix="quipu-chaos-")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    code, keep = 1, True
    try:
        code = go(options, work, why_not)
        keep = code != 0
    except SystemExit:  # told to stop: no result, nothing to keep
        keep = False
        raise
    finally:
        if keep:
            say(f"logs and history: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
