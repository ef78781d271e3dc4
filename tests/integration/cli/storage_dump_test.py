"""Goal: `quipu storage dump` shows what a stopped node's directory holds, changes nothing in it, keeps
payloads to itself and finds damage. Method: a small cluster is filled and stopped; every file of its
directories is compared before and after.
"""
import hashlib
import json
import os
import shutil
import unittest

import programs
from programs import Cluster, run


def fingerprint(folder):
    """Names, sizes, times and contents of all files below a folder."""
    seen = {}
    for path, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(path, name)
            state = os.stat(file)
            with open(file, "rb") as content:
                seen[file] = (state.st_size, state.st_mtime_ns,
                              hashlib.sha256(content.read()).hexdigest())
    return seen


class StorageDumpTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1, "--controller-set", "default.replication.factor=1",
                              "--controller-set", "min.insync.replicas=1")
        cls.cluster.make_topic("dumped", partitions=2, replicas=1)
        for batch in range(3):
            cls.cluster.json("produce", "dumped", "-p", 0, "-k", "key-text",
                             text=f"secret-{batch}\nmore\n")
        node = os.path.join(cls.cluster.directory, "broker-1", "data")
        cls.running = run("quipu", "storage", "dump", node)
        run("quipu", "cluster", "down", "--dir", cls.cluster.directory, "--timeout", 15000)
        cls.broker = node
        cls.controller = os.path.join(cls.cluster.directory, "controller-1", "data")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def dump(self, directory, *arguments, code=0):
        done = self.check(run("quipu", "storage", "dump", directory, "-o", "json", *arguments), code)
        return json.loads(done.stdout)

    def test_a_running_broker_is_refused(self):
        self.check(self.running, 1, "in use by another process", "stop that node first")

    def test_a_broker_is_shown_and_not_changed(self):
        before = fingerprint(self.broker)
        told = self.dump(self.broker, "--batches")
        text = self.check(run("quipu", "storage", "dump", self.broker, "--batches"), 0).stdout
        self.assertEqual(fingerprint(self.broker), before)
        self.assertEqual((told["directory"]["role"], told["directory"]["node_id"]), ("broker", 1))
        self.assertIsNone(told["directory"]["unproven"])
        self.assertIs(told["directory"]["watermark"]["unclean"], False)
        full = [p for p in told["partitions"] if p["log_end_offset"] == 6]
        self.assertEqual(len(full), 1)
        log = full[0]
        self.assertEqual((log["records"], log["damaged_batches"]), (6, 0))
        self.assertEqual(log["epochs"][0]["start_offset"], 0)
        self.assertEqual([b["checksums"] for b in log["shown"]], ["ok"] * log["batches"])
        self.assertEqual(log["shown"][-1]["last_offset"], 5)
        self.assertGreaterEqual(log["shown"][0]["producer_id"], 0)
        for said in (text, json.dumps(told)):
            self.assertNotIn("secret-0", said)
            self.assertNotIn("key-text", said)
        self.assertIn(f"partition_uid={log['partition_uid']}", text)

    def test_filters_and_payload(self):
        uid = next(p["partition_uid"] for p in self.dump(self.broker)["partitions"]
                   if p["log_end_offset"] == 6)
        told = self.dump(self.broker, "--partition-uid", uid, "--from", 2, "--to", 4, "--payload")
        self.assertEqual([p["partition_uid"] for p in told["partitions"]], [uid])
        values = [r["value"] for b in told["partitions"][0]["shown"] for r in b["payload"]]
        self.assertEqual(values, ["secret-1", "more"])
        told = self.dump(self.broker, "--partition-uid", uid, "--batches", "--limit", 1)
        self.assertEqual(len(told["partitions"][0]["shown"]), 1)

    def test_a_controllers_raft_store_is_shown_and_not_changed(self):
        before = fingerprint(self.controller)
        told = self.dump(self.controller, "--entries")
        self.assertEqual(fingerprint(self.controller), before)
        raft = told["raft"]
        self.assertGreaterEqual(raft["term"], 1)
        self.assertEqual((raft["voted_for"], raft["damage"]), (1, []))
        self.assertEqual([e["index"] for e in raft["shown"]],
                         list(range(raft["first_index"], raft["last_index"] + 1)))
        self.assertIn("command", {e["kind"] for e in raft["shown"]})
        self.assertEqual(told["directory"]["voters"][0].split("@")[0], "1")
        text = self.check(run("quipu", "storage", "dump", self.controller), 0).stdout
        self.assertIn(f"term={raft['term']}", text)

    def test_what_is_no_directory_or_is_damaged_is_said(self):
        self.check(run("quipu", "storage", "dump", programs.WORK), 1, "is no data directory")
        copy = os.path.join(programs.folder("copy"), "data")
        shutil.copytree(self.broker, copy)
        with open(os.path.join(copy, "watermark"), "wb") as file:
            file.write(b"x" * 8192)
        told = self.dump(copy, code=4)
        self.assertIn("neither slot is sound", told["directory"]["unproven"])
        self.assertIsNone(told["directory"]["watermark"])


if __name__ == "__main__":
    programs.main()
