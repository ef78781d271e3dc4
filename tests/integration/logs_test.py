"""Goal: each line that a server logs can be read by a program, whatever caused it, and none has
contents of records. Method: a cluster at level debug takes records with a marker in every part, and
garbage from a stranger; then every line is parsed.
"""
import base64
import json
import os
import re
import unittest

import programs
import wire
from programs import Cluster, eventually, read
from wire import batch, encode

KEYS, VALUES = "markerkey5f3a", "markervalue9c1d"
# The bytes as they stand, and in the forms that programs print bytes in.
MARKERS = [form for text in (KEYS, VALUES)
           for form in (text, text.encode().hex(), base64.b64encode(text.encode()).decode()[:-4])]
HEAD = ("time", "level", "node", "event")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
TOKEN = re.compile(r'([a-z_][a-z0-9_.]*)=("(?:[^"\\]|\\.)*"|[^ "=\\]+)(?: |$)')


def parse_logfmt(line):
    """The line's pairs in their order; fails when anything is left over."""
    pairs, at = [], 0
    while at < len(line):
        token = TOKEN.match(line, at)
        assert token, f"not logfmt at {at}: {line}"
        value = token.group(2)
        if value[0] == '"':
            value = re.sub(r'\\(x([0-9a-f]{2})|.)', lambda m: chr(int(m.group(2), 16))
                           if m.group(2) else m.group(1), value[1:-1])
        pairs.append((token.group(1), value))
        at = token.end()
    return pairs


class LogsTest(programs.TestCase):
    form = "logfmt"

    @classmethod
    def setUpClass(cls):
        settings = [part for role in ("broker", "controller")
                    for setting in ("log.level=debug", f"log.format={cls.form}",
                                    "log.event.lines.max=5")
                    for part in (f"--{role}-set", setting)]
        cls.cluster = Cluster(3, *settings)
        cls.cluster.make_topic("marked", max_message_bytes=2000)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def pairs(self, line):
        if self.form == "json":
            return list(json.loads(line).items())
        return parse_logfmt(line)

    def logs(self):
        return {name: read(os.path.join(self.cluster.directory, name, "node.log"))
                for name in self.cluster.nodes}

    def work(self):
        """Records in all ways: taken, refused, damaged, repeated, read by a group, failed over."""
        lines = "".join(f"{KEYS}{i}:{VALUES}{i}\n" for i in range(50))
        self.cluster.json("produce", "marked", "--key-separator", ":", text=lines)
        self.cluster.quipu("produce", "marked", text=VALUES * 500 + "\n")  # too large
        topic = wire.Topic(self.cluster.bootstrap.split(",")[0], "marked")
        damaged = bytearray(batch([VALUES.encode()]))
        damaged[17] ^= 0x40
        topic.produce(bytes(damaged))
        topic.produce(VALUES.encode() * 20)
        self.cluster.quipu("consume", "marked", "--group", KEYS[3:8], "--from-beginning", "-n", 10)
        self.cluster.kill("broker-1")
        eventually(lambda: "event=broker.fenced" in "".join(self.logs().values())
                   or '"broker.fenced"' in "".join(self.logs().values()), "broker 1 to be fenced")
        self.cluster.up()
        self.cluster.json("produce", "marked", "--key-separator", ":", text=lines)

    def test_lines_are_whole_and_have_no_contents(self):
        self.work()
        # A topic's name of bytes that are no UTF-8: protobuf complains of each.
        for _ in range(7):
            for server in self.cluster.bootstrap.split(","):
                wire.call(server, "/quipu.rpc.Broker/Metadata",
                          [encode((2, b"\xff\xfe\x1b[2J"))], unary=True)
        logs = self.logs()
        for name, text in logs.items():
            self.assertTrue(text, name)
            for line in text.splitlines():
                pairs = self.pairs(line)
                self.assertEqual(tuple(key for key, _ in pairs[:4]), HEAD, line)
                self.assertEqual(pairs[-1][0], "msg", line)
                fields = dict(pairs)
                self.assertEqual(len(fields), len(pairs), line)
                self.assertRegex(fields["time"], TIME)
                self.assertIn(fields["level"], ("debug", "info", "warn", "error"))
                self.assertIn(fields["node"], (name, name.split("-")[0]))
        everything = "".join(logs.values())
        for marker in MARKERS:
            self.assertNotIn(marker, everything)
        self.assertIn("broker.fenced", everything)
        for name in self.cluster.nodes:
            if name.startswith("broker"):
                said = [dict(self.pairs(line)) for line in logs[name].splitlines()]
                told = [pairs for pairs in said if pairs["event"] == "protobuf"]
                self.assertIn(len(told), range(5, 11), "limited, in one window or two")
                self.assertIn("UTF-8", told[0]["message"])


class JsonLogsTest(LogsTest):
    form = "json"


if __name__ == "__main__":
    programs.main()
