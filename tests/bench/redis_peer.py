"""Redis streams: a master and two replicas that sync the append-only file with every write; XADD in batches, each of
which ends with WAIT 2 0.

What WAIT proves: both replicas have run the commands. That they have synced them as well is how 7.0 works, not what its
manual promises (WAITAOF, which does, came with 7.2): before a turn of its event loop writes answers, a replica
with appendfsync always writes its file and calls fdatasync, and REPLCONF ACK is one of these answers. strace shows
that order. The master syncs in the same way before it sends the commands on.
"""
import os
import re
import subprocess

from peers import Load, Nodes, Peer, rows_of
from station import free_port


def replicas_online(told):
    """In what INFO replication prints."""
    return len(re.findall(r"^slave\d+:.*state=online", told, re.M))


class Redis(Peer):
    name = "redis"
    needed = ("redis-server", "redis-cli")
    # Each connection stands still while it waits, so it takes some of them.
    loads = (Load("Redis streams with WAIT 2, synced", "redis", 5, batched=True, ahead=4, producers=12,
                  light_producers=50),)
    rows = rows_of(name, loads)

    def start_nodes(self, load):
        nodes = Nodes(self.name)
        ports = [free_port() for _ in range(3)]
        for number, port in enumerate(ports):
            folder = os.path.join(nodes.folder, str(number))
            os.mkdir(folder)
            # What would stop the commands for a while, or cut off a replica that is slow, is turned off.
            nodes.start("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", "",
                        "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", 0,
                        "--repl-diskless-sync-delay", 0, "--client-output-buffer-limit", "replica 0 0 0",
                        *(("--replicaof", "127.0.0.1", ports[0]) if number else ()))
        nodes.addresses = [f"127.0.0.1:{ports[0]}"]

        def ready():
            told = subprocess.run(["redis-cli", "-p", str(ports[0]), "INFO", "replication"], text=True,
                                  capture_output=True, timeout=30, check=False)
            return replicas_online(told.stdout) == 2
        nodes.await_ready(ready)
        return nodes
