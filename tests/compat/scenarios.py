"""What every family of clients must be able to do against three brokers, written once.

A family is a program in its own language with the verbs

  produce OPTIONS   records from standard input, as `quipu produce -f json` takes them, each with a number
                    "i"; prints {"i", "partition", "offset"} for each that is acknowledged
  consume OPTIONS   prints records as `quipu consume -f json` does, until `count` are read
  group OPTIONS     the same as a member of a group, until standard input ends; then leaves
  times OPTIONS     prints {"partition", "offset"} of the first record of `time` or later
  admin OPTIONS     calls from standard input, {"do": name, arguments}; prints {"ok": answer} or {"error": name}

with OPTIONS a JSON object. What a client cannot do is left out, and said.
"""
import json
import os
import re

import batches
import records
from client import ClientCase
from programs import eventually

COUNT = int(os.environ.get("QUIPU_COMPAT_RECORDS", "100000"))
ADMIN_CALLS = ("create_topic", "list_topics", "describe_cluster", "create_partitions", "describe_configs",
               "alter_config", "delete_records", "list_groups", "describe_group", "group_offsets",
               "delete_group", "delete_topic")


class Scenarios(ClientCase):
    """Mixed into a programs.TestCase by each family."""

    # ---- scenarios ----
    def test_every_codec_there_and_back(self):
        for codec in self.codecs:
            with self.subTest(codec):
                topic = "codec-" + codec
                self.cluster.make_topic(topic, partitions=3)
                sent = self.records(0, COUNT)
                acked = self.produce(topic, sent, codec)
                in_log = batches.of(self.cluster, topic)
                # A batch that its codec would make longer is sent as it is.
                self.assertIn(codec, {told for told, _ in in_log})
                self.assertLessEqual({told for told, _ in in_log}, {codec, "none"})
                self.assertNotIn(-1, [producer for _, producer in in_log])  # -1: it is not idempotent
                by_quipu = self.quipu_consume(topic)
                records.check_equal(self, sent, by_quipu, self.timestamps)
                self.check_told_offsets(sent, acked, by_quipu)
                read = self.consume(topic, 3, len(sent))
                records.check_equal(self, sent, records.in_log_order(read), self.timestamps)

    def test_what_quipu_wrote_is_read(self):
        for codec in batches.CODECS:
            with self.subTest(codec):
                topic = "from-quipu-" + codec
                self.cluster.make_topic(topic, partitions=3)
                sent = [self.readable(i) for i in range(COUNT // 10)]
                self.quipu_produce(topic, sent, codec)
                self.assertIn(codec, {told for told, _ in batches.of(self.cluster, topic)})
                read = self.consume(topic, 3, len(sent))
                records.check_equal(self, sent, records.in_log_order(read))

    def test_keys_land_where_quipu_puts_them(self):
        self.cluster.make_topic("both", partitions=7)
        keys = [f"key-{i}-{'é' * (i % 4)}" for i in range(300)]
        self.quipu_produce("both", [{"key": key, "value": "quipu"} for key in keys])
        mine = [{"i": i, "key": key, "value": "client", "headers": []} for i, key in enumerate(keys)]
        self.produce("both", mine)
        read = self.quipu_consume("both")
        self.assertEqual(len(read), 2 * len(keys))
        records.check_partitions(self, read)
        self.assertEqual(len({one["partition"] for one in read}), 7)

    def test_looks_up_times_and_starts_anywhere(self):
        self.cluster.make_topic("times", partitions=2)
        sent = [self.readable(i) for i in range(2000)]
        self.quipu_produce("times", sent)
        moment = records.BASE_TIME + 1200
        by_quipu = self.quipu_consume("times")
        expected = {p: min(one["offset"] for one in by_quipu
                           if one["partition"] == p and one["timestamp"] >= moment) for p in (0, 1)}
        told = self.child("times", topic="times", partitions=2, time=moment).finish()
        self.assertEqual({one["partition"]: one["offset"] for one in told}, expected)
        rest = [one for one in by_quipu if one["offset"] >= expected[one["partition"]]]
        self.assertLess(len(rest), len(sent))
        read = self.consume("times", 2, len(rest), offsets={str(p): o for p, o in expected.items()})
        records.check_equal(self, rest, records.in_log_order(read))
        self.assertEqual({p: min(one["offset"] for one in read if one["partition"] == p) for p in (0, 1)}, expected)

    def test_the_leader_is_killed_in_the_middle(self):
        self.cluster.make_topic("killed", partitions=3)
        sent = self.records(0, COUNT)
        leader = self.cluster.json("topic", "describe", "killed")["partitions"][0]["leader"]
        child = self.child("produce", topic="killed", codec="none")
        third = len(sent) // 3
        self.addCleanup(self.cluster.up)
        child.feed(sent[:third], 2 / (third / 500), 500)
        self.cluster.kill(f"broker-{leader}")
        child.feed(sent[third:], 4 / (third / 250), 500)
        acked = child.finish()
        self.assertNotEqual(self.cluster.json("topic", "describe", "killed")["partitions"][0]["leader"], leader)
        self.check_acknowledged(sent, acked)
        read = self.quipu_consume("killed")
        records.check_equal(self, sent, read, self.timestamps)
        self.check_told_offsets(sent, acked, read)

    # ---- groups ----
    def test_groups_with_joins_and_leaves(self):
        self.cluster.make_topic("shared", partitions=6)
        part = max(1000, COUNT // 20)
        sent = [self.readable(i) for i in range(4 * part)]
        self.quipu_produce("shared", sent[:part])
        members = [self.child("group", topic="shared", group="sharers") for _ in range(2)]
        self.await_members("sharers", 2)
        self.quipu_produce("shared", sent[part:2 * part])
        self.await_no_lag("sharers")
        members.append(self.child("group", topic="shared", group="sharers"))
        self.quipu_produce("shared", sent[2 * part:3 * part])
        self.await_members("sharers", 3)
        members[0].finish()
        self.await_members("sharers", 2)
        self.quipu_produce("shared", sent[3 * part:])
        self.await_no_lag("sharers")
        for member in members[1:]:
            member.finish()
        self.eventually(lambda: self.group("sharers")["state"] == "Empty", "sharers", "the group to be empty")
        self.await_no_lag("sharers")
        self.check_delivered(sent, members, [*range(part, 2 * part), *range(3 * part, 4 * part)])

    def test_a_group_outlives_its_coordinator(self):
        self.cluster.make_topic("outlived", partitions=6)
        half = max(1000, COUNT // 20)
        sent = [self.readable(i) for i in range(2 * half)]
        members = [self.child("group", topic="outlived", group="outlivers") for _ in range(2)]
        self.await_members("outlivers", 2)
        self.quipu_produce("outlived", sent[:half])
        self.await_no_lag("outlivers")
        self.addCleanup(self.cluster.up)
        self.cluster.kill(f"broker-{self.group('outlivers')['coordinator']}")
        self.quipu_produce("outlived", sent[half:])
        self.await_members("outlivers", 2)
        self.await_no_lag("outlivers")
        for member in members:
            member.finish()
        self.check_delivered(sent, members, range(half))

    # ---- admin ----
    def answer(self, child, verb, **arguments):
        """Asked again where the coordinator has just moved: not every client does that itself."""
        def asked():
            told = child.ask({"do": verb, **arguments})
            return None if re.search("not_?coordinator", told.get("error", ""), re.I) else told
        return eventually(asked, f"the coordinator to answer {verb}")

    def call(self, child, verb, **arguments):
        answer = self.answer(child, verb, **arguments)
        self.assertIn("ok", answer, f"{verb} {arguments}: {child.tail()}")
        return answer["ok"]

    def test_admin_calls(self):
        if not self.admin_calls:
            self.skipTest("this client has no admin calls")
        child = self.child("admin")
        made = {"name": "made", "partitions": 2, "replicas": 3, "configs": {"retention.ms": "86400000"}}
        self.call(child, "create_topic", **made)
        self.assertRegex(self.answer(child, "create_topic", **made)["error"].lower(), "topic.*exists")
        partitions = lambda: self.cluster.json("topic", "describe", "made")["partitions"]
        self.assertEqual([len(p["replicas"]) for p in partitions()], [3, 3])
        self.told(child, "list_topics", lambda topics: self.assertIn("made", topics))
        self.told(child, "describe_cluster", lambda told: self.assertEqual(told["brokers"], 3))
        if self.has(child, "create_partitions", name="made", partitions=5):
            self.assertEqual(len(partitions()), 5)
        self.configs(child)
        self.deleted_records(child)
        self.groups_of_admin(child)
        if self.has(child, "delete_topic", name="made"):
            eventually(lambda: "made" not in [t["name"] for t in self.cluster.json("topic", "list")],
                       "the topic to be gone")
        child.finish()

    def has(self, child, verb, **arguments):
        if verb in self.admin_calls:
            self.call(child, verb, **arguments)
        return verb in self.admin_calls

    def told(self, child, verb, check, **arguments):
        if verb in self.admin_calls:
            check(self.call(child, verb, **arguments))

    def configs(self, child):
        self.told(child, "describe_configs",
                  lambda told: self.assertEqual(told["retention.ms"], "86400000"), name="made")
        if self.has(child, "alter_config", name="made", key="retention.ms", value="3600000"):
            eventually(lambda: self.call(child, "describe_configs", name="made")["retention.ms"] == "3600000",
                       "the config to be altered")
            self.assertEqual(self.cluster.json("topic", "describe", "made")["configs"]["retention.ms"], "3600000")

    def deleted_records(self, child):
        self.quipu_produce("made", [{"key": f"acc-{i % 50}", "value": str(i)} for i in range(500)])
        before = [one for one in self.quipu_consume("made") if one["partition"] == 0]
        self.assertGreater(len(before), 20)
        if self.has(child, "delete_records", name="made", partition=0, offset=10):
            left = [one for one in self.quipu_consume("made") if one["partition"] == 0]
            self.assertEqual(left, before[10:])

    def groups_of_admin(self, child):
        member = self.child("group", topic="made", group="seen")
        count = len(self.cluster.json("topic", "describe", "made")["partitions"])
        eventually(lambda: self.group("seen")["state"] == "Stable" and all(
            offset["lag"] == 0 for offset in self.group("seen")["offsets"]) and len(
                self.group("seen")["offsets"]) == count, "the group to have read all", 90)
        self.told(child, "list_groups", lambda groups: self.assertIn("seen", groups))
        self.told(child, "describe_group", lambda told: self.assertEqual(
            (told["state"].upper(), told["members"]), ("STABLE", 1)), name="seen")
        offsets = {str(offset["partition"]): offset["committed"] for offset in self.group("seen")["offsets"]}
        self.told(child, "group_offsets", lambda told: self.assertEqual(told, offsets), name="seen")
        if "delete_group" in self.admin_calls:
            refused = self.answer(child, "delete_group", name="seen")["error"]  # it has a member
            self.assertRegex(refused.lower(), "non_?empty|not empty")
        member.finish()
        eventually(lambda: self.group("seen")["state"] == "Empty", "the group to be empty", 60)
        if self.has(child, "delete_group", name="seen"):
            self.assertNotIn("seen", [g["group"] for g in self.cluster.json("group", "list")])
