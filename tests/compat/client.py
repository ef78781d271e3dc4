"""A program of a family of clients at work, and what a test of it asks of it and of `quipu`."""
import collections
import json
import os
import queue
import subprocess
import threading
import time

import programs
import records
from programs import Cluster, eventually

CACHE = os.environ.get("QUIPU_COMPAT_CACHE", os.path.join(programs.ROOT, "build", "compat"))
CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
SECONDS = 400  # that a client may take for its whole work


def has(family):
    """Whether tests/compat/install has installed it to its end."""
    return os.path.exists(os.path.join(CACHE, family, "installed"))


def python_of_the_cache():
    return os.path.join(CACHE, "python", "bin", "python3")


def lines_of(items):
    return "".join(json.dumps(item) + "\n" for item in items)


class Child:
    """A client at work: lines go in, lines come out while it runs."""

    def __init__(self, command, verb, options):
        self.log = os.path.join(programs.folder("client"), "stderr")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*command, verb, json.dumps(options)], text=True, stderr=log,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            env=programs.environment(), bufsize=1 << 16)
        self.lines, self.arrived = [], queue.Queue()
        # Also of one that lives and takes nothing more, or does not end.
        self.limit = threading.Timer(SECONDS, self.process.kill)
        self.limit.daemon = True
        self.limit.start()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))
            self.arrived.put(self.lines[-1])

    def feed(self, items, pause_seconds=0.0, of_records=1000):
        """Lines into it, with a pause after some of them."""
        try:
            for at in range(0, len(items), of_records):
                self.process.stdin.write(lines_of(items[at:at + of_records]))
                self.process.stdin.flush()
                time.sleep(pause_seconds)
        except BrokenPipeError:
            self.finish()  # says why it ended
            raise

    def ask(self, call):
        self.feed([call])
        try:
            return self.arrived.get(timeout=60)
        except queue.Empty:
            raise AssertionError(f"no answer to {call}: {self.tail()}") from None

    def tail(self):
        return "\n".join(programs.read(self.log).splitlines()[-25:])

    def finish(self):
        """Ends its input, and waits for its end; what it printed."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # the exit code tells
        code = self.process.wait()
        self.limit.cancel()
        self.reader.join()
        self.process.stdout.close()
        if code != 0:
            raise AssertionError(f"{self.process.args}: exit code {code} (-9: not done in {SECONDS} s) after "
                                 f"{len(self.lines)} lines: {self.tail()}")
        return self.lines

    def stop(self):
        self.limit.cancel()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # it has died with lines unread


class ClientCase:
    """Mixed into a programs.TestCase by each family, which sets these."""

    command = ()                    # the program
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    own_headers = True              # headers of single records
    repeated_headers = True         # of one name in one record
    timestamps = True               # times of single records
    writes_empty_texts = True       # keys and values that are empty and not null
    writes_null_headers = True      # headers without a value
    reads_null_headers = True       # and tells them from empty ones
    tells_offsets = True            # of what was acknowledged
    admin_calls = ()                # names of what its admin client can do

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, "--broker-set", "group.initial.rebalance.delay.ms=100")
        cls.addClassCleanup(cls.cluster.down)

    # ---- the client and quipu ----
    def child(self, verb, **options):
        child = Child(self.command, verb, {"bootstrap": self.cluster.kafka_bootstrap, **options})
        self.addCleanup(child.stop)
        return child

    def records(self, first, end):
        """That the client writes."""
        return [records.record(i, self.own_headers, self.repeated_headers, self.timestamps, self.writes_empty_texts,
                               self.writes_null_headers) | {"i": i} for i in range(first, end)]

    def readable(self, i):
        """Record i, that quipu writes and the client reads."""
        return records.record(i, repeated_headers=self.repeated_headers, null_headers=self.reads_null_headers)

    def produce(self, topic, sent, codec="none"):
        child = self.child("produce", topic=topic, codec=codec)
        child.feed(sent)
        acked = child.finish()
        self.check_acknowledged(sent, acked)
        return acked

    def check_acknowledged(self, sent, acked):
        self.assertEqual(len(acked), len(sent))
        self.assertEqual({ack["i"] for ack in acked}, {one["i"] for one in sent})

    def check_told_offsets(self, sent, acked, read):
        """Each acknowledgement names the place where its record lies."""
        if not self.tells_offsets:
            return
        where = {(one["partition"], one["offset"]): one for one in read}
        wanted = {one["i"]: one for one in sent}
        for ack in acked:
            found = where.get((ack["partition"], ack["offset"]))
            self.assertIsNotNone(found, ack)
            self.assertEqual(records.content(found, self.timestamps),
                             records.content(wanted[ack["i"]], self.timestamps), ack)

    def consume(self, topic, partitions, count, **more):
        read = self.child("consume", topic=topic, partitions=partitions, count=count, **more).finish()
        records.check_arrival(self, read)
        return read

    def quipu_consume(self, topic):
        done = self.cluster.quipu("consume", topic, "--from-beginning", "-e", "-f", "json", seconds=SECONDS)
        self.check(done, 0)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def quipu_produce(self, topic, sent, codec="none"):
        kept = [{name: value for name, value in one.items() if name != "i"} for one in sent]
        self.check(self.cluster.quipu("produce", topic, "-f", "json", "--compression", codec, text=lines_of(kept),
                                      seconds=SECONDS), 0)

    # ---- groups ----
    def group(self, name):
        done = self.cluster.quipu("group", "describe", name, "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else {"state": "", "members": [], "offsets": []}

    def await_members(self, name, count):
        """Until so many members share all partitions, each with one at least."""
        def shared():
            told = self.group(name)
            owned = [[p for t in m["assignment"] for p in t["partitions"]] for m in told["members"]]
            return (told["state"] == "Stable" and len(owned) == count and all(owned)
                    and sorted(sum(owned, [])) == list(range(6)))
        self.eventually(shared, name, f"{count} members to share 6 partitions")

    def await_no_lag(self, name):
        def reached():
            lags = [offset["lag"] for offset in self.group(name)["offsets"]]
            return lags == 6 * [0]
        self.eventually(reached, name, "the group to have committed all")

    def eventually(self, condition, name, what):
        try:
            eventually(condition, what, 90)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.group(name)}") from None

    def check_delivered(self, sent, members, once):
        """Each record once at least, as the log has it. A rebalance may bring again what was not committed;
        the records `once` were committed before one began, or came after the last."""
        read = [one for member in members for one in member.lines]
        log = {(one["partition"], one["offset"]): one for one in read}
        records.check_equal(self, sent, records.in_log_order(log.values()))
        times = collections.Counter(records.number(one) for one in read)
        self.assertEqual([i for i in once if times[i] != 1], [])
        for member in members:
            self.assertGreater(len(member.lines), 0)
