"""What all peers of Debian have in common: three nodes beside Quipu's, and one client that drives them.

Each peer is measured with streams or queues that have three copies, right after Quipu with the same sizes of records. A
round has fresh nodes on both sides: first light load, for latency, then full load with large and with small records.
The client, driver/, is written in Go on the libraries of the peers, and its processor time is told apart.
"""
import dataclasses
import json
import os
import shutil
import subprocess

import processes
import programs
from produce import PARTITIONS
from results import Row
from station import GIB, Station

CACHE = os.environ.get("QUIPU_PEERS_CACHE", os.path.join(programs.ROOT, "build", "peers"))
CLIENT = os.path.join(CACHE, "quipu-peers")
DRIVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "driver")
BATCH_BYTES = 65536
SIZES = {"1 KiB records": 1024, "100 B records": 100}
RATE, RATE_BYTES = 1000, 100
LOWER = 0.99  # of a ratio, at the digits that are shown


@dataclasses.dataclass
class Load:
    """One way to produce to a peer."""
    what: str      # in the table
    verb: str      # of the client
    goal: float    # Quipu's records a second are so many times more
    batched: bool  # whether the peer takes BATCH_BYTES at once
    ahead: int     # batches, or records where there are none, under way of each producer
    producers: int
    light_producers: int = 1  # at RATE

    def shape(self, record, rate):
        """Options of the client."""
        producers = self.light_producers if rate else self.producers
        batch = BATCH_BYTES // record if self.batched and not rate else 1
        window = 1000 if rate else self.ahead * batch  # 1000: more than are ever due at once
        return ("--record", record, "--rate", rate, "--producers", producers, "--batch", batch, "--window", window)


def figures_of(printed):
    """What the client prints as JSON, of a run without losses."""
    told = json.loads(printed)
    if told["published"] < 1 or told["acknowledged"] != told["published"] or told["records_per_second"] <= 0:
        raise AssertionError(f"not all was acknowledged: {printed}")
    return told


class Nodes:
    """Processes that serve; each is stopped by its pid."""

    def __init__(self, name):
        self.folder = programs.folder(name)
        self.children, self.addresses = [], []

    def start(self, *command, **env):
        log = os.path.join(self.folder, f"{len(self.children)}.log")
        with open(log, "wb") as out:
            child = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                     env=programs.environment(**env), cwd=self.folder)
        self.children.append((child, log))

    def await_ready(self, ready, seconds=60):
        """Until `ready()` says so; a node that ends before that is an error."""
        def is_there():
            for child, log in self.children:
                if child.poll() is not None:
                    raise AssertionError(f"{child.args[0]}: {child.returncode}: {programs.read(log)[-2000:]}")
            return ready()
        programs.eventually(is_there, f"all nodes below {self.folder} to be ready", seconds)

    def pids(self):
        """Of those whose cost counts."""
        return [child.pid for child, _ in self.children]

    def end(self):
        for child, _ in self.children:
            child.kill()
            child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def rows_of(part, loads):
    rows = []
    for load in loads:
        for size in SIZES:
            quipu, peer = f"Quipu beside {part}: {size}", f"{load.what}: {size}"
            rows += [Row(f"{size}: Quipu, synced, against {load.what}", quipu, "records/s", peer, at_least=load.goal),
                     Row("beside it: the same in MB/s", f"{quipu}: MB/s", "MB/s", f"{peer}: MB/s"),
                     Row("beside it: CPU seconds of all nodes for each GiB", f"{quipu}: CPU", "s", f"{peer}: CPU",
                         at_most=LOWER),
                     Row("beside it: CPU seconds of the client for each GiB", f"{quipu}: client CPU", "s",
                         f"{peer}: client CPU")]
        rows += [Row(f"memory of all nodes after 1 KiB records, against {load.what}", f"Quipu beside {part}: memory",
                     "MiB", f"{load.what}: memory", at_most=LOWER)]
        rows += [Row(f"{at} at {RATE:,} records/s of {RATE_BYTES} B, against {load.what}", f"Quipu beside {part}: {at}",
                     "ms", f"{load.what}: {at}") for at in ("p50", "p99")]
    return rows


class Peer:
    """A part of scripts/bench; each peer says which loads it has, what it needs and how its nodes start."""
    name = ""
    loads = ()
    needed = ()  # programs

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results, self.left_out = asked, plan, results, None

    def start_nodes(self, load):
        """Nodes that are ready, with the addresses that the client is given."""
        raise NotImplementedError

    def missing(self):
        """Why it cannot be measured, if so."""
        absent = [program for program in self.needed if shutil.which(program) is None]
        if absent:
            return f"there is no {', '.join(absent)} here (scripts/setup --peers)"
        built = subprocess.run([os.path.join(DRIVER, "install")], text=True, capture_output=True, check=False)
        return "" if built.returncode == 0 else (built.stdout + built.stderr).strip()

    def run(self, number):
        if self.left_out is None:
            self.left_out = self.missing()
        if self.left_out:
            self.results.note(f"LEFT OUT: {self.name}: {self.left_out}")
            return
        with Station() as station:
            self.of_quipu(number, station)
        for load in self.loads:
            nodes = self.start_nodes(load)
            try:
                self.of_peer(number, load, nodes)
            finally:
                nodes.end()

    def of_quipu(self, number, station):
        whose = f"Quipu beside {self.name}"
        station.make_topic("light", PARTITIONS)
        told = station.produce("light", RATE_BYTES, BATCH_BYTES, self.plan.seconds(8), rate=RATE, linger_ms=0)
        self.keep_latency(number, whose, told)
        for size, record in SIZES.items():
            station.make_topic(f"full-{record}", PARTITIONS)
            told = station.measured_produce(f"full-{record}", record, BATCH_BYTES, self.plan.seconds(4))
            self.keep(number, f"{whose}: {size}", record, told)
            if record == 1024:
                self.keep_memory(number, whose, station.pids())

    def of_peer(self, number, load, nodes):
        self.keep_latency(number, load.what, self.driven(load, nodes, RATE_BYTES, self.plan.seconds(8), RATE))
        for size, record in SIZES.items():
            self.keep(number, f"{load.what}: {size}", record,
                      self.driven(load, nodes, record, self.plan.seconds(4)))
            if record == 1024:
                self.keep_memory(number, load.what, nodes.pids())

    def driven(self, load, nodes, record, seconds, rate=0):
        """What the client tells of a run, and what the run cost."""
        cpu, children = processes.cpu_seconds(nodes.pids()), sum(os.times()[2:4])
        done = subprocess.run(
            [CLIENT, load.verb, "--addresses", ",".join(nodes.addresses), "--name", f"bench-{record}-{rate}",
             *map(str, load.shape(record, rate)), "--warm-up", "1s", "--measured", f"{seconds}s"],
            text=True, capture_output=True, timeout=120 + seconds, check=False, env=programs.environment())
        if done.returncode != 0:
            raise AssertionError(f"{load.what}: {done.returncode}: {done.stderr[-2000:]}")
        told = figures_of(done.stdout)
        gib = told["acknowledged"] * record / GIB
        told["client_cpu_per_gib"] = (sum(os.times()[2:4]) - children) / gib
        told["servers_cpu_per_gib"] = (processes.cpu_seconds(nodes.pids()) - cpu) / gib
        return told

    def keep(self, number, name, record, told):
        self.results.add(number, name, told["records_per_second"])
        self.results.add(number, f"{name}: MB/s", told["records_per_second"] * record / 1e6)
        self.results.add(number, f"{name}: CPU", told["servers_cpu_per_gib"])
        self.results.add(number, f"{name}: client CPU", told["client_cpu_per_gib"])

    def keep_memory(self, number, whose, pids):
        self.results.add(number, f"{whose}: memory", sum(processes.resident_mib(pid) for pid in pids))

    def keep_latency(self, number, whose, told):
        for at in ("p50", "p99"):
            self.results.add(number, f"{whose}: {at}", told[f"{at}_ms"])
