"""The Kafka protocol by hand: frames and a bare connection, for requests that no client would send."""
import contextlib
import socket
import struct

PRODUCE, FETCH, METADATA, API_VERSIONS, CREATE_TOPICS, OFFSET_DELETE = 0, 1, 3, 18, 19, 47


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def request(api, version, body=b"", correlation=7):
    """A frame with a version 1 header, which every version of every API before the flexible ones has."""
    return framed(struct.pack(">hhi", api, version, correlation) + string("test") + body)


def framed(bytes_of_it):
    return struct.pack(">i", len(bytes_of_it)) + bytes_of_it


def produce_body(topic, records, acks=-1, partition=0):
    """Of Produce versions 3 to 8, for one partition."""
    return (struct.pack(">hhi", -1, acks, 10000) + struct.pack(">i", 1) + string(topic)
            + struct.pack(">iii", 1, partition, len(records)) + records)


def produced(answer, topic):
    """(error, first offset) of the one partition in an answer to Produce version 3."""
    at = 4 + 2 + len(topic) + 4 + 4
    return struct.unpack(">hq", answer[at:at + 10])


class Wire:
    """A bare connection to one Kafka listener."""

    def __init__(self, address, source=None, seconds=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=seconds, source_address=source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            part = self.socket.recv(min(count - len(data), 1 << 20))
            if not part:
                raise EOFError(f"closed after {len(data)} of {count} bytes")
            data += part
        return bytes(data)

    def answer(self):
        """(correlation id, the rest)."""
        answer = self.read(struct.unpack(">i", self.read(4))[0])
        return struct.unpack(">i", answer[:4])[0], answer[4:]

    def ask(self, frame):
        self.socket.sendall(frame)
        return self.answer()

    def send_what_goes(self, data):
        """Whether all of it was taken before the other end closed."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
            return True
        return False

    def is_closed(self):
        """Waits for it, as long as the socket's time allows; False: the other end says something."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
