#!/usr/bin/env python3
"""Makes the golden frames of the Kafka wire: one file API.txt here for each API and all its versions.

The bytes are made by Kafka's own Java client (org.apache.kafka:kafka-clients, below), not by Quipu:
this script invents values for the fields that the message schemas inside that jar name, and
EncodeWithKafka.java has Kafka's classes encode them. Needs a JDK of 17 or later, Maven and Maven
Central; the tests need none of them, only the files. The same files on every machine.

  make_golden.py            makes all of them anew

Each line: request or response, version, correlation id, client id (- for null), header, body (both
in hexadecimal, without the frame's size) and the message as Kafka's JSON.
"""
import base64
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
BATCHES = os.path.join(HERE, "..", "..", "record", "vectors")
KAFKA = "org.apache.kafka:kafka-clients:4.1.1"
JACKSON = tuple(f"com.fasterxml.jackson.core:jackson-{part}:2.17.2"
                for part in ("databind", "core", "annotations"))
# The versions that core/kafka/api.cc serves; the test fails when one of them has no line.
VERSIONS = {
    "Produce": (3, 11), "Fetch": (4, 18), "ListOffsets": (1, 10), "Metadata": (0, 13),
    "OffsetCommit": (2, 10), "OffsetFetch": (1, 10), "FindCoordinator": (0, 6), "JoinGroup": (0, 9),
    "Heartbeat": (0, 4), "LeaveGroup": (0, 5), "SyncGroup": (0, 5), "DescribeGroups": (0, 6),
    "ListGroups": (0, 5), "ApiVersions": (0, 4), "CreateTopics": (2, 7), "DeleteTopics": (1, 6),
    "DeleteRecords": (0, 2), "InitProducerId": (0, 5), "OffsetForLeaderEpoch": (2, 4),
    "DescribeConfigs": (1, 4), "AlterConfigs": (0, 2), "DescribeLogDirs": (1, 4),
    "CreatePartitions": (0, 3), "DeleteGroups": (0, 2), "ElectLeaders": (0, 2),
    "IncrementalAlterConfigs": (0, 1), "OffsetDelete": (0, 0), "DescribeCluster": (0, 2),
    "DescribeProducers": (0, 0), "DescribeTopicPartitions": (0, 0)}
WORDS = ("payments", "ledger-7", "a", "", "ñandú", "consumer-1-6f2b", "range", "10.0.0.7")
ERRORS = (0, -1, 1, 3, 5, 6, 15, 16, 19, 25, 27, 35, 42, 45, 87, 100)
BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
# How much of a message is there: nothing that may be missing; all of it; some of it.
FILLS = ("sparse", "full", "mixed")


def in_range(versions, version):
    match = re.fullmatch(r"(\d+)(?:(\+)|-(\d+))?", versions or "")
    if not match:
        return False
    first = int(match.group(1))
    last = 1 << 15 if match.group(2) else int(match.group(3) or first)
    return first <= version <= last


class Inventor:
    """Values for the fields of one message."""

    def __init__(self, schema, version, fill, rng):
        self.version, self.fill, self.rng = version, fill, rng
        self.structs = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}

    def is_there(self):
        return self.fill == "full" or (self.fill == "mixed" and self.rng.random() < 0.5)

    def blob(self):
        return self.rng.randbytes(self.rng.choice((0, 1, 7, 130)))

    def batches(self):
        made = b""
        for name in self.rng.choice(((), ("one_record",), ("empty_key_and_value", "one_record"))):
            with open(os.path.join(BATCHES, f"{name}.bin"), "rb") as file:
                made += file.read()
        return made

    def scalar(self, kind, name):
        if kind in BITS:
            if name.endswith("ErrorCode"):
                return self.rng.choice(ERRORS)
            half = 1 << (BITS[kind] - 1)
            if self.rng.random() < 0.3:
                return self.rng.choice((0, 1, -1, half - 1, -half))
            return self.rng.randrange(-half, half)
        if kind == "bool":
            return self.rng.random() < 0.5
        if kind == "string":
            return self.rng.choice(WORDS)
        if kind == "uuid":
            return base64.urlsafe_b64encode(self.rng.randbytes(16)).decode().rstrip("=")
        if kind in ("bytes", "records"):
            return base64.b64encode(self.blob() if kind == "bytes" else self.batches()).decode()
        sys.exit(f"make_golden.py: no values for type {kind}")

    def value(self, field, kind):
        if kind.startswith("[]"):
            count = self.rng.choice((1, 2)) if self.is_there() else 0
            return [self.value(field, kind[2:]) for _ in range(count)]
        if kind[0].isupper():
            return self.struct(field.get("fields") or self.structs[kind])
        return self.scalar(kind, field["name"])

    def struct(self, fields):
        made = {}
        for field in fields:
            if not in_range(field["versions"], self.version):
                continue
            if "tag" in field and not self.is_there():
                continue
            name = field["name"][0].lower() + field["name"][1:]
            nullable = in_range(field.get("nullableVersions"), self.version)
            made[name] = None if nullable and not self.is_there() else self.value(field, field["type"])
        return made


def schemas(jar):
    with zipfile.ZipFile(jar) as files:
        for name in files.namelist():
            match = re.fullmatch(r"common/message/(\w+?)(Request|Response)\.json", name)
            if match and match.group(1) in VERSIONS:
                text = re.sub(r"^\s*//.*$|\s//.*$", "", files.read(name).decode(), flags=re.MULTILINE)
                yield (match.group(1), match.group(2).lower()), json.loads(text)


def cases(found):
    for api, (first, last) in sorted(VERSIONS.items()):
        for kind in ("request", "response"):
            for version in range(first, last + 1):
                for fill in FILLS:
                    rng = random.Random(f"{api} {kind} {version} {fill}")
                    schema = found[api, kind]
                    message = Inventor(schema, version, fill, rng).struct(schema["fields"])
                    client = "-" if kind == "response" else rng.choice(("-", "app", "pagos-ñ"))
                    yield api, kind, version, rng.randrange(1 << 31), client, message


def fetch_jars(folder):
    """Kafka's client and what its JSON converters need, copied to `folder` by Maven."""
    for artifact in (KAFKA, *JACKSON):
        subprocess.run(["mvn", "-q", "dependency:copy", f"-Dartifact={artifact}",
                        f"-DoutputDirectory={folder}"], check=True)
    return sorted(os.path.join(folder, file) for file in os.listdir(folder))


def with_records(understood, invented):
    """Kafka's converter tells of record bytes only that there are some: put back what they were."""
    if isinstance(understood, list):
        return [with_records(*pair) for pair in zip(understood, invented)]
    if not isinstance(understood, dict):
        return understood
    return {name: invented[name] if name == "records" else with_records(value, invented.get(name))
            for name, value in understood.items()}


def encode(jars, folder, made):
    lines = "".join(f"{api} {kind} {version} {correlation} {client} {json.dumps(message)}\n"
                    for api, kind, version, correlation, client, message in made)
    class_path = os.pathsep.join([*jars, folder])
    subprocess.run(["javac", "-cp", class_path, "-d", folder,
                    os.path.join(HERE, "EncodeWithKafka.java")], check=True)
    encoded = subprocess.run(["java", "-cp", class_path, "EncodeWithKafka"], input=lines, check=True,
                             capture_output=True, text=True).stdout.splitlines()
    if len(encoded) != len(made):
        sys.exit(f"make_golden.py: {len(made)} messages, {len(encoded)} encoded")
    return encoded


def main():
    with tempfile.TemporaryDirectory() as folder:
        jars = fetch_jars(os.path.join(folder, "jars"))
        kafka = next(jar for jar in jars if "kafka-clients" in jar)
        made = list(cases(dict(schemas(kafka))))
        encoded = encode(jars, folder, made)
    files = {}
    for (api, kind, version, correlation, client, message), line in zip(made, encoded):
        header, body, understood = line.split(" ", 2)
        text = json.dumps(with_records(json.loads(understood), message), ensure_ascii=False,
                          separators=(",", ":"))
        files.setdefault(api, []).append(
            f"{kind} {version} {correlation} {client} {header} {body} {text}\n")
    for api, lines in files.items():
        with open(os.path.join(HERE, f"{api}.txt"), "w", encoding="utf-8") as file:
            file.write(f"# Made by make_golden.py with {KAFKA}.\n")
            file.writelines(lines)
    print(f"{len(made)} messages of {len(files)} APIs")


if __name__ == "__main__":
    main()
