"""The whole set of figures, or parts of it: see scripts/bench."""
import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "tests", "integration"), os.path.join(ROOT, "tests", "compat")]
SET = ("store", "produce", "latency", "read", "restart", "failover", "many")
PEERS = ("kafka", "redis", "nats", "rabbitmq")
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "overlay")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=(
        "Measures floors and Quipu in the same rounds, and tells what was reached of which goal."))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(SET + PEERS)}; default: the first "
                        f"{len(SET)}. {', '.join(PEERS)} are peers, and have a table of their own")
    parser.add_argument("--rounds", type=int, help="default 5; with --quick 1")
    parser.add_argument("--quick", action="store_true", help="a smoke run: some seconds a figure, which means nothing")
    parser.add_argument("--store", choices=("rocksdb", "journal"), default="journal",
                        help="log.store of every broker")
    parser.add_argument("--dir", default=os.path.join(ROOT, "build", "bench"),
                        help="where everything is written, on the disk that is measured; default: %(default)s")
    parser.add_argument("--out", help="the JSON; default: results.json, or peers.json, in --dir")
    parser.add_argument("--write-docs", action="store_true", help="puts the table into docs/benchmarks.md")
    parser.add_argument("--from-json", metavar="FILE", help="measures nothing: tells of an earlier run")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(SET + PEERS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}")
    asked.parts = asked.parts or list(SET)
    peers = [part for part in asked.parts if part in PEERS]
    if peers and len(peers) < len(asked.parts):
        parser.error("peers have a run of their own")
    asked.kind = "peers" if peers else "figures"
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    return asked


def file_system_of(path):
    """(its type, and the device)"""
    told = subprocess.run(["findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", path], text=True, capture_output=True,
                          check=True).stdout.split()
    return told[0], told[-1]


def machine(asked):
    with open("/proc/cpuinfo", encoding="ascii") as file:
        cpu = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(re.search(r"^MemTotal: +(\d+)", file.read())[1]) / (1 << 20)
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True, capture_output=True,
                            check=False).stdout.strip()
    return {"date": datetime.date.today().isoformat(), "commit": commit or "unknown", "rounds": asked.rounds,
            "quick": asked.quick, "store": asked.store, "cpu": cpu[1] if cpu else platform.machine(),
            "cores": os.cpu_count(), "memory_gib": memory, "kernel": platform.release(),
            "file_system": " on ".join(file_system_of(asked.dir)), "loads": [],
            "command": " ".join(["scripts/bench", *sys.argv[1:]]).replace(" --write-docs", "")}


def subjects(asked, plan, results):
    import failure
    import floors
    import many
    import produce
    import reading
    known = [floors.Store, produce.Full, produce.Latency, reading.Reading, failure.Restart, failure.Failover, many.Many]
    if asked.kind == "peers":
        import kafka
        import nats_peer
        import rabbitmq_peer
        import redis_peer
        known = [kafka.Kafka, redis_peer.Redis, nats_peer.Nats, rabbitmq_peer.RabbitMq]
    return [subject(asked, plan, results) for subject in known if subject.name in asked.parts]


def measure(asked, told, todo):
    began = time.monotonic()
    for number in range(1, asked.rounds + 1):
        told["loads"].append(os.getloadavg()[0])
        for subject in todo:
            started = time.monotonic()
            print(f"round {number}: {subject.name}", flush=True)
            subject.run(number)
            print(f"    ({time.monotonic() - started:.0f} s)", flush=True)
    for subject in todo:
        getattr(subject, "end", lambda: None)()
    told["seconds"] = round(time.monotonic() - began)


def main():
    asked = arguments()
    os.makedirs(asked.dir, exist_ok=True)
    if file_system_of(asked.dir)[0] in MEMORY_FILE_SYSTEMS:
        sys.exit(f"scripts/bench: {asked.dir} is on no disk ({file_system_of(asked.dir)[0]}): name another --dir")
    os.environ["TMPDIR"] = tempfile.tempdir = asked.dir  # for what is imported below
    os.environ["QUIPU_TEST_LOG_STORE"] = asked.store     # the same
    import report
    from results import Plan, Results
    if asked.from_json:
        with open(asked.from_json, encoding="utf-8") as file:
            earlier = json.load(file)
        told, results = earlier["machine"], Results(earlier["values"], earlier["notes"])
        todo = subjects(asked, Plan(told["quick"]), results)
    else:
        told, results = machine(asked), Results()
        todo = subjects(asked, Plan(asked.quick), results)
        measure(asked, told, todo)
        out = asked.out or os.path.join(asked.dir, "peers.json" if asked.kind == "peers" else "results.json")
        with open(out, "w", encoding="utf-8") as file:
            json.dump({"machine": told, "values": results.values, "notes": results.notes}, file, indent=1)
        print(f"\n{told['seconds']} s; {out}")
    rows = [row for subject in todo for row in subject.rows]
    print("\n" + report.heading(told, told["command"]) + "\n\n" + report.table(rows, results))
    if asked.write_docs:
        report.write_page(os.path.join(ROOT, "docs", "benchmarks.md"), asked.kind, told, rows, results)


if __name__ == "__main__":
    main()
