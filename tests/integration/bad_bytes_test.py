"""Goal: whatever a client sends, the answer says what is wrong, no process ends, and every record
that was acknowledged stays. Method: batches and messages made wrong on purpose by an encoder of the
test's own, stale epochs, and connections that are not gRPC, against three brokers.
"""
import os
import socket
import struct
import unittest
import urllib.request

import programs
import wire
from programs import Cluster
from wire import batch, encode

NONE, OFFSET_OUT_OF_RANGE, CORRUPT, UNKNOWN_TOPIC = 0, 1, 2, 3
MESSAGE_TOO_LARGE, UNSUPPORTED_FORMAT, INVALID_EPOCH, OUT_OF_ORDER = 10, 43, 47, 45
FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, UNSUPPORTED_CODEC, STALE_BROKER_EPOCH = 74, 75, 76, 77
INVALID_RECORD, UNKNOWN_TOPIC_ID, INCONSISTENT_CLUSTER_ID = 87, 100, 104
INVALID_REQUEST, GRPC_INVALID_ARGUMENT = 42, 3
GRPC_UNIMPLEMENTED, GRPC_INTERNAL = 12, 13


def frame(kind, flags, payload):
    """An HTTP/2 frame of stream 1."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + b"\0\0\0\1" + payload


def call_frames(method, length):
    """The begin of a gRPC call whose message is said to have `length` bytes."""
    def text(value):
        return bytes((len(value),)) + value.encode()
    headers = (b"\x83\x86\x04" + text(f"/quipu.rpc.{method}") + b"\x01" + text("localhost")
               + b"\0" + text("te") + text("trailers")
               + b"\0" + text("content-type") + text("application/grpc"))
    return frame(1, 4, headers) + frame(0, 0, b"\0" + struct.pack(">I", length) + b"x" * 100)


class BadBytesTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.cluster.make_topic("bad", max_message_bytes=2000)
        cls.cluster.json("produce", "bad", text="kept 1\nkept 2\n")
        cls.topic = wire.Topic(cls.cluster.bootstrap.split(",")[0], "bad")
        cls.pids = {name: node["pid"] for name, node in cls.cluster.nodes.items()}
        cls.expected = ["kept 1", "kept 2"]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    def tearDown(self):
        """Every process lives, and the log holds what was acknowledged and nothing else."""
        for name in self.pids:
            self.assertTrue(self.cluster.pid_is_alive(name), name)
        done = self.cluster.quipu("consume", "bad", "--from-beginning", "-n", len(self.expected))
        self.assertEqual(self.check(done, 0).stdout.splitlines(), self.expected)
        watermark = self.topic.fetch(0)[1]
        self.assertEqual(watermark, len(self.expected))

    def refused(self, answer, *numbers):
        self.assertEqual(len(answer), 3, f"the stream ended: {answer}")
        self.assertIn(answer[0], numbers, answer)
        self.assertEqual(answer[1], -1)

    # ---- batches ----
    def test_a_batch_of_another_make_is_stored(self):
        self.assertEqual(self.topic.produce(batch([b"raw"]))[:2], (NONE, len(self.expected)))
        self.expected.append("raw")

    def test_a_batch_with_a_wrong_crc_is_refused(self):
        good = batch([b"value"])
        for position in (17, 21, 30, 61, len(good) - 1):  # of the crc itself, header, records
            wrong = bytearray(good)
            wrong[position] ^= 0x40
            with self.subTest(position):
                self.refused(self.topic.produce(bytes(wrong)), CORRUPT, INVALID_RECORD,
                             UNSUPPORTED_CODEC)

    def test_a_truncated_batch_is_refused(self):
        good = batch([b"value"])
        for length in (0, 1, 12, 60, 61, len(good) - 1):
            with self.subTest(length):
                self.refused(self.topic.produce(good[:length]), CORRUPT, INVALID_RECORD)

    def test_what_follows_a_batch_is_refused(self):
        for more in (b"\0", batch([b"second"])[:40]):
            self.refused(self.topic.produce(batch([b"first"]) + more), CORRUPT, INVALID_RECORD,
                         INVALID_REQUEST)

    def test_an_oversized_batch_is_refused(self):
        self.refused(self.topic.produce(batch([b"x" * 2000])), MESSAGE_TOO_LARGE)

    def test_lengths_that_lie_are_refused(self):
        good = batch([b"value"])
        for length in (-1, 0, 48, 1 << 30, 0x7fffffff):
            wrong = good[:8] + struct.pack(">i", length) + good[12:]
            with self.subTest(length):
                self.refused(self.topic.produce(wrong), CORRUPT, MESSAGE_TOO_LARGE, INVALID_RECORD)

    def test_counts_that_lie_are_refused(self):
        for count in (-1, 0, 2, 1 << 30, 0x7fffffff):
            with self.subTest(count):
                self.refused(self.topic.produce(batch([b"value"], count=count)), CORRUPT,
                             INVALID_RECORD)

    def test_records_that_are_garbage_are_refused(self):
        for body in (b"", b"\xff" * 40, b"\x80" * 9, os.urandom(50)):
            with self.subTest(body):
                self.refused(self.topic.produce(batch([b"value"], body=body)), CORRUPT,
                             INVALID_RECORD)

    def test_a_version_or_codec_that_is_not_supported_is_refused(self):
        for magic in (0, 1, 3, 127):
            with self.subTest(magic=magic):
                self.refused(self.topic.produce(batch([b"v"], magic=magic)), UNSUPPORTED_FORMAT)
        for codec in (5, 6, 7):  # none of them is a codec
            with self.subTest(codec=codec):
                answer = self.topic.produce(batch([b"v"], codec=codec))
                self.refused(answer, UNSUPPORTED_CODEC, INVALID_RECORD, CORRUPT)

    def test_control_batches_are_not_for_clients(self):
        self.refused(self.topic.produce(batch([b"v"], control=True)), INVALID_RECORD, CORRUPT,
                     INVALID_REQUEST)

    # ---- places and epochs ----
    def test_an_unknown_topic_or_partition_is_refused(self):
        self.refused(self.topic.produce(batch([b"v"]), partition=9), UNKNOWN_TOPIC)
        self.refused(self.topic.produce(batch([b"v"]), partition=-1), UNKNOWN_TOPIC)
        self.refused(self.topic.produce(batch([b"v"]), topic_id=b"\x11" * 16), UNKNOWN_TOPIC_ID,
                     UNKNOWN_TOPIC)
        self.assertIn(self.topic.fetch(0, partition=9)[0], (UNKNOWN_TOPIC,))
        self.assertIn(self.topic.fetch(0, topic_id=b"\x11" * 16)[0],
                      (UNKNOWN_TOPIC, UNKNOWN_TOPIC_ID))

    def test_a_stale_leader_epoch_is_fenced_and_a_future_one_is_unknown(self):
        newer = self.topic.epoch + 1
        self.refused(self.topic.produce(batch([b"v"]), epoch=newer), UNKNOWN_LEADER_EPOCH)
        self.assertEqual(self.topic.fetch(0, epoch=newer)[0], UNKNOWN_LEADER_EPOCH)
        # Give the partition newer epochs: its preferred leader restarts and leads again.
        leader = f"broker-{self.topic.leader}"
        self.cluster.kill(leader)
        self.cluster.up()
        self.pids[leader] = self.cluster.nodes[leader]["pid"]
        stale = self.topic.epoch
        type(self).topic = programs.eventually(lambda: self.moved(stale), "a newer leader epoch")
        self.refused(self.topic.produce(batch([b"v"]), epoch=stale), FENCED_LEADER_EPOCH)
        self.assertEqual(self.topic.fetch(0, epoch=stale)[0], FENCED_LEADER_EPOCH)

    def moved(self, stale):
        topic = wire.Topic(self.cluster.bootstrap.split(",")[0], "bad")
        settled = topic.epoch > stale and topic.leader == self.topic.leader
        return topic if settled and topic.fetch(0)[0] == NONE else None

    def test_offsets_that_are_not_there_are_told(self):
        for offset in (1 << 40, -5):
            self.assertEqual(self.topic.fetch(offset)[0], OFFSET_OUT_OF_RANGE)

    def test_a_stale_producer_epoch_and_a_gap_in_the_sequence_are_refused(self):
        answer = wire.ask(self.topic.address, "/quipu.rpc.Broker/InitProducerId",
                          encode((1, -1), (2, -1)))
        producer = wire.one(answer, 2)
        self.assertEqual(wire.one(answer, 1), NONE)

        def send(value, epoch, sequence):
            return self.topic.produce(batch([value], producer=(producer, epoch, sequence)))
        self.assertEqual(send(b"epoch 1", 1, 0)[:2], (NONE, len(self.expected)))
        self.expected.append("epoch 1")
        self.refused(send(b"epoch 0", 0, 0), INVALID_EPOCH)
        self.refused(send(b"gap", 1, 5), OUT_OF_ORDER)
        # The same batch again is answered with its first offset and not stored again.
        self.assertEqual(send(b"epoch 1", 1, 0)[:2], (NONE, len(self.expected) - 1))

    # ---- what is not for clients ----
    def test_a_follower_of_another_cluster_or_with_a_stale_epoch_is_refused(self):
        leader, follower = self.topic.leader, next(b for b in self.topic.brokers
                                                   if b != self.topic.leader)
        epoch = self.topic.brokers[follower]["epoch"]
        for cluster, broker, broker_epoch, to, number in (
                (b"\x22" * 16, follower, epoch, leader, INCONSISTENT_CLUSTER_ID),
                (self.topic.cluster_id, follower, epoch - 1, leader, STALE_BROKER_EPOCH),
                (self.topic.cluster_id, 77, 1, leader, None),
                (self.topic.cluster_id, follower, epoch, 77, None)):
            with self.subTest(broker=broker, epoch=broker_epoch, to=to):
                opening = encode((1, encode((1, cluster), (2, broker), (3, broker_epoch), (4, to))))
                answers, end = wire.peer_call(self.peer(leader), [opening])
                told = wire.one(wire.decode(answers[0]), 1) if answers else end
                self.assertTrue(told, "accepted")
                if number is not None and answers:
                    self.assertEqual(told, number)

    def peer(self, broker):
        for line in programs.read(os.path.join(self.cluster.directory, f"broker-{broker}",
                                               "listeners")).splitlines():
            if line.startswith("peer="):
                return line.split("=")[1]
        raise AssertionError("no peer listener")

    def test_a_broker_of_another_cluster_or_with_a_stale_epoch_is_refused_by_the_controller(self):
        status = programs.run("quipu", "cluster", "status", "--dir", self.cluster.directory, "-o",
                              "json")
        leader = programs.json.loads(status.stdout)["controller_leader"]
        address = self.cluster.nodes[f"controller-{leader}"]["address"]
        where = encode((1, "127.0.0.1"), (2, 1))
        foreign = encode((1, 5), (2, encode((1, b"\x22" * 16), (2, 9), (3, b"\x33" * 16),
                                            (4, b"\x44" * 16), (5, -1), (6, where), (7, where))))
        answers, end = wire.call(address, "/quipu.rpc.Control/Broker", [foreign])
        self.assertTrue(answers, end)
        told = wire.decode(wire.one(wire.decode(answers[0]), 2))
        self.assertEqual(wire.one(told, 1), INCONSISTENT_CLUSTER_ID)
        stale = encode((1, 6), (3, encode((1, 1), (2, 1), (3, 0))))
        answers, end = wire.call(address, "/quipu.rpc.Control/Broker", [stale])
        told = wire.decode(wire.one(wire.decode(answers[0]), 3)) if answers else {}
        self.assertTrue(wire.one(told, 1) == STALE_BROKER_EPOCH or end, (answers, end))

    # ---- bytes that are no message ----
    def listeners(self):
        for name in self.pids:
            for line in programs.read(os.path.join(self.cluster.directory, name,
                                                   "listeners")).splitlines():
                yield name, *line.split("=")

    def test_garbage_in_a_message_ends_the_call_only(self):
        garbage = b"\xff" * 9 + b"\x7f garbage"
        methods = {"client": ["Log/Produce", "Log/Fetch"], "controller": ["Control/Broker", "Raft/Messages"]}
        for name, kind, address in self.listeners():
            if not name.endswith("-1"):
                continue
            for purpose in (wire.FOLLOW, wire.LIST_OFFSETS) if kind == "peer" else ():
                with self.subTest(name=name, purpose=purpose):
                    answers, end = wire.peer_call(address, [garbage], purpose)
                    self.assertEqual((answers, end and end[0]), ([], GRPC_INVALID_ARGUMENT), end)
            for method in methods.get(kind, ()):  # the metrics' is no gRPC
                with self.subTest(name=name, method=method):
                    answers, end = wire.call(address, f"/quipu.rpc.{method}", [garbage])
                    self.assertEqual((answers, end and end[0]), ([], GRPC_INVALID_ARGUMENT), end)
        for method in ("Broker/Metadata", "Broker/ListOffsets", "Broker/Admin",
                       "Broker/DeleteRecords", "Broker/InitProducerId", "Groups/Heartbeat",
                       "Groups/OffsetCommit", "Groups/OffsetFetch", "Groups/DescribeGroup"):
            with self.subTest(method=method):
                answers, end = wire.call(self.topic.address, f"/quipu.rpc.{method}", [garbage],
                                         unary=True)
                self.assertEqual((answers, end[0]), ([], GRPC_INTERNAL), end)
                self.assertIn("Unable to parse request", end[1])
        for kind in methods:
            name, _, address = next(entry for entry in self.listeners() if entry[1] == kind)
            answers, end = wire.call(address, "/quipu.rpc.No/Such", [b""], unary=True)
            self.assertEqual((answers, end[0]), ([], GRPC_UNIMPLEMENTED), name)

    def test_connections_that_are_not_grpc_harm_nobody(self):
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = b"\0\0\0\4\0\0\0\0\0"
        huge_frame = b"\xff\xff\xff\0\0\0\0\0\1" + b"x" * 1000
        bad_headers = b"\0\0\x20\1\4\0\0\0\1" + b"\xff" * 32
        methods = {"client": "Log/Produce", "controller": "Control/Broker"}
        opening = wire.peer_opening()
        half_open = []
        for name, kind, address in self.listeners():
            # A message that is said to have 4 GiB, and one whose bytes never come.
            promises = [preface + settings + call_frames(methods.get(kind, "No/Such"), length)
                        for length in (0xffffffff, 1 << 20)]
            host, port = address.split(":")
            for data in (b"", b"\0", os.urandom(4096), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"\xff\xff\xff\xff" * 64, preface, preface + settings + huge_frame,
                         preface + settings + bad_headers, preface + settings + os.urandom(2000),
                         opening, opening + b"\0\0", opening + wire.peer_frame(b"\xff" * 100),
                         wire.peer_opening(purpose=9), wire.peer_opening(version=9), *promises):
                with self.subTest(name=name, kind=kind, data=data[:20]):
                    with socket.create_connection((host, int(port)), timeout=10) as connection:
                        try:
                            connection.sendall(data)
                        except OSError:
                            pass  # closed on us: what we want
            # Connections that say nothing more, or nothing at all, and stay.
            for data in (b"", preface, preface[:10], preface + settings + b"\0\0", opening[:5], opening,
                         opening + struct.pack(">I", 1 << 20) + b"x", *promises):
                connection = socket.create_connection((host, int(port)), timeout=10)
                connection.sendall(data)
                half_open.append(connection)
        # They answer beside the half-open ones; the rest is looked at in tearDown.
        self.check(self.cluster.quipu("topic", "list"), 0)
        self.assertEqual(self.topic.produce(batch([b"beside"]))[:2], (NONE, len(self.expected)))
        self.expected.append("beside")
        for connection in half_open:
            connection.close()
        for name, kind, address in self.listeners():
            if kind == "metrics":
                with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
                    self.assertIn(b"quipu_", answer.read(), name)

    def test_a_message_that_is_too_large_ends_the_call_only(self):
        address = next(entry[2] for entry in self.listeners() if entry[1] == "peer")
        answers, end = wire.peer_call(address, [b"\0" * (17 << 20)])
        self.assertEqual((answers, end and end[0]), ([], GRPC_INVALID_ARGUMENT), end)
        for kind, method in (("client", "Log/Produce"), ("controller", "Control/Broker")):
            address = next(entry[2] for entry in self.listeners() if entry[1] == kind)
            with self.subTest(kind):
                answers, end = wire.call(address, f"/quipu.rpc.{method}", [b"\0" * (17 << 20)])
                self.assertEqual(answers, [])
                self.assertTrue(end and end[0] != 0, end)


if __name__ == "__main__":
    programs.main()
