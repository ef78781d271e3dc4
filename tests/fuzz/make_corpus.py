#!/usr/bin/env python3
"""Makes the seed corpora of the fuzz targets: tests/fuzz/corpus/TARGET/NAME.

From the record vectors of tests/unit/core/record/vectors, the golden frames of
tests/unit/core/kafka/golden, the encoders of tests/integration/wire.py and, for texts, from the
documentation's own examples. The same files on every machine.
"""
import lzma
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
sys.dont_write_bytecode = True
from wire import batch, crc32c, encode  # noqa: E402

VECTORS = os.path.join(ROOT, "tests", "unit", "core", "record", "vectors")
GOLDEN = os.path.join(ROOT, "tests", "unit", "core", "kafka", "golden")
TOPIC = struct.pack(">QQ", 1, 2)


def vectors():
    for name in sorted(os.listdir(VECTORS)):
        if name.endswith(".bin"):
            with open(os.path.join(VECTORS, name), "rb") as file:
                yield name.removesuffix(".bin"), file.read()


def records_of(name):
    """The compressed part of a vector."""
    return dict(vectors())[name][61:]


def u64(value):
    return struct.pack(">Q", value)


def block(kind, data):
    """A choice and a block, as tests/fuzz/input.h reads them."""
    return bytes([kind]) + struct.pack("<H", len(data)) + data


def value(body):
    return b"\1" + body


def record_seeds():
    yield from (("record_batch", name, data) for name, data in vectors())
    yield "record_batch", "control", batch([b"x"], control=True)
    yield "record_batch", "producer", batch([b"a", b"b"], producer=(7, 1, 5))
    yield "record_batch", "two", batch([b"a"]) + batch([b"b"])
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        for bits in (4, 20):
            yield codec, f"limit_{bits}", bytes([bits]) + records_of(codec)
    framed = records_of("snappy")
    yield "snappy", "two_frames", bytes([20]) + framed + framed
    yield "snappy", "bare", bytes([20]) + framed[20:]  # one block: behind header and length
    yield "gzip", "two_members", bytes([20]) + 2 * records_of("gzip")
    yield "lz4", "log_append_time", bytes([20]) + records_of("lz4_log_append_time")


def produce(**options):
    part = encode((1, TOPIC), (2, 1), (3, 4), (4, batch([b"payment"], **options)))
    return encode((1, 77), (2, 1), (3, 30000), (4, "client"), (5, part))


def codec_seeds():
    fetch = encode((1, 78), (2, 500), (3, 1), (4, 1 << 20), (5, "client"),
                   (6, encode((1, TOPIC), (2, 1), (3, 5), (4, 4), (5, 1 << 20), (6, 3))))
    update = encode((1, 9), (2, 3), (3, 17), (4, 16), (5, 0), (6, 3), (7, 1))
    opened = encode((1, TOPIC), (2, 1), (3, 12), (4, 2))
    push = encode((1, 9), (2, 3), (4, 17), (5, 2), (6, batch([b"a", b"b"])))
    result = encode((1, TOPIC), (2, 1), (3, 6), (4, 100), (5, 1700000000000), (6, 2), (7, 1))
    answer = encode((1, TOPIC), (2, 1), (4, 9), (5, 9), (6, 2), (7, batch([b"a"]) + batch([b"b"])))
    for kind, name, data in (
            (0, "produce", produce()), (0, "produce_idempotent", produce(producer=(7, 0, 3))),
            (1, "produced", encode((1, 77), (2, result))), (2, "fetch", fetch),
            (3, "fetched", encode((1, 78), (3, answer))),
            (4, "open", encode((1, opened), (3, 1 << 20))), (4, "update", encode((2, update))),
            (5, "push", encode((3, push))), (5, "error", encode((1, 6), (2, "not the leader")))):
        yield "log_codec", name, bytes([kind]) + data
    yield "producer_state", "empty", struct.pack(">I", 0)
    yield "producer_state", "one", struct.pack(">IqhqIiiqqq", 1, 7, 0, 1000, 1, 0, 4, 0, 4, 1000)


def golden():
    """(API, its place in the table, kind, version, header, body) of each golden frame."""
    apis = {}
    for name in os.listdir(GOLDEN):
        if name.endswith(".txt"):
            with open(os.path.join(GOLDEN, name), encoding="utf-8") as file:
                apis[name.removesuffix(".txt")] = [line.split(" ", 6) for line in file if line[0] != "#"]
    key = {api: int(lines[0][4][:4], 16) for api, lines in apis.items()}  # a request's begins with it
    for place, api in enumerate(sorted(apis, key=key.get)):
        for kind, version, _, _, header, body, _ in apis[api]:
            yield api, place, kind, int(version), bytes.fromhex(header), bytes.fromhex(body)


def kafka_seeds():
    """Of each message the longest frame of its first and its last version, and of requests of every version."""
    longest, first = {}, {}
    for api, place, kind, version, header, body in golden():
        first.setdefault(api, version)
        seed = bytes([place, kind == "response", version - first[api]]) + body
        slot = (api, kind, version)
        longest[slot] = max(longest.get(slot, (b"", b"")), (seed, header + body), key=lambda s: len(s[0]))
    last = {(api, kind): version for api, kind, version in longest}
    for (api, kind, version), (seed, frame) in longest.items():
        if version in (first[api], last[api, kind]):
            yield "kafka_messages", f"{api}_{kind}_{version}", seed
        if kind == "request" and version == last[api, kind]:
            yield "kafka_frames", f"{api}_{version}", frame
        if kind == "request":
            asked = seed[2:3] + struct.pack("<H", len(seed) - 3) + seed[3:]
            yield "kafka_api" + re.sub("[A-Z]", lambda m: "_" + m[0].lower(), api), f"version_{version}", asked
            if version in (first[api], last[api, kind]):
                yield "kafka_handlers", f"{api}_{version}", seed[:1] + asked
    again = struct.pack(">iqi", 0, 3, 1 << 20) * 3  # one partition at its end, in a long poll
    fetch = (struct.pack(">iiiibi", -1, 3, 0x7fffffff, 1 << 20, 0, 1) + struct.pack(">h8si", 8, b"payments", 3) + again)
    yield "kafka_api_fetch", "repeated", b"\0" + struct.pack("<H", len(fetch)) + fetch
    read = struct.pack(">h1sih8siiii", 1, b"g", 1, 8, b"payments", 3, 0, 1, 0)
    yield "kafka_api_offset_fetch", "repeated", b"\0" + struct.pack("<H", len(read)) + read
    yield "kafka_frames", "unknown_version", struct.pack(">HHIH", 18, 99, 7, 1) + b"z"
    yield "kafka_messages", "error_of_quipu", bytes.fromhex("1501038000010003ed0100")


def storage_seeds():
    for name, size in (("raft", 8), ("partition", 9), ("epoch", 13), ("log", 16), ("snapshot", 17),
                       ("time_index", 24)):
        yield "storage_keys", name, (b"S" + u64(3) + u64(40) + u64(5))[:size]
    sealed = b"".join([batch([b"payment"])])
    yield "storage_values", "batch", struct.pack(">q", 0) + sealed
    yield "storage_values", "stored", struct.pack(">I", crc32c(sealed[:21])) + sealed
    yield "storage_values", "hard_state", struct.pack(">QiQQ", 5, 2, 9, 2)
    yield "storage_values", "entry", struct.pack(">QQB", 12, 5, 1) + encode((1, encode((1, TOPIC))))
    yield "storage_values", "snapshot", struct.pack(">QQ", 12, 5) + encode((1, encode((1, TOPIC))))
    yield "storage_values", "partition", struct.pack(">Qiiqq", 3, 4, 6, 0, 17)
    yield "storage_values", "epoch", struct.pack(">q", 17)
    yield "storage_values", "producers", struct.pack(">qIqhqIiiqqq", 5, 1, 7, 0, 1000, 1, 0, 4, 0, 4,
                                                     1000)
    slot = b"QWM1" + struct.pack(">QQq", 6, 41, 12)
    yield "watermark_slots", "two", b"\1" + slot + b"\1" + slot
    yield "watermark_slots", "one", b"\1" + slot + b"\0" + slot
    whole = slot + struct.pack(">I", crc32c(slot))
    yield "watermark_slots", "file", whole.ljust(4096, b"\0") + bytes(4096)
    identity = ("version=1\ncluster.id=" + "0" * 31 + "7\nrole=%s\nnode.id=1\ndirectory.id=" +
                "0" * 31 + "9\n")
    broker = (identity % "broker").encode()
    yield "directory_identity", "broker", broker
    yield "directory_identity", "broker_whole", broker + b"checksum=%08x\n" % crc32c(broker)
    voter = "1@127.0.0.1:9500:" + "0" * 31 + "9"
    yield "directory_identity", "controller", (identity % "controller" +
                                               f"voters={voter}\n").encode()


def text_seeds():
    yield "config_text", "all", (b"# settings\nnumber=7\nflag=true\n\ntext = a b\n"
                                 b"time.ms=200\nendpoint=[::1]:9092\n")
    yield "config_text", "wrong", b"numbr=7\nnumber=7000\nendpoint=host\n"
    broker = (b"log.dir=/data\nlistener.client=127.0.0.1:0\nlistener.peer=127.0.0.1:0\n"
              b"controller.quorum.bootstrap.servers=a:1,b:2\nnum.shards=4\nbroker.id=3\n")
    controller = b"log.dir=/data\nlistener.controller=127.0.0.1:0\nnode.id=1\n"
    yield "server_settings", "broker", b"\x0cnum.shards=2" + broker
    yield "server_settings", "controller", b"\0" + controller
    servers = b"bootstrap.servers=127.0.0.1:9092,[::1]:9093\n"
    yield "client_settings", "producer", servers + b"acks=all\nlinger.ms=5\ncompression.type=lz4\n"
    yield "client_settings", "consumer", servers + b"group.id=g\nauto.offset.reset=earliest\n"
    rows = (b'account,amount,balance,note\nA1,-100,900,"a, ""b"""\nB2,5,,x\n'
            b'A1,7,907,"two\nlines"\nC3,zero,1,y\n')
    yield "payments_csv", "rows", b"\0" + rows
    yield "payments_csv", "xz", b"\1" + lzma.compress(rows)
    yield "payments_csv", "record", b"\0" + b"17\t-100\t900\tA1,-100,900"


def raft_seeds():
    head = encode((2, struct.pack(">QQ", 7, 7)), (3, 2), (4, struct.pack(">QQ", 9, 2)), (5, 1),
                  (6, struct.pack(">QQ", 9, 1)), (7, 3))
    entry = encode((1, 3), (2, 1), (3, 1), (4, b"data"))
    chunk = encode((1, 9), (2, 2), (4, b"snapshot"), (5, 1), (6, 8), (7, crc32c(b"snapshot")))
    for kind, name in enumerate(("pre_vote", "pre_vote_response", "vote", "vote_response", "append",
                                 "append_response", "heartbeat", "heartbeat_response",
                                 "install_snapshot", "install_snapshot_response")):
        more = {"append": encode((10, 1), (11, entry)), "install_snapshot": encode((17, chunk)),
                "append_response": encode((13, 1)), "heartbeat": encode((10, 0), (16, 5))}
        yield "raft_message", name, bytes([kind % 5]) + encode((1, kind)) + head + more.get(name, b"")
    election = bytes([1, 0, 9, 0, 11, 0, 11] + [0, 1, 0, 1, 11, 2, 11, 2, 1, 0, 0, 1, 0] * 6)
    yield "raft_quorum", "election", election
    yield "raft_quorum", "five", b"\0" + election[1:] + bytes(range(0, 256, 3))
    yield "raft_quorum", "long", bytes([1] + [(i * 37 + i // 5) % 251 for i in range(600)])


def controller_seeds():
    def endpoint(port):
        return encode((1, "127.0.0.1"), (2, port))

    def register(broker):
        return block(0, encode((1, struct.pack(">QQ", 7, 7)), (2, broker),
                               (3, struct.pack(">QQ", 99, broker)), (4, struct.pack(">QQ", 5, broker)),
                               (5, -1), (6, endpoint(9000 + broker)), (7, endpoint(9100 + broker))))
    beat = b"".join(block(1, encode((1, b), (2, 1 + b), (3, 4))) for b in (1, 2, 3))
    start = b"".join(register(b) for b in (1, 2, 3)) + beat
    topic = block(4, encode((1, encode((1, "payments"), (2, 2), (3, 3)))))
    change = block(2, encode((1, 1), (2, 2), (3, encode((1, 1), (4, encode((1, 1), (2, 2)))))))
    yield "controller_commands", "start", start
    yield "controller_commands", "topic", start + topic + beat + change + block(3, encode((1, 1), (2, 2)))
    yield "controller_commands", "silence", start + topic + block(5, bytes(60)) + register(1)


def stream_seeds():
    opening = struct.pack(">I", 8) + b"Quipu\1\1\0"
    yield "stream_frames", "opening", opening
    yield "stream_frames", "end", struct.pack(">I", (1 << 31) + 5) + b"\x03bad."
    yield "stream_frames", "sizes", struct.pack("<HB", 999, 6) + bytes([255, 9, 1, 1, 0, 0, 200, 8, 9, 3, 4, 5] * 3) + opening
    yield "stream_frames", "pieces", struct.pack("<HB", 0, 3) + bytes([130, 9, 0, 64, 4, 1, 0, 0, 0])


def group_seeds():
    def text(name):
        return struct.pack(">h", len(name)) + name
    topics = struct.pack(">hi", 1, 2) + text(b"payments") + text(b"refunds")
    owned = struct.pack(">i", 1) + text(b"payments") + struct.pack(">iii", 2, 0, 5)
    yield "consumer_protocol", "subscription", topics + struct.pack(">i", -1) + owned
    yield "consumer_protocol", "assignment", struct.pack(">h", 0) + owned + struct.pack(">i", 0)
    yield "consumer_protocol", "counts", struct.pack(">hi", 0, 2**31 - 1)


def broker_seeds():
    part = encode((2, 1), (3, -1), (4, batch([b"payment"], producer=(7000, 0, 0))))
    made = block(0, encode((1, 1), (2, 1), (3, 1000), (5, part)))
    read = block(1, encode((1, 2), (2, 5), (3, 1), (4, 1 << 20), (6, encode((2, 1), (5, 1 << 20)))))
    group = (block(10, encode((1, "g"))) + block(17, bytes(200)) +
             block(11, encode((1, "g"), (2, "m"), (3, 0), (6, "payments"))) + block(17, bytes(100)) +
             block(12, encode((1, "g"))) + block(13, encode((1, "g"))) + block(15, encode((1, "g"))))
    follow = (block(2, encode((1, encode((1, struct.pack(">QQ", 7, 7)), (2, 2), (3, 9), (4, 1))),
                              (3, 1 << 20))) + block(2, encode((2, encode((1, 1), (2, 1), (7, 1))))))
    yield "broker_requests", "produce_fetch", made + read + block(4, encode((1, encode((2, 1), (4, -1)))))
    yield "broker_requests", "group", group
    yield "broker_requests", "follow", follow + made
    yield "broker_requests", "admin", (block(8, b"") + block(7, b"") + block(3, encode((1, 1))) +
                                       block(9, encode((1, encode((1, "t"), (2, 1), (3, 1))))) +
                                       block(6, encode((1, encode((2, 0), (3, 1))), (2, 500))))
    plain = bytes([0, 1, 0, 1, 20] * 8 + [0, 7, 0, 9])
    crash = bytes([0, 1, 0, 2, 9, 0, 10, 30, 1, 1, 1, 2, 40, 0, 11, 9, 0, 13, 20, 9] * 3)
    slow = bytes([0, 9, 3, 0, 1, 0, 1, 1, 1, 2, 0, 13, 40, 0, 0, 9, 5, 1, 12, 9, 0, 8, 16, 1] * 2)
    yield "broker_shards", "plain", plain
    yield "broker_shards", "crash", crash
    yield "broker_shards", "slow", slow
    yield "broker_shards", "mixed", bytes((i * 41 + i // 7) % 253 for i in range(400))


def main():
    for seeds in (record_seeds, codec_seeds, kafka_seeds, storage_seeds, text_seeds, raft_seeds, controller_seeds,
                  stream_seeds, group_seeds, broker_seeds):
        for target, name, data in seeds():
            folder = os.path.join(HERE, "corpus", target)
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
