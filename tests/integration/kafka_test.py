"""Goal: clients of the Kafka protocol write and read what gRPC clients read and write, and garbage on
the listener hurts nobody. Method: kcat (librdkafka) and bare sockets against real brokers."""
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

import programs
from kafka_wire import API_VERSIONS, OFFSET_DELETE, Wire, produce_body, produced, request, string
from programs import Cluster, eventually

KCAT = shutil.which("kcat")
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class KafkaCase(programs.TestCase):
    settings = ()  # of the cluster

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, *cls.settings)
        cls.addClassCleanup(cls.cluster.down)
        cls.kafka = cls.cluster.kafka_bootstrap

    def kcat(self, *arguments, text=""):
        done = programs.run(KCAT, "-b", self.kafka, "-X", "socket.timeout.ms=5000", *arguments, text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def read_by_grpc(self, topic, count):
        done = self.cluster.quipu("consume", topic, "--from-beginning", "-n", count, "-f", "json")
        self.check(done, 0)
        return [programs.json.loads(line) for line in done.stdout.splitlines()]


class KafkaTest(KafkaCase):
    @unittest.skipUnless(KCAT, "there is no kcat here (scripts/setup --tests installs it)")
    def test_every_codec_from_kafka_to_grpc(self):
        self.cluster.make_topic("from-kafka", partitions=3)
        sent = []
        for codec in CODECS:
            lines = [f"acc-{i % 7}:{codec}-{i}" for i in range(500)]
            self.kcat("-P", "-t", "from-kafka", "-K:", "-z", codec, "-H", "codec=" + codec,
                      "-X", "enable.idempotence=true", text="\n".join(lines) + "\n")
            sent += lines
        records = self.read_by_grpc("from-kafka", len(sent))
        self.assertCountEqual([f"{r['key']}:{r['value']}" for r in records], sent)
        for account in range(7):  # in the order of sending, in one partition
            mine = [r for r in records if r["key"] == f"acc-{account}"]
            self.assertEqual([f"{r['key']}:{r['value']}" for r in mine],
                             [line for line in sent if line.startswith(f"acc-{account}:")])
            self.assertEqual(len({r["partition"] for r in mine}), 1)
        again = self.kcat("-C", "-t", "from-kafka", "-e", "-q", "-o", "beginning", "-f", "%k:%s\n")
        self.assertCountEqual(again.splitlines(), sent)

    @unittest.skipUnless(KCAT, "there is no kcat here (scripts/setup --tests installs it)")
    def test_from_grpc_to_kafka_with_offsets_and_times(self):
        self.cluster.make_topic("from-grpc", partitions=2)
        lines = [f"acc-{i % 5}:{i}" for i in range(300)]
        self.check(self.cluster.quipu("produce", "from-grpc", "--key-separator", ":",
                                      text="\n".join(lines) + "\n"), 0)
        read = self.kcat("-C", "-t", "from-grpc", "-e", "-q", "-f", "%k:%s %p %o %T\n")
        rows = [line.split() for line in read.splitlines()]
        self.assertCountEqual([row[0] for row in rows], lines)
        for partition in ("0", "1"):
            offsets = [int(row[2]) for row in rows if row[1] == partition]
            self.assertEqual(offsets, list(range(len(offsets))))
        # From an offset, and from the offset of a time.
        some = next(row for row in rows if row[1] == "0" and int(row[2]) == 10)
        self.assertEqual(self.kcat("-C", "-t", "from-grpc", "-p", 0, "-o", 10, "-c", 1, "-q",
                                   "-f", "%k:%s"), some[0])
        told = self.kcat("-Q", "-t", f"from-grpc:0:{some[3]}")
        self.assertLessEqual(int(told.split("offset ")[1]), 10)

    @unittest.skipUnless(KCAT, "there is no kcat here (scripts/setup --tests installs it)")
    def test_a_leader_that_is_killed_with_records_in_flight(self):
        self.cluster.make_topic("killed", partitions=3)
        leader = f"broker-{self.cluster.json('topic', 'describe', 'killed')['partitions'][0]['leader']}"
        lines = [f"acc-{i % 20}:{i}" for i in range(4000)]
        producer = subprocess.Popen(
            [KCAT, "-P", "-b", self.kafka, "-t", "killed", "-K:", "-X", "enable.idempotence=true", "-X",
             "socket.timeout.ms=5000", "-X", "linger.ms=5"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=programs.environment())
        self.addCleanup(producer.kill)

        def feed(some):
            for at in range(0, len(some), 20):
                producer.stdin.write("\n".join(some[at:at + 20]) + "\n")
                producer.stdin.flush()
                time.sleep(0.005)  # a stream, not one burst
        feed(lines[:1500])
        # What comes now is sent to a leader that answers nothing more: it is in flight at its end.
        self.addCleanup(self.cluster.up)
        os.kill(self.cluster.nodes[leader]["pid"], signal.SIGSTOP)
        try:
            feed(lines[1500:2000])
        finally:
            self.cluster.kill(leader)
        feed(lines[2000:])
        _, told = producer.communicate(timeout=2 * programs.PATIENCE)
        # Ends with 0 when every record was acknowledged.
        self.assertEqual(producer.returncode, 0, told)
        self.assertNotIn("Delivery failed", told)
        records = self.read_by_grpc("killed", len(lines))
        self.assertCountEqual([f"{r['key']}:{r['value']}" for r in records], lines)
        for account in {r["key"] for r in records}:
            values = [int(r["value"]) for r in records if r["key"] == account]
            self.assertEqual(values, sorted(values), account)

    # ---- bare sockets ----
    def address(self):
        return self.kafka.split(",")[0]

    def test_api_versions_of_the_future_is_answered_in_version_0(self):
        with Wire(self.address()) as wire:
            correlation, body = wire.ask(request(18, 99, b"\xff" * 20))
            error, count = struct.unpack(">hi", body[:6])
            self.assertEqual((correlation, error), (7, 35))
            rows = [struct.unpack(">hhh", body[6 + 6 * i:12 + 6 * i]) for i in range(count)]
            served = {key: (low, high) for key, low, high in rows}
            self.assertEqual(served[0][0], 0)  # Produce: what librdkafka looks for
            # The connection goes on.
            correlation, body = wire.ask(request(18, 0, correlation=8))
            self.assertEqual((correlation, struct.unpack(">h", body[:2])[0]), (8, 0))

    def test_what_is_advertised_is_what_is_served_and_nothing_else(self):
        """Clients turn features on by these ranges: one that is half built must not be among them, and one that is
        dropped by accident turns a feature off. Whoever adds an API adds it here."""
        intended = {
            0: (0, 11), 1: (4, 18), 2: (1, 10), 3: (0, 13), 8: (2, 10), 9: (1, 10), 10: (0, 6), 11: (0, 9),
            12: (0, 4), 13: (0, 5), 14: (0, 5), 15: (0, 6), 16: (0, 5), 18: (0, 4), 19: (2, 7), 20: (1, 6),
            21: (0, 2), 22: (0, 5), 23: (2, 4), 32: (1, 4), 33: (0, 2), 35: (1, 4), 37: (0, 3), 42: (0, 2),
            43: (0, 2), 44: (0, 1), 47: (0, 0), 60: (0, 2), 61: (0, 0), 75: (0, 0)}
        for address in self.kafka.split(","):
            with Wire(address) as wire:
                _, body = wire.ask(request(API_VERSIONS, 0))
            error, count = struct.unpack(">hi", body[:6])
            rows = [struct.unpack(">hhh", body[6 + 6 * i:12 + 6 * i]) for i in range(count)]
            served = {key: (low, high) for key, low, high in rows}
            self.assertEqual((error, served), (0, intended))
            self.assertEqual([row[0] for row in rows], sorted(intended))  # each once
        absent = {"SASL": (17, 36), "transactions": (24, 25, 26, 27, 28, 65, 66), "ACLs": (29, 30, 31),
                  "reassignment": (45, 46), "KIP-848": (68, 69), "share groups": (76, 77, 78, 79),
                  "between brokers": (4, 5, 6, 7)}
        for feature, keys in absent.items():
            for key in keys:
                self.assertNotIn(key, served, feature)
        # What librdkafka derives its features from: record batches, zstd, groups.
        self.assertLessEqual(served[0][0], 0)
        self.assertGreaterEqual(served[0][1], 7)
        self.assertLessEqual(served[1][0], 4)
        self.assertGreaterEqual(served[1][1], 10)
        self.assertLessEqual({10, 8, 9, 11, 12, 13, 14}, set(served))
        self.assertGreaterEqual(min(served[8][1], served[9][1]), 1)
        # And Kafka's newer ones KIP-890 from: Produce 12.
        self.assertLess(served[0][1], 12)

    def test_what_is_not_advertised_and_garbage_end_their_connection_alone(self):
        with Wire(self.address()) as bystander:
            for bad in (request(17, 0), request(0, 2), request(3, 99), request(999, 0),
                        b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00" + b"\x01" * 600,
                        struct.pack(">i", -5), struct.pack(">i", 0), request(3, 1, b"\x7f\xff\xff\xff"),
                        request(1, 4, b"\xff" * 30), struct.pack(">i", 5) + b"\x00" * 5):
                with self.subTest(bad[:12]), Wire(self.address()) as wire:
                    wire.socket.sendall(bad)
                    self.assertTrue(wire.is_closed())
            self.assertEqual(bystander.ask(request(18, 0))[0], 7)
        for name in self.cluster.nodes:
            self.assertTrue(self.cluster.pid_is_alive(name) or self.cluster.nodes[name]["pid"] == 0)

    def test_a_producer_that_wants_no_answer_hears_of_an_error_by_the_end(self):
        with Wire(self.address()) as wire:
            # Who wants to hear is told of that error, and the connection goes on.
            for _ in range(2):
                _, answer = wire.ask(request(0, 3, produce_body("no-such-topic", b"\0" * 4, acks=1)))
                self.assertEqual(produced(answer, "no-such-topic")[0], 3)  # UNKNOWN_TOPIC_OR_PARTITION
            wire.socket.sendall(request(0, 3, produce_body("no-such-topic", b"\0" * 4, acks=0)))
            self.assertTrue(wire.is_closed())

    def test_what_is_repeated_is_answered_once(self):
        with Wire(self.address()) as wire:
            names = 1000
            _, body = wire.ask(request(3, 0, struct.pack(">i", names) + names * string("repeated")))
            self.assertLess(len(body), 1000)
            self.assertEqual(body.count(b"repeated"), 1)

    def test_that_nothing_is_committed_is_said_by_the_coordinator_alone(self):
        def committed(address, topic):
            """(error of the partition, its offset, error of the group), by OffsetFetch version 2."""
            with Wire(address) as wire:
                _, body = wire.ask(request(9, 2, string("nobody") + struct.pack(">i", 1) + string(topic)
                                           + struct.pack(">ii", 1, 0)))
            at = 4 + 2 + len(topic) + 4 + 4
            offset, = struct.unpack(">q", body[at:at + 8])
            at += 8 + 2 + max(0, struct.unpack(">h", body[at + 8:at + 10])[0])
            return struct.unpack(">h", body[at:at + 2])[0], offset, struct.unpack(">h", body[-2:])[0]
        self.cluster.make_topic("there")
        eventually(lambda: self.cluster.quipu("group", "list").returncode == 0, "coordinators")
        with Wire(self.address()) as wire:  # makes the coordinators' topic
            wire.ask(request(10, 0, string("nobody")))
        for topic in ("there", "no-such-topic"):
            def told(topic=topic):
                answers = [committed(address, topic) for address in self.kafka.split(",")]
                errors = sorted(answer[2] for answer in answers)
                return answers if errors == [0, 16, 16] else None  # NOT_COORDINATOR
            answers = eventually(told, "one of three to be the coordinator")
            self.assertEqual({answer[1] for answer in answers}, {-1})

    def test_what_a_client_may_do_is_told_to_those_that_ask(self):
        self.cluster.make_topic("allowed")
        unknown = -1 << 31

        def metadata(cluster, topic):
            """(operations with the topic, with the cluster), by Metadata version 8."""
            body = struct.pack(">i", 1) + string("allowed") + struct.pack(">???", False, cluster, topic)
            with Wire(self.address()) as wire:
                return struct.unpack(">ii", wire.ask(request(3, 8, body))[1][-8:])
        # Bits of Kafka's AclOperation.
        of_topic = sum(1 << bit for bit in (3, 4, 5, 6, 7, 8, 10, 11))
        of_cluster = sum(1 << bit for bit in (5, 7, 8, 9, 10, 11, 12))
        self.assertEqual(metadata(False, False), (unknown, unknown))
        self.assertEqual(metadata(True, False), (unknown, of_cluster))
        self.assertEqual(metadata(False, True), (of_topic, unknown))

        def group(asked):
            """Operations with a group of which its coordinator alone knows, by DescribeGroups version 3."""
            told = set()
            for address in self.kafka.split(","):
                with Wire(address) as wire:
                    _, body = wire.ask(request(15, 3, struct.pack(">i", 1) + string("noone")
                                               + struct.pack(">?", asked)))
                    told.add(struct.unpack(">i", body[-4:])[0])
            return told
        with Wire(self.address()) as wire:  # makes the coordinators' topic
            wire.ask(request(10, 0, string("noone")))
        of_group = sum(1 << bit for bit in (3, 6, 8, 10, 11))
        eventually(lambda: group(True) == {unknown, of_group}, "the coordinator to tell")
        self.assertEqual(group(False), {unknown})

    def test_bytes_behind_a_request_are_passed_over(self):
        with Wire(self.address()) as wire:
            everything = struct.pack(">i", -1)
            plain = wire.ask(request(3, 1, everything))
            self.assertEqual(wire.ask(request(3, 1, everything + b"\0\1\2")), plain)

    def test_answers_come_in_the_order_of_the_requests(self):
        with Wire(self.address()) as wire:
            wire.socket.sendall(b"".join(request(3, 1, struct.pack(">i", -1), correlation=i)
                                         if i % 2 else request(18, 0, correlation=i) for i in range(40)))
            for i in range(40):
                answer = wire.read(struct.unpack(">i", wire.read(4))[0])
                self.assertEqual(struct.unpack(">i", answer[:4])[0], i)


class GroupsTest(KafkaCase):
    # Long enough for two readers to join the first generation, so that none reads what the other has.
    settings = ("--broker-set", "group.initial.rebalance.delay.ms=3000")

    @unittest.skipUnless(KCAT, "there is no kcat here (scripts/setup --tests installs it)")
    def test_groups_share_a_topic_and_go_on_where_they_were(self):
        self.cluster.make_topic("shared", partitions=4)
        lines = [f"acc-{i % 40}:{i}" for i in range(1000)]
        self.kcat("-P", "-t", "shared", "-K:", text="\n".join(lines) + "\n")
        for strategy in ("range", "cooperative-sticky"):
            with self.subTest(strategy):
                group = "sharers-" + strategy
                arguments = ("-b", self.kafka, "-G", group, "-q", "-u", "-f", "%k:%s\n", "-X",
                             "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=100", "-X",
                             f"partition.assignment.strategy={strategy}", "shared")
                readers = [programs.start(KCAT, *arguments) for _ in range(2)]
                try:
                    told = eventually(lambda: self.shared_by_two(group), "two members with two each")
                    self.assertEqual((told["kind"], told["state"], told["protocol_type"],
                                      told["assignor"]), ("classic", "Stable", "consumer", strategy))
                    eventually(lambda: self.lag(group) == 0, "the group to have read all")
                    self.check(self.cluster.quipu("group", "delete", group), 1, "NON_EMPTY_GROUP")
                finally:
                    read = []
                    for reader in readers:
                        reader.terminate()
                        read += reader.communicate(timeout=programs.PATIENCE)[0].splitlines()
                self.assertCountEqual(read, lines)
                # A member that comes later goes on behind them.
                self.kcat("-P", "-t", "shared", "-K:", text=f"acc-1:{strategy}\n")
                lines.append(f"acc-1:{strategy}")
                self.assertEqual(self.kcat("-G", group, "-q", "-c", 1, "-f", "%k:%s", "-X",
                                           f"partition.assignment.strategy={strategy}", "shared"),
                                 f"acc-1:{strategy}")
                eventually(lambda: self.cluster.quipu("group", "delete", group).returncode == 0,
                           "the group to be empty")

    @unittest.skipUnless(KCAT, "there is no kcat here (scripts/setup --tests installs it)")
    def test_a_group_goes_over_to_the_servers_assignment_and_back(self):
        """Clients of either protocol share the records, and none is left out."""
        self.cluster.make_topic("moving", partitions=4)
        for strategy in ("range", "cooperative-sticky"):
            with self.subTest(strategy):
                group = "movers-" + strategy
                arguments = ("-b", self.kafka, "-G", group, "-q", "-u", "-f", "%k:%s\n", "-X",
                             "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=100", "-X",
                             "heartbeat.interval.ms=300", "-X", f"partition.assignment.strategy={strategy}", "moving")
                readers = [programs.start(KCAT, *arguments) for _ in range(2)]
                ours = None
                lines, read = [], []

                def write():
                    fresh = [f"acc-{i}:{strategy}-{len(lines) + i}" for i in range(40)]
                    lines.extend(fresh)
                    self.kcat("-P", "-t", "moving", "-K:", text="\n".join(fresh) + "\n")
                    eventually(lambda: self.lag(group) == 0, "the group to have read all")

                try:
                    eventually(lambda: self.shared_by_two(group), "two members with two each")
                    write()
                    ours = programs.start("quipu", "consume", "moving", "-g", group, "-b",
                                          self.cluster.bootstrap, "-f", "%k:%v\n")
                    told = eventually(lambda: self.settled(group, 3), "three members of one group")
                    self.assertEqual((told["kind"], told["state"]), ("consumer", "Stable"))
                    write()
                    ours.send_signal(signal.SIGINT)
                    read += ours.communicate(timeout=programs.PATIENCE)[0].splitlines()
                    self.assertTrue(read, "the client of the other protocol had no part")
                    told = eventually(lambda: self.shared_by_two(group), "two members with two each again")
                    self.assertEqual((told["kind"], told["assignor"]), ("classic", strategy))
                    write()
                finally:
                    for reader in [*readers, *([ours] if ours and ours.poll() is None else [])]:
                        reader.terminate()
                        read += reader.communicate(timeout=programs.PATIENCE)[0].splitlines()
                self.assertGreaterEqual(set(read), set(lines))

    def settled(self, group, members):
        """What `group describe` tells once so many members own all four partitions; None before."""
        done = self.cluster.quipu("group", "describe", group, "-o", "json")
        told = programs.json.loads(done.stdout) if done.returncode == 0 else {"members": []}
        owned = [sum(len(topic["partitions"]) for topic in m["assignment"]) for m in told["members"]]
        return told if len(owned) == members and sum(owned) == 4 and told["state"] == "Stable" else None

    def shared_by_two(self, group):
        done = self.cluster.quipu("group", "describe", group, "-o", "json")
        told = programs.json.loads(done.stdout) if done.returncode == 0 else {"members": []}
        owned = [sum(len(topic["partitions"]) for topic in m["assignment"]) for m in told["members"]]
        return told if owned == [2, 2] else None

    def lag(self, group, partitions=4):
        """Of all partitions; None while it is not known."""
        done = self.cluster.quipu("group", "describe", group, "-o", "json")
        if done.returncode != 0:
            return None
        offsets = programs.json.loads(done.stdout)["offsets"]
        lags = [offset["lag"] for offset in offsets]
        return sum(lags) if len(lags) == partitions and None not in lags else None

    @unittest.skipUnless(KCAT, "there is no kcat here (scripts/setup --tests installs it)")
    def test_offsets_are_deleted_unless_a_member_reads_the_topic(self):
        self.cluster.make_topic("forgotten", partitions=2)
        self.kcat("-P", "-t", "forgotten", "-K:", text="".join(f"acc-{i}:{i}\n" for i in range(20)))

        def delete(topic, partitions):
            """(error of the group, [(partition, error)]) as its coordinator says."""
            body = (string("forgetters") + struct.pack(">i", 1) + string(topic)
                    + struct.pack(">i", len(partitions)) + b"".join(struct.pack(">i", p) for p in partitions))
            answers = []
            for address in self.kafka.split(","):
                with Wire(address) as wire:
                    _, answer = wire.ask(request(OFFSET_DELETE, 0, body))
                error, _, topics = struct.unpack(">hii", answer[:10])
                at = 10 + 2 + len(topic) + 4
                answers.append((error, [struct.unpack(">ih", answer[i:i + 6])
                                        for i in range(at, len(answer), 6)] if topics else []))
            others = [answer for answer in answers if answer[0] == 16]  # NOT_COORDINATOR
            self.assertEqual(len(others), 2, answers)
            return next(answer for answer in answers if answer[0] != 16)

        def committed():
            told = self.cluster.json("group", "describe", "forgetters")
            return {o["partition"]: o["committed"] for o in told["offsets"] if o["committed"] is not None}
        reader = programs.start(KCAT, "-b", self.kafka, "-G", "forgetters", "-q", "-X",
                                "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=100",
                                "forgotten")
        try:
            eventually(lambda: self.lag("forgetters", 2) == 0, "the group to have read all")
            self.assertEqual(delete("forgotten", [0, 1]), (0, [(0, 86), (1, 86)]))  # GROUP_SUBSCRIBED_TO_TOPIC
            self.assertEqual(sum(committed().values()), 20)
        finally:
            reader.terminate()
            reader.communicate(timeout=programs.PATIENCE)
        eventually(lambda: self.cluster.json("group", "describe", "forgetters")["state"] == "Empty",
                   "the group to be empty")
        left = committed()[1]
        self.assertEqual(delete("forgotten", [0]), (0, [(0, 0)]))
        self.assertEqual(committed(), {1: left})
        self.assertEqual(delete("no-such-topic", [0]), (0, [(0, 3)]))  # UNKNOWN_TOPIC_OR_PARTITION


class AutoCreateTest(programs.TestCase):
    @unittest.skipUnless(KCAT, "there is no kcat here (scripts/setup --tests installs it)")
    def test_topics_are_made_where_that_is_allowed_and_only_there(self):
        cluster = Cluster(1, "--broker-set", "auto.create.topics.enable=true", "--controller-set",
                          "default.replication.factor=1", "--controller-set", "min.insync.replicas=1")
        self.addCleanup(cluster.down)
        for topic, allowed in (("unwanted", "false"), ("wanted", "true")):
            programs.run(KCAT, "-b", cluster.kafka_bootstrap, "-C", "-t", topic, "-e", "-q", "-X",
                         f"allow.auto.create.topics={allowed}")
        eventually(lambda: programs.run(KCAT, "-b", cluster.kafka_bootstrap, "-P", "-t", "made",
                                        text="x\n").returncode == 0, "a topic to be made")
        names = [t["name"] for t in cluster.json("topic", "list")]
        self.assertLessEqual({"made", "wanted"}, set(names))
        self.assertNotIn("unwanted", names)


if __name__ == "__main__":
    programs.main()
