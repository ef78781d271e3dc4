"""The servers of a chaos test: three controllers and some brokers, each in a place of its own."""
import json
import os
import signal
import struct
import subprocess
import time

DISK_BYTES, DISK_BYTES_PER_MINUTE = 256 << 20, 64 << 20
DISK_FREE_MIN = 16 << 20  # below: produce is refused
TOPIC = "transfers"


class Node:
    """One server. `gone` while it is meant to be down; `faults` are those that strike it now."""

    def __init__(self, name, role, number, folder):
        self.name, self.role, self.number, self.folder = name, role, number, folder
        self.data = os.path.join(folder, "disk", "data")
        self.control = os.path.join(folder, "control")
        self.log = os.path.join(folder, "log")
        self.child, self.gone, self.faults = None, True, 0
        self.may_stop, self.may_stop_until = False, 0.0  # a full disk may end a process
        self.arguments, self.starts = [], 0

    def running(self):
        return self.child is not None and self.child.poll() is None


class Cluster:
    """Starts, kills and watches nodes. Nothing of it outlives the object's `stop`."""

    def __init__(self, build, work, network, stores, shards, small_disks, minutes):
        """`stores`: log.store of each broker."""
        self.bin, self.work, self.network = os.path.join(build, "bin"), work, network
        self.small_disks = small_disks
        self.disk_bytes = DISK_BYTES + int(minutes * DISK_BYTES_PER_MINUTE)
        self.unexpected = []  # what ended that should not have
        self.nodes = {}
        for role, letter, count in (("controller", "c", 3), ("broker", "b", len(stores))):
            for number in range(1, count + 1):
                name = f"{letter}{number}"
                node = Node(name, role, number, os.path.join(work, name))
                os.makedirs(os.path.join(node.folder, "disk"))
                self.nodes[name] = node
        self.shards, self.stores = shards, stores

    def of(self, role):
        return [node for node in self.nodes.values() if node.role == role]

    def quipu(self, *arguments, seconds=60):
        done = subprocess.run([os.path.join(self.bin, "quipu"), *map(str, arguments)],
                              capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise OSError(f"quipu {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout.strip()

    # ---- the beginning ----
    def format(self):
        cluster_id = self.quipu("storage", "random-id")
        voters = []
        for node in self.of("controller"):
            node.directory_id = self.quipu("storage", "random-id")
            node.port = self.network.port(node.name)
            voters += ["--voter", f"{node.number}@{self.network.addresses[node.name]}:{node.port}:"
                                  f"{node.directory_id}"]
        quorum = ",".join(f"{self.network.addresses[n.name]}:{n.port}" for n in self.of("controller"))
        for node in self.nodes.values():
            if self.small_disks:
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.disk_bytes}", "none",
                                os.path.join(node.folder, "disk")], check=True)
            with open(node.control, "wb") as file:
                file.write(struct.pack("=qq", 0, 0))
            address = self.network.addresses[node.name]
            format_as = ["storage", "format", node.data, "--cluster-id", cluster_id, "--node-id",
                         node.number]
            settings = [f"log.dir={node.data}", "quipu.unsafe.plaintext.network=true"]
            if node.role == "controller":
                self.quipu(*format_as, "--role", "controller", "--directory-id", node.directory_id,
                           *voters)
                settings.append(f"listener.controller={address}:{node.port}")
            else:
                self.quipu(*format_as)
                node.port = self.network.port(node.name + " client")
                peer = self.network.port(node.name + " peer") + (1 if self.network.partitions else 0)
                settings += [f"listener.client={address}:{node.port}",
                             f"listener.peer={address}:{peer}", f"num.shards={self.shards}",
                             f"controller.quorum.bootstrap.servers={quorum}",
                             f"log.store={self.stores[node.number - 1]}",
                             "quipu.journal.segment.bytes=4194304",
                             f"quipu.disk.free.bytes.min={DISK_FREE_MIN if self.small_disks else 0}",
                             "offsets.topic.num.partitions=2", "replica.lag.time.max.ms=3000",
                             "group.consumer.session.timeout.ms=6000",
                             "group.consumer.heartbeat.interval.ms=1000"]
            node.arguments = [p for setting in settings for p in ("--set", setting)]
        self.bootstrap = ",".join(f"{self.network.addresses[n.name]}:{n.port}"
                                  for n in self.of("broker"))

    # ---- one node ----
    def start(self, node):
        if node.running():
            return
        node.gone, node.starts = False, node.starts + 1
        clean = {k: v for k, v in os.environ.items() if not k.startswith("QUIPU_")}
        environment = {**clean, "QUIPU_TEST_CHAOS_CONTROL": node.control,
                       "LD_PRELOAD": os.path.join(self.bin, "quipu-chaos-shim.so")}
        with open(node.log, "ab") as log:
            node.child = subprocess.Popen(
                [*self.network.command(node.name), os.path.join(self.bin, f"quipu-{node.role}"),
                 *node.arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    def kill(self, node):
        if node.running():
            node.child.kill()
        node.child.wait()
        node.gone = True

    def send(self, node, number):
        if node.running():
            node.child.send_signal(number)

    def set_control(self, node, sync_delay_us=None, wall_offset_ns=None):
        """Takes effect at once, also in a process that is started later."""
        with open(node.control, "r+b") as file:
            old = struct.unpack("=qq", file.read(16))
            new = (old[0] if sync_delay_us is None else sync_delay_us,
                   old[1] if wall_offset_ns is None else wall_offset_ns)
            file.seek(0)
            file.write(struct.pack("=qq", *new))

    def watch(self):
        """Notes what ended by itself and starts it again, as a supervisor would."""
        for node in self.nodes.values():
            if node.gone or node.running():
                continue
            if node.may_stop:
                node.gone = True
                continue
            if time.monotonic() > node.may_stop_until:
                self.unexpected.append(f"{node.name} ended with {node.child.returncode}: "
                                       f"{self.tail(node)}")
            self.start(node)

    @staticmethod
    def tail(node, lines=3):
        with open(node.log, encoding="utf-8", errors="replace") as file:
            return " | ".join(line.strip() for line in file.read().splitlines()[-lines:])

    # ---- the whole ----
    def state(self):
        """Who leads what, as some broker says; None when nobody answers."""
        done = subprocess.run([os.path.join(self.bin, "quipu-chaos-client"), "state", "-b",
                               self.bootstrap, "--topic", TOPIC], capture_output=True, text=True,
                              timeout=30, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def epoch(self, node):
        """Under which a broker serves now; -1: it does not."""
        state = self.state()
        return -1 if state is None else state["brokers"].get(str(node.number), -1)

    def is_whole(self):
        state = self.state()
        return state is not None and all(e >= 0 for e in state["brokers"].values()) and all(
            p["leader"] >= 0 and sorted(p["isr"]) == sorted(p["replicas"])
            for p in state["partitions"])

    def make_topic(self, partitions, compression_type, patience):
        deadline = time.monotonic() + patience
        while True:
            try:
                self.quipu("topic", "create", TOPIC, "-p", partitions, "-r", 3, "--if-not-exists",
                           "-b", self.bootstrap, "-c", "retention.ms=-1",
                           "-c", f"compression.type={compression_type}")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        wait_until(self.is_whole, patience, "the topic to be in sync")

    def stop(self):
        for node in self.nodes.values():
            if node.running():
                node.child.send_signal(signal.SIGCONT)
                node.child.kill()
            if node.child is not None:
                node.child.wait()
            if self.small_disks:
                subprocess.run(["umount", "-l", os.path.join(node.folder, "disk")], check=False,
                               capture_output=True)


def wait_until(condition, seconds, what, every=0.2, meanwhile=None):
    """Asks until it is true. TimeoutError names what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain for {what}")
        if meanwhile is not None:
            meanwhile()
        time.sleep(every)
