"""The faults of a chaos test. A schedule is drawn from a seed; who is struck is drawn when it begins,
since leaders are known only then. Each fault ends what it began."""
import errno
import os
import random
import signal
import time

from network import CLIENTS

DAY_NS = 24 * 3600 * 10**9


class Fault:
    """One entry of the schedule. `begin` returns what was done in words, or None when there was
    nobody to strike; `end` undoes it."""

    needs_partitions = False
    needs_small_disks = False
    share = 2            # how often it is drawn
    seconds = (0.3, 4.0)

    def __init__(self, rng):
        self.length = rng.uniform(*self.seconds)
        self.rng = random.Random(rng.getrandbits(64))
        self.struck = []

    def pick(self, cluster, role=None, count=1):
        """Nodes that no fault strikes now."""
        free = [n for n in cluster.nodes.values() if n.faults == 0 and not n.gone and
                (role is None or n.role == role)]
        self.struck = self.rng.sample(free, min(count, len(free)))
        for node in self.struck:
            node.faults += 1
        return self.struck

    def names(self):
        return ", ".join(node.name for node in self.struck)

    def begin(self, run):
        raise NotImplementedError

    def end(self, run):
        pass

    def finish(self, run):
        self.end(run)
        for node in self.struck:
            node.faults -= 1


class Kill(Fault):
    """SIGKILL, and a start some time later."""
    share = 5

    def begin(self, run):
        for node in self.pick(run.cluster):
            run.cluster.kill(node)
        return self.struck and f"kill -9 {self.names()}"

    def end(self, run):
        for node in self.struck:
            run.cluster.start(node)


class RestartStorm(Kill):
    """All of one role, or all, one after the other: each is killed and started at once, again and
    again."""
    share = 1
    seconds = (2.0, 4.0)

    def begin(self, run):
        role = self.rng.choice(["broker", "controller", None])
        self.pick(run.cluster, role, 99)
        for _ in range(self.rng.randint(1, 2)):
            for node in self.struck:
                run.cluster.kill(node)
                run.cluster.start(node)
        for node in self.struck:
            run.cluster.kill(node)
        return self.struck and f"restart storm over {self.names()}"


class KillClient(Fault):
    """A producer or a member of the group; another takes its place."""

    def begin(self, run):
        return run.replace_client(self.rng)


class Pause(Fault):
    share = 3
    seconds = (0.5, 6.0)

    def begin(self, run):
        for node in self.pick(run.cluster):
            run.cluster.send(node, signal.SIGSTOP)
        return self.struck and f"pause {self.names()}"

    def end(self, run):
        for node in self.struck:
            run.cluster.send(node, signal.SIGCONT)


class SlowDisk(Fault):
    seconds = (1.0, 8.0)

    def begin(self, run):
        delay = self.rng.choice([20, 100, 300]) * 1000
        for node in self.pick(run.cluster):
            run.cluster.set_control(node, sync_delay_us=delay)
        return self.struck and f"syncs of {self.names()} take {delay // 1000} ms longer"

    def end(self, run):
        for node in self.struck:
            run.cluster.set_control(node, sync_delay_us=0)


class ClockJump(Fault):
    """The wall clock of one process, by up to three days; half of the time it stays so."""
    seconds = (1.0, 8.0)

    def begin(self, run):
        offset = int(self.rng.uniform(-3, 3) * DAY_NS)
        self.back = self.rng.random() < 0.5
        for node in self.pick(run.cluster):
            run.cluster.set_control(node, wall_offset_ns=offset)
        return self.struck and f"clock of {self.names()} jumps by {offset / 3.6e12:+.1f} h"

    def end(self, run):
        for node in self.struck:
            if self.back:
                run.cluster.set_control(node, wall_offset_ns=0)


class FullDisk(Fault):
    """A file takes the space of a broker's disk: produce is refused there, or the process ends. Half
    of the time the broker is killed and has to start on the full disk, if it can."""
    needs_small_disks = True
    seconds = (1.0, 6.0)

    def begin(self, run):
        for node in self.pick(run.cluster, "broker"):
            node.may_stop = True
            left = self.rng.choice([0, 0, 64 << 10, 8 << 20])
            self.take_space(os.path.join(node.folder, "disk"), left)
            again = self.rng.random() < 0.5
            if again:
                run.cluster.kill(node)
                run.cluster.start(node)
            return (f"{left} bytes left on the disk of {node.name}"
                    f"{', and it is killed and started' if again else ''}")
        return None

    @staticmethod
    def take_space(disk, left):
        """Leaves `left` bytes free, or fewer. The broker writes meanwhile, so what was free may be
        gone by the time that it is taken; then again."""
        with open(os.path.join(disk, "taken"), "wb") as file:
            for _ in range(20):
                stat = os.statvfs(disk)
                size = os.fstat(file.fileno()).st_size + stat.f_bavail * stat.f_frsize - left
                try:
                    os.posix_fallocate(file.fileno(), 0, max(size, 1))
                    return
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise

    def end(self, run):
        for node in self.struck:
            os.unlink(os.path.join(node.folder, "disk", "taken"))
            run.stopped_by_full_disk += not node.running()
            # A write that failed just now ends the process a moment later.
            node.may_stop, node.may_stop_until = False, time.monotonic() + 3
            run.cluster.start(node)


class Cut(Fault):
    """Packets between places are lost; kinds below say which."""
    needs_partitions = True
    seconds = (0.5, 6.0)

    def pairs(self, run):
        raise NotImplementedError

    def begin(self, run):
        self.cut, text = self.pairs(run)
        self.cut = set(self.cut) - run.network.cuts
        run.network.cut(self.cut)
        return self.cut and text

    def end(self, run):
        run.network.heal(self.cut)


class FullPartition(Cut):
    """Two groups of servers; the clients are with one of them or reach both."""

    def pairs(self, run):
        names = sorted(run.cluster.nodes)
        side = set(self.rng.sample(names, self.rng.randint(1, len(names) - 1)))
        if self.rng.random() < 0.5:
            names.append(CLIENTS)
        other = [n for n in names if n not in side]
        return ([p for a in side for b in other for p in ((a, b), (b, a))],
                f"partition: {' '.join(sorted(side))} | {' '.join(other)}")


class OneWay(Cut):
    """Nothing from one server reaches some others, what they send reaches it."""

    def pairs(self, run):
        names = [*sorted(run.cluster.nodes), CLIENTS]
        source, *targets = self.rng.sample(names, self.rng.randint(2, len(names)))
        pairs = [(source, t) for t in targets]
        if self.rng.random() < 0.5:
            pairs = [(t, source) for t in targets]
            return pairs, f"one-way: nothing from {' '.join(sorted(targets))} to {source}"
        return pairs, f"one-way: nothing from {source} to {' '.join(sorted(targets))}"


class Partial(Cut):
    """Some pairs cannot talk, though each can talk to others."""

    def pairs(self, run):
        names = sorted(run.cluster.nodes)
        chosen = [self.rng.sample(names, 2) for _ in range(self.rng.randint(1, 4))]
        return ([p for a, b in chosen for p in ((a, b), (b, a))],
                "partial: " + " ".join(f"{a}-{b}" for a, b in chosen))


class IsolatedLeader(Cut):
    """A leader loses all other servers; clients reach it still, or not."""

    def pairs(self, run):
        state = run.cluster.state()
        if state is None:
            return [], ""
        leaders = [f"b{p['leader']}" for p in state["partitions"] if p["leader"] >= 0]
        if state["controller"] >= 0 and (not leaders or self.rng.random() < 0.5):
            leaders = [f"c{state['controller']}"]
        if not leaders:
            return [], ""
        leader = self.rng.choice(leaders)
        others = [n for n in run.cluster.nodes if n != leader]
        alone = self.rng.random() < 0.5
        others += [CLIENTS] if alone else []
        return ([p for o in others for p in ((leader, o), (o, leader))],
                f"isolated leader: {leader}, {'from clients too' if alone else 'clients reach it'}")


KINDS = (Kill, RestartStorm, KillClient, Pause, SlowDisk, ClockJump, FullDisk, FullPartition, OneWay,
         Partial, IsolatedLeader)


def schedule(seed, seconds, network, small_disks, only=None):
    """[(when, fault)] for `seconds`: one begins every 0.5 to 4 s, so that some overlap. Each run
    leaves out some kinds, so that none hides another."""
    rng = random.Random(seed)
    kinds = [k for k in KINDS if (network.partitions or not k.needs_partitions) and
             (small_disks or not k.needs_small_disks)]
    kinds = [k for k in kinds if only is None or k.__name__ in only]
    if only is None:
        kinds = [k for k in kinds if rng.random() < 0.8] or kinds
    at, out = rng.uniform(0.5, 2), []
    while at < seconds:
        kind = rng.choices(kinds, [k.share for k in kinds])[0]
        out.append((at, kind(rng)))
        at += rng.uniform(0.5, 4)
    return out
