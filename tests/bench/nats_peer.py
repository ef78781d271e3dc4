"""NATS JetStream: a cluster of three, streams of three copies in files. What a majority has written is acknowledged;
it is synced every two minutes, so until then it lies in page caches alone.
"""
import json
import os
import shutil
import urllib.error
import urllib.request

from peers import Load, Nodes, Peer, rows_of
from station import free_port

SERVER = shutil.which("nats-server") or "/usr/sbin/nats-server"  # where not everybody looks
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def asked_of(port, path):
    """(status, text) of a server's monitoring; (0, "") while it does not listen."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def knows_its_cluster(told):
    """In what /jsz prints: there is a leader, and it has two that follow; whether this is the leader, as well."""
    meta = json.loads(told).get("meta_cluster", {})
    followers = [one for one in meta.get("replicas") or () if one.get("current")]
    return bool(meta.get("leader")) and meta.get("cluster_size") == 3, len(followers) == 2


class Nats(Peer):
    name = "nats"
    needed = (SERVER,)
    loads = (Load("NATS JetStream, not synced", "nats", 2, batched=False, ahead=500, producers=12),)
    rows = rows_of(name, loads)

    def start_nodes(self, load):
        nodes = Nodes(self.name)
        ports = [(free_port(), free_port(), free_port()) for _ in range(3)]
        routes = ", ".join(f'"nats://127.0.0.1:{route}"' for _, route, _ in ports)
        for number, (client, route, monitoring) in enumerate(ports):
            settings = os.path.join(nodes.folder, f"{number}.conf")
            with open(settings, "w", encoding="ascii") as file:
                file.write(f'server_name: "n{number}"\nlisten: "127.0.0.1:{client}"\nhttp: "127.0.0.1:{monitoring}"\n'
                           f'jetstream {{ store_dir: "{os.path.join(nodes.folder, str(number))}" }}\n'
                           f'cluster {{ name: "bench", listen: "127.0.0.1:{route}", routes: [{routes}] }}\n')
            nodes.start(SERVER, "-c", settings)
        nodes.addresses = [f"127.0.0.1:{client}" for client, _, _ in ports]

        def ready():
            healthy = all(asked_of(monitoring, "/healthz")[0] == 200 for _, _, monitoring in ports)
            told = [asked_of(monitoring, "/jsz")[1] for _, _, monitoring in ports]
            if not healthy or not all(told):
                return False
            known = [knows_its_cluster(one) for one in told]
            return all(whole for whole, _ in known) and any(follow for _, follow in known)
        nodes.await_ready(ready)
        return nodes
