"""Goal: the verbs of `quipu group` show members and lag, and reset, delete and refuse as they say, as
text and as JSON. Method: one three-node cluster, the `quipu` program, and what it prints.
"""
import datetime
import os
import time
import unittest

import programs
from programs import Cluster, eventually, folder


class GroupTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.quipu, cls.json = cls.cluster.quipu, cls.cluster.json

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def make(self, topic, group, consumed, partitions=1, count=10):
        """A topic with `count` records a partition, and a group that has read some of the first."""
        self.cluster.make_topic(topic, partitions=partitions)
        for partition in range(partitions):
            self.json("produce", topic, "-p", partition,
                      text="".join(f"{i}\n" for i in range(count)))
        self.check(self.quipu("consume", topic, "-g", group, "--from-beginning", "-n", consumed), 0)

    def offsets(self, group):
        return {(o["topic"], o["partition"]): o
                for o in self.json("group", "describe", group)["offsets"]}

    def committed(self, group):
        return {key[1]: o["committed"] for key, o in self.offsets(group).items()}

    def rows(self, done):
        return [line.split() for line in self.check(done, 0).stdout.splitlines()]

    def test_members_and_lag_are_described(self):
        began = time.time()
        self.make("seen", "viewers", 4)
        first = self.offsets("viewers")[("seen", 0)]
        self.assertEqual((first["committed"], first["log_end"], first["lag"], first["member"]),
                         (4, 10, 6, None))
        self.assertGreaterEqual(first["lag_seconds"], 0)
        self.assertLessEqual(first["lag_seconds"], time.time() - began + 0.01)
        eventually(lambda: self.offsets("viewers")[("seen", 0)]["lag_seconds"]
                   > first["lag_seconds"] + 1, "the lag to grow: nobody consumes")
        member = programs.start("quipu", "consume", "seen", "-g", "viewers", "-b",
                                self.cluster.bootstrap)
        try:
            group = eventually(lambda: self.caught_up("viewers"), "the member to have read all")
            told = group["members"][0]
            self.assertEqual(told["assignment"], [{
                "topic": "seen", "topic_id": told["assignment"][0]["topic_id"], "partitions": [0]}])
            self.assertEqual((told["host"], told["instance_id"]), ("127.0.0.1", None))
            offset = group["offsets"][0]
            self.assertEqual((offset["lag"], offset["lag_seconds"], offset["member"]),
                             (0, 0.0, told["member"]))
            rows = self.rows(self.quipu("group", "describe", "viewers"))
            self.assertEqual(rows[1], ["MEMBER", "INSTANCE", "CLIENT", "HOST", "EPOCH",
                                       "PARTITIONS"])
            self.assertEqual(rows[2], [told["member"], "-", told["client_id"], "127.0.0.1",
                                       str(told["epoch"]), "seen:0"])
            self.assertEqual(rows[3], ["TOPIC", "PARTITION", "COMMITTED", "LOG-END", "LAG",
                                       "LAG-SECONDS", "MEMBER"])
            self.assertEqual(rows[4], ["seen", "0", "10", "10", "0", "0.0", told["member"]])
            self.refuses_while_active("viewers", "seen")
        finally:
            member.terminate()
            member.communicate(timeout=30)
        eventually(lambda: self.json("group", "describe", "viewers")["state"] == "Empty", "leaving")
        self.assertEqual(self.json("group", "delete", "viewers"), {"deleted": "viewers"})
        self.check(self.quipu("group", "describe", "viewers"), 1, "GROUP_ID_NOT_FOUND")
        self.check(self.quipu("group", "delete", "viewers"), 1, "GROUP_ID_NOT_FOUND")

    def caught_up(self, name):
        group = self.json("group", "describe", name)
        done = group["state"] == "Stable" and group["members"] and group["offsets"][0]["lag"] == 0
        return group if done else None

    def refuses_while_active(self, group, topic):
        for more in ([], ["--execute"]):
            self.check(self.quipu("group", "offsets", "reset", group, "--topic", topic,
                                  "--to-earliest", *more), 1, "NON_EMPTY_GROUP", "is active",
                       "stop its consumers first")
        self.check(self.quipu("group", "delete", group), 1, "NON_EMPTY_GROUP", "is active")
        self.check(self.quipu("group", "offsets", "delete", group, "--topic", topic), 1,
                   "GROUP_SUBSCRIBED_TO_TOPIC", topic)

    def test_a_stopped_static_member_is_taken_out_before_its_session_ends(self):
        self.cluster.make_topic("fixed")
        self.json("produce", "fixed", text="1\n2\n")
        # Its session lasts 45 s after it has ended.
        self.check(self.quipu("consume", "fixed", "-g", "fixers", "--instance-id", "one",
                              "--from-beginning", "-n", 2), 0)
        member = self.json("group", "describe", "fixers")["members"][0]
        self.assertEqual((member["instance_id"], member["assignment"][0]["partitions"]),
                         ("one", [0]))
        self.check(self.quipu("group", "delete", "fixers"), 1, "NON_EMPTY_GROUP", "remove-member")
        self.check(self.quipu("group", "remove-member", "fixers", "--instance-id", "two"), 1,
                   "UNKNOWN_MEMBER_ID", "group fixers has no static member two")
        self.assertEqual(self.json("group", "remove-member", "fixers", "--instance-id", "one"),
                         {"group": "fixers", "removed": ["one"]})
        group = self.json("group", "describe", "fixers")
        self.assertEqual((group["state"], group["members"]), ("Empty", []))
        self.assertEqual(group["offsets"][0]["committed"], 2, "its offsets stay")
        self.json("group", "delete", "fixers")
        self.check(self.quipu("group", "remove-member", "fixers", "--instance-id", "one"), 1,
                   "GROUP_ID_NOT_FOUND")
        self.check(self.quipu("group", "remove-member", "fixers"), 2)
        self.check(self.quipu("consume", "fixed", "--instance-id", "one"), 2, "group")

    def test_offsets_are_reset_when_it_is_to_be_executed(self):
        self.make("moved", "movers", 20, partitions=2)

        def reset(*arguments):
            return self.json("group", "offsets", "reset", "movers", *arguments)
        plan = reset("--topic", "moved", "--to-earliest")
        self.assertEqual(plan, {"group": "movers", "executed": False, "offsets": [
            {"topic": "moved", "partition": n, "committed": 10, "new": 0, "clamped": False}
            for n in (0, 1)]})
        self.assertEqual(self.committed("movers"), {0: 10, 1: 10}, "a dry run changes nothing")
        done = self.quipu("group", "offsets", "reset", "movers", "--topic", "moved",
                          "--to-earliest", "--execute")
        self.assertEqual(self.rows(done), [["TOPIC", "PARTITION", "COMMITTED", "NEW", "NOTE"],
                                           ["moved", "0", "10", "0"], ["moved", "1", "10", "0"],
                                           ["done"]])
        self.assertEqual(self.committed("movers"), {0: 0, 1: 0})
        reset("--topic", "moved", "--to-latest", "--execute")
        self.assertEqual(self.committed("movers"), {0: 10, 1: 10})
        reset("--all-topics", "--shift-by", "-3", "--execute")
        self.assertEqual(self.committed("movers"), {0: 7, 1: 7})
        reset("--topic", "moved:1", "--to-offset", 2, "--execute")
        self.assertEqual(self.committed("movers"), {0: 7, 1: 2})
        far = reset("--topic", "moved:0", "--to-offset", 99, "--execute")["offsets"]
        self.assertEqual((far[0]["new"], far[0]["clamped"]), (10, True))
        self.assertIn("as far as the log goes", self.quipu(
            "group", "offsets", "reset", "movers", "--topic", "moved:0", "--shift-by", 5).stdout)
        path = os.path.join(folder("plans"), "plan.csv")
        reset("--topic", "moved", "--to-earliest", "--to-file", path)
        self.assertEqual(programs.read(path), "moved,0,0\nmoved,1,0\n")
        reset("--from-file", path, "--execute")
        self.assertEqual(self.committed("movers"), {0: 0, 1: 0})
        # A group goes on from there.
        values = self.check(self.quipu("consume", "moved", "-g", "movers", "-n", 20), 0).stdout
        self.assertEqual(sorted(values.split(), key=int), sorted(list("0123456789") * 2))

    def test_offsets_are_reset_to_a_time(self):
        self.make("timed", "timers", 1, count=3)
        middle = datetime.datetime.now(datetime.timezone.utc)
        self.json("produce", "timed", text="late\n")
        stamp = middle.strftime("%Y-%m-%dT%H:%M:%S") + f".{middle.microsecond // 1000:03d}"
        for zone in ("", "Z", "+00:00"):
            plan = self.json("group", "offsets", "reset", "timers", "--topic", "timed",
                             "--to-datetime", stamp + zone)
            self.assertEqual(plan["offsets"][0]["new"], 3)
        plan = self.json("group", "offsets", "reset", "timers", "--topic", "timed",
                         "--to-datetime", "2999-01-01T00:00:00")
        self.assertEqual(plan["offsets"][0]["new"], 4, "nothing is that new: the end")
        for wrong in ("yesterday", "2026-02-31", "2026-01-01T25:00:00"):
            self.check(self.quipu("group", "offsets", "reset", "timers", "--topic", "timed",
                                  "--to-datetime", wrong), 2, wrong, "expected")

    def test_offsets_of_a_topic_are_deleted(self):
        self.make("kept", "deleters", 2)
        self.make("dropped", "deleters", 2)
        self.assertEqual(
            self.json("group", "offsets", "delete", "deleters", "--topic", "dropped"),
            {"group": "deleters", "deleted": [{"topic": "dropped", "partition": 0}]})
        self.assertEqual(list(self.offsets("deleters")), [("kept", 0)])
        self.assertIn("deleted the offsets of group deleters for 1 partitions", self.check(
            self.quipu("group", "offsets", "delete", "deleters", "--topic", "kept"), 0).stdout)
        self.check(self.quipu("group", "describe", "deleters"), 1, "GROUP_ID_NOT_FOUND")

    def test_wrong_arguments_are_told(self):
        self.make("wrong", "wrongers", 1)

        def reset(code, arguments, *told):
            self.check(self.quipu("group", "offsets", "reset", "wrongers", *arguments), code, *told)
        reset(2, ["--to-earliest"], "which partitions?")
        self.assertNotEqual(self.quipu("group", "offsets", "reset", "wrongers", "--topic",
                                       "wrong").returncode, 0, "no target")
        self.assertNotEqual(self.quipu("group", "offsets", "reset", "wrongers", "--topic", "wrong",
                                       "--to-earliest", "--to-latest").returncode, 0)
        reset(1, ["--topic", "absent", "--to-earliest"], "UNKNOWN_TOPIC_OR_PARTITION", "absent")
        reset(1, ["--topic", "wrong:5", "--to-earliest"], "no partition 5")
        reset(2, ["--topic", "wrong:x", "--to-earliest"], "'x'")
        reset(2, ["--from-file", "/nowhere/plan.csv"], "/nowhere/plan.csv")
        path = os.path.join(folder("plans"), "bad.csv")
        with open(path, "w", encoding="ascii") as file:
            file.write("wrong,0,1\nwrong,0\n")
        reset(2, ["--from-file", path], "line 2", "topic,partition,offset")


if __name__ == "__main__":
    programs.main()
