"""Where the processes of a chaos test live: network namespaces on one bridge, or 127.0.0.1.

With namespaces every process has an address of its own, and what one sends to another can be cut:
the sender gets a wrong hardware address for the receiver, so that its packets reach nobody, in
silence and in one direction. Only iproute2 is needed for it.
"""
import os
import socket
import subprocess

NOBODY = "02:00:00:00:00:01"  # a hardware address that no interface has
CLIENTS = "clients"           # the name of the place where clients run


class Isolated:
    """One bridge with a namespace for each node; needs a network namespace of our own."""

    partitions = True

    def __init__(self, names):
        self.addresses = {CLIENTS: "10.77.0.1"}
        os.makedirs("/run/netns", exist_ok=True)
        run("mount", "-t", "tmpfs", "none", "/run/netns")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "address", "add", "10.77.0.1/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")
        for number, name in enumerate(names, 11):
            self.addresses[name] = f"10.77.0.{number}"
            run("ip", "netns", "add", name)
            run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "link", "set", f"v{number}", "master", "br0", "up")
            self.ip(name, f"address add {self.addresses[name]}/24 dev eth0\nlink set eth0 up\n"
                          "link set lo up\n")
        self.cuts = set()

    def command(self, name):
        """What stands before a command that runs at a node."""
        return ["nsenter", f"--net=/run/netns/{name}"]

    def ip(self, name, commands):
        prefix = [] if name == CLIENTS else self.command(name)
        subprocess.run([*prefix, "ip", "-batch", "-"], input=commands, text=True, check=True,
                       capture_output=True)

    def cut(self, pairs):
        """Nothing more arrives from the first of each pair at the second."""
        self.change(self.cuts | set(pairs))

    def heal(self, pairs):
        self.change(self.cuts - set(pairs))

    def heal_all(self):
        self.change(set())

    def change(self, wanted):
        commands = {}
        for source, target in wanted - self.cuts:
            commands.setdefault(source, []).append(
                f"neigh replace {self.addresses[target]} lladdr {NOBODY} dev {self.device(source)} "
                "nud permanent")
        for source, target in self.cuts - wanted:
            commands.setdefault(source, []).append(
                f"neigh del {self.addresses[target]} dev {self.device(source)}")
        for source, lines in sorted(commands.items()):
            self.ip(source, "\n".join(lines) + "\n")
        self.cuts = set(wanted)

    @staticmethod
    def device(name):
        return "br0" if name == CLIENTS else "eth0"

    def port(self, _):
        return 9100

    def reaches(self, source, target, port):
        """Whether a connection can be made; to show that a cut is one."""
        shell = f"exec 3<>/dev/tcp/{self.addresses[target]}/{port}"
        prefix = [] if source == CLIENTS else self.command(source)
        return subprocess.run([*prefix, "timeout", "1", "bash", "-c", shell], check=False,
                              capture_output=True).returncode == 0


class Loopback:
    """Everything on 127.0.0.1: no partitions."""

    partitions = False

    def __init__(self, names):
        self.addresses = {name: "127.0.0.1" for name in [*names, CLIENTS]}
        self.reserved = {}

    def command(self, _):
        return []

    def heal_all(self):
        pass

    def port(self, key):
        """A port below those that the system gives to clients, so that none takes it meanwhile."""
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            first = int(file.read().split()[0])
        while key not in self.reserved:
            candidate = 10000 + int.from_bytes(os.urandom(2), "big") % max(1, first - 10001)
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", candidate))
                except OSError:
                    continue
            if candidate not in self.reserved.values():
                self.reserved[key] = candidate
        return self.reserved[key]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def can_isolate():
    """Why namespaces cannot be used here; empty when they can."""
    if not os.path.exists("/usr/sbin/ip") and not os.path.exists("/sbin/ip"):
        return "iproute2 is not installed"
    script = ("mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip netns add probe && "
              "ip link add br0 type bridge && ip link add v1 type veth peer name eth0 netns probe")
    done = subprocess.run([*UNSHARE, "bash", "-c", script], capture_output=True, text=True,
                          check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or "unshare failed"


# Everything made inside goes when the first process inside ends: processes, mounts, interfaces. That
# one ends with unshare, and has time to remove its folder.
UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGTERM", "--mount-proc",
           "--propagation", "private"]
