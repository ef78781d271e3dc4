"""Goal: whatever comes to the Kafka listener, its connection is ended or answered with the right error,
the broker's memory stays flat, its log does not flood, and every payment that was acknowledged stays.
Method: bare sockets with frames made wrong on purpose, beside a good client, against a real broker.
"""
import contextlib
import resource
import socket
import struct
import time
import zlib

import programs
import wire
from kafka_wire import (API_VERSIONS, CREATE_TOPICS, FETCH, METADATA, PRODUCE, Wire, framed, produce_body,
                        produced, request, string)
from programs import Cluster, eventually

NONE, UNKNOWN_TOPIC, MESSAGE_TOO_LARGE = 0, 3, 10
MIB = 1 << 20
FLAT_BYTES = 64 * MIB  # that the broker may have grown by after all of one test
PEAK_BYTES = 256 * MIB  # that it may have grown by meanwhile
IDLE = 2000  # connections
IDLE_BYTES_EACH = 40 * 1024  # that one may cost: 10,000 of them stay below 400 MiB
STALLED_SECONDS = 30  # after which a peer that does not go on is cut off
MOST = 0x7fffffff
TCP_ESTABLISHED = 1  # the first byte of TCP_INFO


def flexible(api, version, body, header_tags=b"\0"):
    return framed(struct.pack(">hhi", api, version, 7) + string("test") + header_tags + body)


def tags(count):
    """A section of tagged fields that nobody knows."""
    return wire.varint(count) + b"".join(wire.varint(1000 + i) + b"\3abc" for i in range(count))


def fetch_body(topic, partitions, partition_bytes, max_bytes, offset=0, wait=(0, 0)):
    """Of Fetch version 4. `wait`: for so many milliseconds, until so many bytes are there."""
    rows = b"".join(struct.pack(">iqi", p, offset, partition_bytes) for p in partitions)
    return (struct.pack(">iiiib", -1, *wait, max_bytes, 0) + struct.pack(">i", 1) + string(topic)
            + struct.pack(">i", len(rows) // 16) + rows)


def fetched(answer, topic):
    """(partition, error, bytes of records) of each partition in an answer to Fetch version 4."""
    at = 4 + 4 + 2 + len(topic)
    count, = struct.unpack(">i", answer[at:at + 4])
    at += 4
    for _ in range(count):
        partition, error, _, _, aborted, size = struct.unpack(">ihqqii", answer[at:at + 30])
        assert aborted <= 0, aborted
        yield partition, error, size
        at += 30 + max(size, 0)


def bomb(size):
    """A gzip batch of one record of `size` zeros."""
    value = size
    record = b"\0" + wire.zigzag(0) + wire.zigzag(0) + wire.zigzag(-1) + wire.zigzag(value)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [packer.compress(wire.zigzag(len(record) + size + 1) + record)]
    for _ in range(size // MIB):
        packed.append(packer.compress(bytes(MIB)))
    packed += [packer.compress(wire.zigzag(0)), packer.flush()]
    return wire.batch([b""], codec=1, body=b"".join(packed))


class KafkaBadBytesCase(programs.TestCase):
    settings = ()  # of the broker
    flat = FLAT_BYTES

    @classmethod
    def setUpClass(cls):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the broker inherits it
        cls.cluster = Cluster(1, "--controller-set", "default.replication.factor=1", "--controller-set",
                              "min.insync.replicas=1", *cls.settings)
        cls.addClassCleanup(cls.cluster.down)
        cls.address = cls.cluster.kafka_bootstrap
        cls.cluster.make_topic("payments", replicas=1)
        cls.cluster.make_topic("big", replicas=1)
        cls.payments = []
        cls.pay(100)
        for _ in range(8):
            with Wire(cls.address) as client:
                _, answer = client.ask(request(PRODUCE, 3, produce_body("big", wire.batch([b"x" * 200000]))))
                assert produced(answer, "big")[0] == NONE, answer
                client.ask(request(FETCH, 4, fetch_body("big", [0], MIB, MIB)))
        cls.before = cls.memory("VmRSS")

    @classmethod
    def memory(cls, name):
        """Of the broker, in bytes: VmRSS as it is, VmHWM the most since setUp."""
        for line in programs.read(f"/proc/{cls.cluster.nodes['broker-1']['pid']}/status").splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the broker has no memory")

    @classmethod
    def pay(cls, count):
        lines = [f"payment {len(cls.payments) + i}" for i in range(count)]
        cls.cluster.json("produce", "payments", text="".join(line + "\n" for line in lines))
        cls.payments.extend(lines)

    @classmethod
    def log_lines(cls, event):
        log = programs.read(f"{cls.cluster.directory}/broker-1/node.log").splitlines()
        return [line for line in log if f"event={event} " in line]

    def setUp(self):
        with open(f"/proc/{self.cluster.nodes['broker-1']['pid']}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # VmHWM begins anew

    def tearDown(self):
        """The broker lives and answers, its memory is flat, and every payment is there once."""
        self.assertTrue(self.cluster.pid_is_alive("broker-1"))
        peak = self.memory("VmHWM") - self.before
        self.pay(10)
        done = self.cluster.quipu("consume", "payments", "--from-beginning", "-n", len(self.payments))
        self.assertEqual(self.check(done, 0).stdout.splitlines(), self.payments)
        with Wire(self.address) as client:
            self.assertEqual(client.ask(request(API_VERSIONS, 0))[1][:2], b"\0\0")
        eventually(lambda: self.memory("VmRSS") - self.before < self.flat, "the broker's memory to be flat")
        print(f"{self.id().rsplit('.', 1)[1]}: grown by {(self.memory('VmRSS') - self.before) / MIB:.1f} MiB, "
              f"{peak / MIB:.1f} MiB at most", flush=True)
        self.assertLess(peak, PEAK_BYTES)


class KafkaBadBytesTest(KafkaBadBytesCase):
    settings = ("--broker-set", "quipu.validate.compressed=true")  # it unpacks what comes

    # ---- what is no request ----
    def test_what_is_no_request_ends_its_connection_alone(self):
        count = struct.pack(">i", MOST)
        ends = {
            "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
            "HTTP": b"GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n",
            "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            **{f"length {n}": struct.pack(">i", n) + b"x" * 64 for n in (-1, -MOST - 1, 0, MOST, 101 * MIB)},
            **{f"{n} bytes": framed(b"\0" * n) for n in range(1, 10)},
            **{f"API {key}": request(key, 0) for key in (-1, 4, 17, 36, 50, 71, 999, 0x7fff)},
            **{f"API {key} version {v}": request(key, v) for key in (0, 1, 2, 3, 8, 9, 10, 11)
               for v in (-1, 99, 0x7fff)},
            "client id of -2 bytes": framed(struct.pack(">hhih", METADATA, 0, 7, -2)),
            "client id of 32767 bytes": framed(struct.pack(">hhih", METADATA, 0, 7, 0x7fff) + b"x" * 9),
            "2^31-1 topics": request(METADATA, 1, count),
            "-2 topics": request(METADATA, 1, struct.pack(">i", -2)),
            "2^31-1 topics and some": request(METADATA, 1, count + string("t") * 1000),
            "2^31-1 partitions": request(FETCH, 4, struct.pack(">iiiib", -1, 0, 0, MIB, 0) + struct.pack(">i", 1)
                                         + string("payments") + count + b"\0" * 160),
            "2^31-1 topics to write": request(PRODUCE, 3, struct.pack(">hhi", -1, -1, 1000) + count),
            "records of 2^31-1 bytes": request(PRODUCE, 3, produce_body("payments", b"")[:-4] + count),
            "2^31-1 topics to make": request(CREATE_TOPICS, 2, count),
            "compact array of 2^32-2": flexible(METADATA, 9, b"\xff\xff\xff\xff\x0f"),
            "a number that does not end": flexible(METADATA, 9, b"\xff" * 20),
            "2^32-1 tagged fields": flexible(METADATA, 9, b"", header_tags=b"\xff\xff\xff\xff\x0f"),
            "a tagged field of 2^32-1 bytes": flexible(METADATA, 9, b"", b"\1\0\xff\xff\xff\xff\x0f" + b"x" * 90),
        }
        with Wire(self.address) as beside:
            for name, data in ends.items():
                with self.subTest(name), Wire(self.address) as bad:
                    bad.send_what_goes(data)
                    self.assertTrue(bad.is_closed())
                    self.assertEqual(beside.ask(request(API_VERSIONS, 0))[1][:2], b"\0\0")

    def test_a_frame_that_is_cut_short_is_answered_by_nothing(self):
        good = request(METADATA, 1, struct.pack(">i", 1) + string("payments"))
        for length in [*range(len(good)), None]:
            with self.subTest(length), Wire(self.address) as client:
                client.socket.sendall(good[:length])
                client.socket.shutdown(socket.SHUT_WR)
                if length is None:
                    self.assertEqual(client.answer()[0], 7)
                self.assertTrue(client.is_closed())

    def test_a_thousand_tagged_fields_are_passed_over(self):
        with Wire(self.address) as client:
            _, body = client.ask(flexible(API_VERSIONS, 3, b"\5test\2" + b"1" + tags(1000), tags(1000)))
            self.assertEqual(body[:2], b"\0\0")
            topics = b"\2" + b"\x09payments" + tags(1000)
            _, body = client.ask(flexible(METADATA, 9, topics + b"\0\0\0" + tags(1000), tags(1000)))
            self.assertIn(b"payments", body)

    def test_what_follows_a_request_is_passed_over(self):
        with Wire(self.address) as client:
            for more in (b"\0", bytes(MIB)):
                _, body = client.ask(request(METADATA, 1, struct.pack(">i", -1) + more))
                self.assertIn(b"payments", body)

    # ---- what is too much ----
    def test_a_topic_of_too_many_partitions_is_not_made(self):
        with Wire(self.address) as client:
            for partitions in (MOST, 10000000):
                topic = string("huge") + struct.pack(">ihii", partitions, 1, 0, 0)
                _, answer = client.ask(request(CREATE_TOPICS, 2, struct.pack(">i", 1) + topic
                                               + struct.pack(">i?", 10000, False)))
                error, = struct.unpack(">h", answer[8 + 2 + len("huge"):][:2])
                self.assertEqual(error, 44)  # POLICY_VIOLATION: there is a limit to them
        self.assertNotIn("huge", [topic["name"] for topic in self.cluster.json("topic", "list")])

    def test_a_fetch_of_a_hundred_thousand_partitions_is_answered(self):
        with Wire(self.address, seconds=programs.PATIENCE) as client:
            for _ in range(3):
                _, answer = client.ask(request(FETCH, 4, fetch_body("payments", range(100000), MIB, MIB)))
                told = list(fetched(answer, "payments"))
                self.assertEqual([row[0] for row in told], list(range(100000)))
                self.assertEqual({row[1] for row in told[1:]}, {UNKNOWN_TOPIC})
                self.assertEqual(told[0][1], NONE)
                self.assertGreater(told[0][2], 0)

    def test_a_partition_that_is_named_a_thousand_times_is_read_and_answered_once(self):
        with Wire(self.address, seconds=programs.PATIENCE) as client:
            _, answer = client.ask(request(FETCH, 4, fetch_body("big", [0] * 1000, MOST, MOST)))
            rows = list(fetched(answer, "big"))
            self.assertEqual((len(rows), {row[1] for row in rows}), (1, {NONE}))
            self.assertGreater(sum(row[2] for row in rows), 0)
            self.assertLess(len(answer), 2 * MIB)  # fetch.max.bytes, and what stands around records

    def test_writes_go_on_while_a_long_poll_names_their_partition_a_hundred_thousand_times(self):
        with contextlib.ExitStack() as all_of_them:
            body = fetch_body("payments", [0] * 100000, MOST, MOST, len(self.payments), (600000, MOST))
            for _ in range(8):
                waiting = all_of_them.enter_context(Wire(self.address))
                waiting.socket.sendall(request(FETCH, 4, body))
            time.sleep(1)  # until they wait
            client = all_of_them.enter_context(Wire(self.address, seconds=programs.PATIENCE))
            began = time.monotonic()
            for _ in range(50):
                line = f"payment {len(self.payments)}"
                _, answer = client.ask(request(PRODUCE, 3, produce_body("payments", wire.batch([line.encode()]))))
                self.assertEqual(produced(answer, "payments"), (NONE, len(self.payments)))
                self.payments.append(line)
            self.assertLess(time.monotonic() - began, programs.PATIENCE)

    def test_a_request_of_too_many_elements_ends_its_connection(self):
        with Wire(self.address, seconds=programs.PATIENCE) as client:
            client.send_what_goes(request(FETCH, 4, fetch_body("payments", range(1 << 18), MIB, MIB)))
            self.assertTrue(client.is_closed())

    def test_a_bomb_of_compressed_records_is_refused(self):
        records = bomb(512 * MIB)
        self.assertLess(len(records), MIB)
        for _ in range(3):
            with Wire(self.address, seconds=programs.PATIENCE) as client:
                _, answer = client.ask(request(PRODUCE, 3, produce_body("payments", records)))
                self.assertEqual(produced(answer, "payments")[0], MESSAGE_TOO_LARGE)

    def test_a_flood_of_garbage_does_not_flood_the_log(self):
        lines = self.log_lines
        before, began = len(lines("listener.connection_refused")), time.monotonic()
        for _ in range(1000):
            with Wire(self.address) as client:
                client.socket.sendall(struct.pack(">i", -1))
                self.assertTrue(client.is_closed())
        seconds = time.monotonic() - began
        wrote = len(lines("listener.connection_refused")) - before
        self.assertLessEqual(wrote, 100 * (seconds // 10 + 2))
        self.assertLess(wrote, 1000)
        eventually(lambda: any("listener.connection_refused" in line for line in lines("log.suppressed")),
                   "the log to say how many lines were left out")


class SlowPeersTest(KafkaBadBytesCase):
    flat = 2 * FLAT_BYTES  # the allocator keeps some of what it had for answers
    settings = ("--broker-set", f"queued.max.request.bytes={64 * MIB}",
                "--broker-set", f"quipu.queued.max.response.bytes={16 * MIB}",
                # What is older is read from disk, so that each answer has memory of its own.
                "--broker-set", f"quipu.unsynced.tail.bytes.max={MIB}", "--broker-set", "quipu.journal.tail.bytes=0")

    def produce_large(self, client, size):
        """A request of `size` bytes, most of which stand behind what is read of it."""
        began = time.monotonic()
        body = produce_body("big", wire.batch([b"x" * 1000]))
        _, answer = client.ask(request(PRODUCE, 3, body + bytes(size - len(body))))
        self.assertEqual(produced(answer, "big")[0], NONE)
        return time.monotonic() - began

    def test_lengths_that_lie_are_in_nobodys_way(self):
        with contextlib.ExitStack() as all_of_them, Wire(self.address) as honest:
            liars = [all_of_them.enter_context(Wire(self.address)) for _ in range(300)]
            for number, liar in enumerate(liars):
                liar.socket.sendall(struct.pack(">i", 100 * MIB)[:number % 5] + b"x" * (number % 5 // 4 * 1000))
            for size in (MIB, 2 * MIB, 20 * MIB, 60 * MIB) * 3:
                self.assertLess(self.produce_large(honest, size), STALLED_SECONDS / 3)
            self.assertLess(self.memory("VmRSS") - self.before, PEAK_BYTES)
            began = time.monotonic()
            for number, liar in enumerate(liars):
                if number % 5:
                    liar.socket.settimeout(STALLED_SECONDS + 10)
                    self.assertTrue(liar.is_closed())
            self.assertLess(time.monotonic() - began, STALLED_SECONDS + 5)
            self.assertTrue(any("level=warn" in line for line in self.log_lines("listener.connection_stalled")))

    def test_who_asks_for_much_and_reads_next_to_nothing_is_cut_off(self):
        with contextlib.ExitStack() as all_of_them, Wire(self.address) as honest:
            for _ in range(20):
                _, answer = honest.ask(request(PRODUCE, 3, produce_body("big", wire.batch([b"x" * 200000]))))
                self.assertEqual(produced(answer, "big")[0], NONE)
            readers, began = [], time.monotonic()
            for fetches in [6] * 3 + [500] * 40:  # the first stay below the limit of one connection
                reader = all_of_them.enter_context(Wire(self.address))
                reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.send_what_goes(fetches * request(FETCH, 4, fetch_body("big", [0], MIB, MIB)))
                time.sleep(1 if fetches == 6 else 0)
                readers.append(reader)
            while readers:
                self.assertLess(time.monotonic() - began, STALLED_SECONDS + 15)
                self.assertEqual(honest.ask(request(API_VERSIONS, 0))[1][:2], b"\0\0")
                self.assertLess(self.produce_large(honest, MIB), STALLED_SECONDS / 3)
                self.assertLess(self.memory("VmRSS") - self.before, PEAK_BYTES)
                time.sleep(1)
                readers = [reader for reader in readers if self.takes_a_byte(reader)]
            self.assertGreater(time.monotonic() - began, STALLED_SECONDS)
            _, answer = honest.ask(request(FETCH, 4, fetch_body("big", [0], MIB, MIB)))
            self.assertGreater(sum(row[2] for row in fetched(answer, "big")), 0)

    def takes_a_byte(self, reader):
        """False: the connection has been cut off."""
        if reader.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_ESTABLISHED:
            return False
        reader.socket.settimeout(0.01)
        with contextlib.suppress(TimeoutError):
            return reader.socket.recv(1) != b""
        return True


class IdlePeersTest(KafkaBadBytesCase):
    def test_who_writes_or_reads_slowly_is_cut_off_and_who_is_half_open_costs_little(self):
        with contextlib.ExitStack() as all_of_them:
            def connect():
                return all_of_them.enter_context(Wire(self.address))
            half_open = [connect() for _ in range(200)]
            for number, client in enumerate(half_open):
                client.socket.sendall(request(METADATA, 1, struct.pack(">i", -1))[:number % 12])
            writer, reader, beside = connect(), connect(), connect()
            frame = struct.pack(">i", 1000) + b"\0" * 1000
            reader.socket.sendall(60 * request(FETCH, 4, fetch_body("big", [0], MOST, MOST)))
            began, sent, closed = time.monotonic(), 0, None
            while closed is None and time.monotonic() - began < STALLED_SECONDS + programs.PATIENCE:
                # One byte a second, until the other end has closed.
                if not writer.send_what_goes(frame[sent:sent + 1]):
                    closed = time.monotonic() - began
                sent += 1
                self.assertEqual(beside.ask(request(API_VERSIONS, 0))[1][:2], b"\0\0")
                time.sleep(1)
            self.assertIsNotNone(closed, "the slow writer writes on")
            self.assertGreater(closed, STALLED_SECONDS)
            # The reader takes what is on its way, and the end comes before the last answer.
            answers = 0
            with self.assertRaises((EOFError, ConnectionResetError)):
                while True:
                    reader.answer()
                    answers += 1
            self.assertLess(answers, 60)
            cut = [client for number, client in enumerate(half_open) if number % 12]
            self.assertTrue(all(client.is_closed() for client in cut))

    def test_idle_connections_cost_little(self):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * IDLE:
            self.skipTest(f"the limit of open files is below {2 * IDLE}")
        before = self.memory("VmRSS")
        with contextlib.ExitStack() as all_of_them:
            idle = [all_of_them.enter_context(Wire(self.address, source=(f"127.0.0.{1 + i % 8}", 0)))
                    for i in range(IDLE)]
            for client in idle:  # each was a client once
                self.assertEqual(client.ask(request(API_VERSIONS, 0))[0], 7)
            cost = self.memory("VmRSS") - before
            print(f"{IDLE} idle connections: {cost / MIB:.1f} MiB", flush=True)
            self.assertLess(cost, IDLE * IDLE_BYTES_EACH)
            self.pay(10)


if __name__ == "__main__":
    programs.main()
