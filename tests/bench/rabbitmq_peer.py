"""RabbitMQ: a cluster of three. Quorum queues confirm what a majority has synced; streams what a majority has written,
and leave it to the kernel when that comes to the disk.

Everything it would look for outside, the cookie and the port mapper of Erlang as well, is its own here.
"""
import os
import subprocess

import programs
from peers import Load, Nodes, Peer, rows_of
from station import free_port

BIN = "/usr/lib/rabbitmq/bin"  # those in /usr/sbin want to be root or rabbitmq
LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"


class RabbitNodes(Nodes):
    """The first process is epmd, whose cost does not count."""

    def __init__(self):
        super().__init__("rabbitmq")
        self.mapper = free_port()
        with open(os.path.join(self.folder, ".erlang.cookie"), "w", encoding="ascii") as file:
            file.write(os.urandom(16).hex())
        os.chmod(file.name, 0o400)
        self.start("epmd", "-port", self.mapper, "-address", "127.0.0.1", "-relaxed_command_check")

    def pids(self):
        return super().pids()[1:]

    def environment(self, **more):
        """Of its programs; they take what they have no variable for from below HOME."""
        nowhere = os.path.join(self.folder, "no.conf")
        return {"HOME": self.folder, "ERL_EPMD_PORT": str(self.mapper), "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_CONF_ENV_FILE": nowhere, "RABBITMQ_ADVANCED_CONFIG_FILE": nowhere, **more}

    def start_node(self, name, everyone, stream):
        client, listener = free_port(), free_port()
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        plugins, settings = os.path.join(folder, "enabled_plugins"), os.path.join(folder, "rabbitmq.conf")
        with open(plugins, "w", encoding="ascii") as file:
            file.write("[rabbitmq_stream]." if stream else "[].")
        with open(settings, "w", encoding="ascii") as file:
            file.write(f"listeners.tcp.1 = 127.0.0.1:{client}\ncluster_name = bench\n"
                       "cluster_formation.peer_discovery_backend = rabbit_peer_discovery_classic_config\n")
            for number, one in enumerate(everyone, 1):
                file.write(f"cluster_formation.classic_config.nodes.{number} = {one}@localhost\n")
            if stream:
                file.write(f"stream.listeners.tcp.1 = 127.0.0.1:{listener}\nstream.advertised_host = 127.0.0.1\n"
                           f"stream.advertised_port = {listener}\n")
        self.start(os.path.join(BIN, "rabbitmq-server"), **self.environment(
            RABBITMQ_NODENAME=f"{name}@localhost", RABBITMQ_DIST_PORT=str(free_port()),
            RABBITMQ_CONFIG_FILE=settings, RABBITMQ_ENABLED_PLUGINS_FILE=plugins,
            RABBITMQ_MNESIA_BASE=os.path.join(folder, "data"), RABBITMQ_LOG_BASE=os.path.join(folder, "log"),
            RABBITMQ_GENERATED_CONFIG_DIR=os.path.join(folder, "generated"),
            RABBITMQ_PID_FILE=os.path.join(folder, "pid"), RABBITMQ_ALLOW_INPUT="1",  # no shell beside the node
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=f"-noinput {LOOPBACK}"))
        self.addresses.append(f"127.0.0.1:{listener if stream else client}")

    def is_whole(self, name, count):
        port = str(free_port())
        done = subprocess.run(
            [os.path.join(BIN, "rabbitmqctl"), "-q", "--node", f"{name}@localhost", "await_online_nodes", str(count)],
            text=True, capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
            env=programs.environment(**self.environment(
                RABBITMQ_CTL_DIST_PORT_MIN=port, RABBITMQ_CTL_DIST_PORT_MAX=port,
                RABBITMQ_CTL_ERL_ARGS=LOOPBACK)))
        return done.returncode == 0


class RabbitMq(Peer):
    name = "rabbitmq"
    needed = ("epmd", "erl", os.path.join(BIN, "rabbitmq-server"))
    loads = (Load("RabbitMQ quorum queues, synced", "queue", 5, batched=False, ahead=1000, producers=6),
             Load("RabbitMQ streams, not synced", "stream", 2, batched=True, ahead=4, producers=12))
    rows = rows_of(name, loads)

    def start_nodes(self, load):
        nodes, names = RabbitNodes(), ("r1", "r2", "r3")
        for name in names:
            nodes.start_node(name, names, load.verb == "stream")
        nodes.await_ready(lambda: all(nodes.is_whole(name, len(names)) for name in names), 180)
        return nodes
