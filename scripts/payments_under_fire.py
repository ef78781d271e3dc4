#!/usr/bin/env python3
"""Streams payments through a local cluster while its processes are killed, and proves the result.

Starts the cluster with `quipu cluster up`, the payments producer and the consumer group; kills with
SIGKILL the busiest broker, the controller leader, the group coordinator and the producer, each
while batches are in flight; restarts each; then runs the verifier, which reads every partition
from its start. Prints what it saw and exits 0 only if nothing was lost, doubled or reordered.
"""
import argparse
import collections
import ctypes
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
    """The producer's event file, and how long each partition's rows waited.

    P time_ms sent acked in_flight,per,partition      A time_ms partition rows

    A partition waits from when it has rows in flight, or from its last acknowledgement if it still
    has, to the next acknowledgement. Progress comes every few milliseconds, behind the
    acknowledgements that it counts; a wait is taken to begin at the progress before, so that it is
    never told too short.
    """

    def __init__(self, path):
        self.path, self.position, self.rest = path, 0, ""
        self.progress = None
        self.recent = collections.deque(maxlen=100)  # progress, newest last
        self.rows = {}                               # acknowledged, by partition
        self.acked_at, self.waiting, self.waits = {}, {}, {}
        self.held = set()

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
            self.take(line)

    def take(self, line):
        fields = line.split(" ")
        if fields[0] == "P" and len(fields) == 5:
            self.on_progress({"time": int(fields[1]), "sent": int(fields[2]),
                              "acked": int(fields[3]),
                              "in_flight": [int(n) for n in fields[4].split(",")]})
        elif fields[0] == "A" and len(fields) == 4:
            self.on_acknowledged(int(fields[1]), int(fields[2]), int(fields[3]))

    def on_progress(self, progress):
        before = self.progress["time"] if self.progress else progress["time"]
        for partition, rows in enumerate(progress["in_flight"]):
            if rows > 0:
                self.waiting.setdefault(partition, max(before, self.acked_at.get(partition, 0)))
            elif partition not in self.held:
                self.waiting.pop(partition, None)
        self.progress = progress
        self.recent.append(progress)

    def on_acknowledged(self, time_ms, partition, rows):
        self.rows[partition] = self.rows.get(partition, 0) + rows
        self.acked_at[partition] = time_ms
        self.held.discard(partition)
        if partition in self.waiting:
            self.waits.setdefault(partition, []).append((self.waiting.pop(partition), time_ms))

    def hold(self, partitions, time_ms):
        """The producer is gone: their rows wait until one is acknowledged by its next life."""
        for partition in partitions:
            self.waiting.setdefault(partition, time_ms)
        self.held.update(partitions)

    def at(self, time_ms):
        """The last progress told at or before the time."""
        return next((p for p in reversed(self.recent) if p["time"] <= time_ms), self.progress)

    def longest_wait_ms(self, partition, since_ms, window_ms):
        """The longest wait that began before the window's end, for as long as it lasted.

        The acknowledgement that ends it may lie behind the window: a straggler just after
        `since_ms` hides nothing.
        """
        waits = list(self.waits.get(partition, []))
        if partition in self.waiting and partition not in self.held:
            waits.append((self.waiting[partition], self.progress["time"]))
        return max((end - max(begin, since_ms) for begin, end in waits
                    if end > since_ms and begin < since_ms + window_ms), default=0)


class Kill:
    """A process that was killed, and what was seen of it."""

    def __init__(self, what, partitions, events, in_flight):
        self.what, self.partitions, self.in_flight = what, partitions, in_flight
        self.acked = events.progress["acked"]
        self.at_ms = time.time() * 1000
        self.goal = None  # rows by partition: with more, one sent after the kill is acknowledged
        self.window_ms = RECOVERY_SECONDS_MAX * 1000  # waits that begin in it count

    def longest_wait_ms(self, events):
        return max(events.longest_wait_ms(p, self.at_ms, self.window_ms) for p in self.partitions)


class Run:
    """One run from start to proof."""

    wait_seconds_max = RECOVERY_SECONDS_MAX  # of any partition after a strike
    verb, noun = "killed", "kill"            # what is done to a process

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.programs = Programs(options.programs, work)
        self.cluster = os.path.join(work, "cluster")
        self.events = Events(os.path.join(work, "events"))
        self.nodes, self.bootstrap, self.producer = {}, "", None
        self.kills = []

    # ---- cluster ----
    def up(self):
        settings = [part for setting in self.options.broker_set
                    for part in ("--broker-set", setting)]
        up = self.programs.quipu_json("cluster", "up", "-n", "3", "--dir", self.cluster, *settings)
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
                fresh = time.time() * 1000 - self.events.progress["time"] < 20
                if fresh and self.in_flight(self.events.progress, partitions) > 0:
                    return
            if self.producer.poll() is not None:
                raise Failure("the producer ended before every kill was done: "
                              + self.tail("producer.log"))
            if time.monotonic() > deadline:
                raise Failure(f"only {acked} of {rows} rows were acknowledged in "
                              f"{self.options.patience} s: {self.tail('producer.log')}")
            time.sleep(0.001)

    @staticmethod
    def in_flight(progress, partitions):
        flying = progress["in_flight"]
        return sum(flying[p] for p in partitions if p < len(flying))

    def tail(self, name):
        with open(os.path.join(self.work, name), encoding="utf-8", errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-3:])

    # ---- kills ----
    def kill(self, what, partitions, rows, strike):
        """Waits for `rows`, strikes while rows are in flight to `partitions`, and watches them."""
        self.wait_for_rows(rows, partitions)
        kill = Kill(what, partitions, self.events, 0)
        if self.kills:  # a wait that the next kill causes is the next kill's
            self.kills[-1].window_ms = min(self.kills[-1].window_ms,
                                           kill.at_ms - self.kills[-1].at_ms)
        strike()
        self.events.read()
        before = self.events.at(kill.at_ms)
        kill.in_flight, kill.acked = self.in_flight(before, partitions), before["acked"]
        self.kills.append(kill)
        say(f"  {self.verb} {what}: {kill.acked} rows acknowledged before, {kill.in_flight} in flight")
        return kill

    def watch(self, kill):
        began = time.monotonic()

        def recovered():
            self.events.read()
            return all(self.acknowledges_again(kill, p) for p in kill.partitions)
        self.wait_for(f"acknowledgements after the {self.noun} of {kill.what}", recovered, 30)
        say(f"    every partition acknowledges again after {time.monotonic() - began:.1f} s; "
            f"longest wait {kill.longest_wait_ms(self.events):.0f} ms")

    def acknowledges_again(self, kill, partition):
        """Whether a row that was sent after the kill is acknowledged, or none is left to be."""
        events = self.events
        if self.producer.poll() == 0 and partition not in events.waiting:
            return True
        if events.progress["time"] < kill.at_ms:
            return False
        if kill.goal is None:
            flying = events.progress["in_flight"]
            kill.goal = {p: events.rows.get(p, 0) + flying[p] for p in kill.partitions}
        idle = (events.progress["in_flight"][partition] == 0 and partition not in events.held
                and events.progress["time"] > kill.at_ms + 1000)
        return idle or events.rows.get(partition, 0) > kill.goal[partition]

    def kill_node(self, name):
        os.kill(self.nodes[name]["pid"], signal.SIGKILL)

    def kill_broker(self, rows, broker, what):
        led = [p["partition"] for p in self.partitions() if p["leader"] == broker]
        watched = led or [p["partition"] for p in self.partitions()]
        self.watch(self.kill(f"{what} broker-{broker} (leads {len(led)} partitions)", watched, rows,
                             lambda: self.kill_node(f"broker-{broker}")))
        self.up()
        self.wait_for("all replicas to be in sync again", self.fully_in_sync, 30)

    def kill_busiest_broker(self, rows):
        self.events.read()
        load = {}
        for partition in self.partitions():
            rows_there = self.events.rows.get(partition["partition"], 0)
            load[partition["leader"]] = load.get(partition["leader"], 0) + rows_there
        self.kill_broker(rows, max(load, key=load.get), "the busiest broker,")

    def kill_coordinator(self, rows):
        group = self.programs.quipu_json("group", "describe", GROUP, "-b", self.bootstrap)
        self.kill_broker(rows, group["coordinator"], "the group coordinator,")

    def kill_controller_leader(self, rows):
        status = self.programs.quipu_json("cluster", "status", "--dir", self.cluster)
        leader = f"controller-{status['controller_leader']}"
        everything = [p["partition"] for p in self.partitions()]
        self.watch(self.kill(f"the controller leader, {leader}", everything, rows,
                             lambda: self.kill_node(leader)))
        self.up()

    def kill_producer(self, rows):
        everything = [p["partition"] for p in self.partitions()]

        def strike():
            self.producer.kill()
            self.producer.wait()
        kill = self.kill("the producer", everything, rows, strike)
        flying = self.events.progress["in_flight"]
        self.events.hold([p for p in everything if flying[p] > 0], kill.at_ms)
        # The rows in flight may be in the log already: any acknowledgement is of the next life.
        kill.goal = {p: self.events.rows.get(p, 0) for p in everything}
        self.start_producer()
        self.watch(kill)

    # ---- whole run ----
    def count_rows(self):
        done = subprocess.run([self.programs.path("quipu-payments"), "count", "--input",
                               self.options.input, *self.columns()],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())
        return int(done.stdout)

    run_seconds_min = 20  # so long the rows last at the default rate

    def strikes(self, rows):
        """Everything that is done to the processes while they work."""
        self.kill_controller_leader(rows * 5 // 100)
        self.kill_producer(rows * 15 // 100)
        self.kill_busiest_broker(rows * 25 // 100)
        self.kill_coordinator(rows * 45 // 100)

    def execute(self):
        began = time.monotonic()
        rows = self.count_rows()
        if self.options.rate is None:
            self.options.rate = max(100, min(3000, rows // self.run_seconds_min))
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
        self.strikes(rows)
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
        self.judge_kills()

    def judge_kills(self):
        """Prints each kill with the longest wait that it caused; too long a one is a failure."""
        self.events.read()
        total = self.events.progress["acked"]
        say(f"  rows before  in flight  rows after  longest wait  {self.verb}")
        for kill in self.kills:
            say(f"  {kill.acked:11}  {kill.in_flight:9}  {total - kill.acked:10}  "
                f"{kill.longest_wait_ms(self.events):9.0f} ms  {kill.what}")
        worst = max(self.kills, key=lambda kill: kill.longest_wait_ms(self.events))
        wait = worst.longest_wait_ms(self.events)
        if wait > self.wait_seconds_max * 1000:
            raise Failure(f"a partition waited {wait:.0f} ms after the {self.noun} of {worst.what}, "
                          f"longer than {self.wait_seconds_max} s")

    def stop(self):
        """Leaves no process, whatever state the run is in."""
        self.programs.end_all()
        try:
            if os.path.exists(os.path.join(self.cluster, "cluster.json")):
                self.programs.quipu("cluster", "down", "--dir", self.cluster)
        finally:
            end_descendants()


def adopt_orphans():
    """Nodes outlive the `cluster up` that starts them; with this they become our children."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def end_descendants():
    """Kills every child that is left, and theirs, which become ours; takes leave of the dead."""
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
        if not children:
            return
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Interrupted(BaseException):
    """A signal asks to end."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ignore_signals():
    # Inherited by `cluster down`: an impatient second Ctrl-C must not leave half a cluster.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def on_signal(number, _frame):
    ignore_signals()
    raise Interrupted(number)


def expected_table_of(path):
    """The table that lies beside the input, if there is one."""
    folder = os.path.dirname(os.path.abspath(path))
    for name in sorted(os.listdir(folder)):
        if "_expected.csv" in name:
            return os.path.join(folder, name)
    return None


def make_parser(program, text):
    """The options that every run of this kind has."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    parser = argparse.ArgumentParser(prog=program, description=text.split("\n", maxsplit=1)[0])
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
    parser.add_argument("--broker-set", action="append", default=[], metavar="KEY=VALUE",
                        help="setting of every broker, as of `quipu cluster up`; repeatable")
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    return parser


def check_arguments(parser):
    options = parser.parse_args()
    if not os.path.isfile(options.input):
        parser.error(f"--input {options.input}: no such file")
    if options.expected is None:
        options.expected = expected_table_of(options.input)
    return options


def complain(text, name="quickstart"):
    try:
        print(f"{name}: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass  # the terminal is gone; the processes must be ended all the same


def end(code):
    try:
        sys.stdout.flush()
    except OSError:  # Python would try once more at its end, and end with 120 instead of the code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run_to_the_end(make_run, options, name):
    """Runs what `make_run(options, work)` makes, leaves nothing behind, and ends the program."""
    adopt_orphans()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, on_signal)
    work, run, code, keep = None, None, 0, options.keep
    try:
        work = tempfile.mkdtemp(prefix=f"quipu-{name}-")
        run = make_run(options, work)
        run.execute()
    except Interrupted as interrupted:
        complain(f"interrupted by {interrupted}", name)
        code = 128 + interrupted.number
    except (Failure, OSError, subprocess.TimeoutExpired) as failure:
        complain(f"FAILED: {failure}", name)
        code, keep = 1, True
    finally:
        ignore_signals()
        try:
            if run:
                run.stop()
        except (Failure, OSError, subprocess.TimeoutExpired) as failure:
            complain(failure, name)
            code, keep = code or 1, keep or code == 0
        if work and keep:
            complain(f"logs and data are in {work}", name)
        elif work:
            shutil.rmtree(work)
    if code == 0:
        say(f"{name}: PASSED: no payment was lost, doubled or reordered")
    end(code)


def main():
    run_to_the_end(Run, check_arguments(make_parser("scripts/quickstart", __doc__)), "quickstart")


if __name__ == "__main__":
    main()
