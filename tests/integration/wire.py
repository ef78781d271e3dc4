"""Quipu's wire format, written anew from proto/message/*.proto and the layout of a record batch.

Independent of the product's own encoders, so that what is wrong on purpose is wrong in one way only.
A message is a dictionary of field numbers to lists of values: whole numbers or bytes.
"""
import socket
import struct
import subprocess


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(*fields):
    """Each field is (number, whole number | bytes | str)."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def take_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def decode(data):
    fields, at = {}, 0
    while at < len(data):
        tag, at = take_varint(data, at)
        value, at = take_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        elif value >= 1 << 63:
            value -= 1 << 64
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def one(fields, number, default=0):
    return fields.get(number, [default])[0]


# ---- record batches ----
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def zigzag(value):
    return varint(value << 1 ^ value >> 63)


def batch(values, codec=0, magic=2, count=None, producer=(-1, -1, -1), control=False, body=None):
    """A record batch of version 2 with a right CRC."""
    records = b""
    for i, value in enumerate(values):
        record = b"\0" + zigzag(0) + zigzag(i) + zigzag(-1) + zigzag(len(value)) + value + zigzag(0)
        records += zigzag(len(record)) + record
    records = records if body is None else body
    count = len(values) if count is None else count
    now = 1700000000000
    head = struct.pack(">hiqqqhii", codec | (0x20 if control else 0), len(values) - 1, now, now,
                       *producer, count)
    rest = struct.pack(">ibI", -1, magic, crc32c(head + records)) + head + records
    return struct.pack(">qi", 0, len(rest)) + rest


# ---- calls ----
FOLLOW, LIST_OFFSETS = 1, 2  # what a stream between brokers is for
LAST_FRAME = 1 << 31


def peer_opening(purpose=FOLLOW, version=1):
    return struct.pack(">I", 8) + b"Quipu" + bytes([version, purpose, 0])


def peer_frame(body):
    return struct.pack(">I", len(body)) + body


def peer_call(address, messages, purpose=FOLLOW):
    """A stream between brokers: sends the messages and reads until the listener ends it. Answers, and the status
    code and text of the end or None."""
    host, port = address.split(":")
    answers, data = [], b""
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(peer_opening(purpose) + b"".join(map(peer_frame, messages)))
        except OSError:
            pass  # closed on us: what was said before is read
        while True:
            while len(data) >= 4 and len(data) >= 4 + (size := struct.unpack(">I", data[:4])[0] & ~LAST_FRAME):
                last, body, data = data[0] & 0x80, data[4:4 + size], data[4 + size:]
                if last:
                    return answers, (body[0], body[1:].decode())
                answers.append(body)
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                return answers, None
            data += part


def call(address, method, messages, unary=False, seconds=20):
    """Answers, decoded, and how the call ended: (code, text), or None while it goes on."""
    from programs import RAW_CLIENT, environment  # the encoders above need no programs
    host, port = address.rsplit(":", 1)
    done = subprocess.run([RAW_CLIENT, host, port, method, "unary" if unary else "stream",
                           str(seconds * 1000)], input="\n".join(m.hex() for m in messages) + "\n",
                          text=True, capture_output=True, timeout=seconds + 20,
                          env=environment(), check=True)
    answers, end = [], None
    for line in done.stdout.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "answer":
            answers.append(bytes.fromhex(rest))
        elif kind == "end" and end is None:
            code, _, text = rest.partition(" ")
            end = (int(code), text)
    return answers, end


def ask(address, method, request):
    answers, end = call(address, method, [request], unary=True)
    if not answers:
        raise AssertionError(f"{method} at {address}: {end}")
    return decode(answers[0])


class Topic:
    """Where a topic's partition 0 is, as any broker tells."""

    def __init__(self, address, name):
        answer = ask(address, "/quipu.rpc.Broker/Metadata", encode((2, name)))
        self.cluster_id = one(answer, 2)
        self.brokers = {}
        for data in answer[4]:
            info = decode(data)
            where = decode(one(info, 2))
            self.brokers[one(info, 1)] = {"address": f"{one(where, 1).decode()}:{one(where, 2)}",
                                          "epoch": one(info, 6)}
        topic = decode(one(answer, 5))
        self.id = one(topic, 3)
        partition = decode(one(topic, 5))
        self.leader, self.epoch = one(partition, 2), one(partition, 3)
        self.address = self.brokers[self.leader]["address"]

    def produce(self, records, partition=0, epoch=None, topic_id=None, acks=-1):
        """(error number, base offset, message) of the answer; or how the stream ended."""
        request = encode((1, 7), (2, acks), (3, 10000), (4, "raw"), (5, encode(
            (1, self.id if topic_id is None else topic_id), (2, partition),
            (3, self.epoch if epoch is None else epoch), (4, records))))
        answers, end = call(self.address, "/quipu.rpc.Log/Produce", [request])
        if not answers:
            return end
        result = decode(one(decode(answers[0]), 2))
        return one(result, 3), one(result, 4), one(result, 9, b"").decode()

    def fetch(self, offset, partition=0, epoch=None, topic_id=None):
        """(error number, high watermark, records) of the answer."""
        request = encode((1, 7), (2, 0), (3, 0), (4, 1 << 20), (5, "raw"), (6, encode(
            (1, self.id if topic_id is None else topic_id), (2, partition), (3, offset),
            (4, self.epoch if epoch is None else epoch), (5, 1 << 20), (6, -1))))
        answers, end = call(self.address, "/quipu.rpc.Log/Fetch", [request])
        if not answers:
            return end
        result = decode(one(decode(answers[0]), 3))
        return one(result, 3), one(result, 4), one(result, 7, b"")
