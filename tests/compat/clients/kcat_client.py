"""The client of the scenarios that is kcat. It has no way to ask for offsets of acknowledgements, nor
for headers or times of single records: its exit code says that all was acknowledged."""
import json
import os
import signal
import subprocess
import sys

SEPARATOR, END = "\x1f", "\x1e"


def kcat(options, *arguments, **more):
    settings = ["topic.partitioner=murmur2_random", "socket.timeout.ms=5000"]
    flags = [part for setting in settings for part in ("-X", setting)]
    return subprocess.Popen(["kcat", "-b", options["bootstrap"], *flags, *map(str, arguments)],
                            text=True, **more)


def produce(options):
    child = kcat(options, "-P", "-t", options["topic"], "-K", SEPARATOR, "-D", END, "-Z", "-z",
                 options["codec"], "-H", "source=compat", "-X", "enable.idempotence=true",
                 stdin=subprocess.PIPE)
    lines = []
    for line in sys.stdin:
        record = json.loads(line)
        child.stdin.write((record["key"] or "") + SEPARATOR + (record["value"] or "") + END)
        child.stdin.flush()
        lines.append(record["i"])
    child.stdin.close()
    if child.wait() != 0:
        sys.exit(child.returncode)
    for i in lines:
        print(json.dumps({"i": i}))


def show(line):
    """kcat's JSON as `quipu consume -f json` would print it."""
    told = json.loads(line)
    pairs = told.get("headers") or []
    print(json.dumps({"partition": told["partition"], "offset": told["offset"], "timestamp": told["ts"],
                      "key": told["key"], "value": told["payload"],
                      "headers": [{"key": k, "value": v} for k, v in zip(pairs[::2], pairs[1::2])]}),
          flush=True)


def consume(options):
    starts = options.get("offsets") or {p: "beginning" for p in range(options["partitions"])}
    left = options["count"]
    for partition, start in starts.items():
        child = kcat(options, "-C", "-t", options["topic"], "-p", partition, "-o", start, "-e", "-q",
                     "-J", stdout=subprocess.PIPE)
        for line in child.stdout:
            if left > 0:
                show(line)
                left -= 1
        if child.wait() != 0:
            sys.exit(child.returncode)
    if left > 0:
        sys.exit(f"{left} records fewer than expected")


def group(options):
    child = kcat(options, "-G", options["group"], "-q", "-u", "-J", "-X", "auto.offset.reset=earliest", "-X",
                 "auto.commit.interval.ms=200", options["topic"], stdout=subprocess.PIPE)
    if os.fork() == 0:
        sys.stdin.read()
        os.kill(child.pid, signal.SIGTERM)
        os._exit(0)
    for line in child.stdout:
        show(line)
    sys.exit(child.wait())


def times(options):
    for partition in range(options["partitions"]):
        child = kcat(options, "-Q", "-t", f"{options['topic']}:{partition}:{options['time']}",
                     stdout=subprocess.PIPE)
        told = child.communicate()[0]
        if child.returncode != 0:
            sys.exit(child.returncode)
        print(json.dumps({"partition": partition, "offset": int(told.split("offset ")[1])}))


if __name__ == "__main__":
    {"produce": produce, "consume": consume, "group": group, "times": times}[sys.argv[1]](
        json.loads(sys.argv[2]))
