"""How record batches lie in the log: their codec, and whether an idempotent producer wrote them. A bare Fetch."""
import socket
import struct

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def read(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError(f"closed after {len(data)} of {count} bytes")
        data += part
    return data


def fetch(address, topic, partition):
    """(error, the bytes of the first batches) by Fetch version 4."""
    name = topic.encode()
    body = (struct.pack(">hhih4s", 1, 4, 1, 4, b"peek") + struct.pack(">iiiib", -1, 100, 1, 1 << 22, 0)
            + struct.pack(">ih", 1, len(name)) + name + struct.pack(">iiqi", 1, partition, 0, 1 << 22))
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = read(connection, struct.unpack(">i", read(connection, 4))[0])
    at = 4 + 4 + 4 + 2 + len(name) + 4 + 4  # correlation, throttle, topics, name, partitions, index
    error, _, _, aborted = struct.unpack(">hqqi", answer[at:at + 22])
    at += 22 + 16 * max(0, aborted)
    return error, answer[at + 4:]


def of(cluster, topic, partition=0):
    """[(codec, producer id)] of the first batches."""
    answers = [fetch(address, topic, partition) for address in cluster.kafka_bootstrap.split(",")]
    data = next(data for error, data in answers if error == 0)  # of the leader
    found, at = [], 0
    while at + 61 <= len(data):
        attributes, = struct.unpack(">h", data[at + 21:at + 23])
        producer, = struct.unpack(">q", data[at + 43:at + 51])
        found.append((CODECS[attributes & 7], producer))
        at += 12 + struct.unpack(">i", data[at + 8:at + 12])[0]
    return found
