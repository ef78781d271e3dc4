#!/usr/bin/python3
"""Writes record batches made by python3-kafka, an implementation independent of ours.

Needs Debian's python3-kafka, python3-lz4, python3-snappy and python3-zstandard. Run it in its own folder; it writes
one NAME.bin per batch and manifest.json, which says what each batch holds. The output depends on
nothing but this script and, for compressed batches, on the codec library's version.

Keys and values are hexadecimal in the manifest; null is null.
"""

import json
import struct

from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

NO_PRODUCER = (-1, -1, -1)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
LOG_APPEND_TIME_BIT = 0x08
ATTRIBUTES_POSITION = 21
MAX_TIMESTAMP_POSITION = 35
CRC_POSITION = 17


def record(timestamp, key, value, headers=()):
    return {"timestamp": timestamp, "key": key, "value": value, "headers": list(headers)}


def build(codec, producer, records):
    producer_id, producer_epoch, base_sequence = producer
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=CODECS[codec], is_transactional=False,
        producer_id=producer_id, producer_epoch=producer_epoch, base_sequence=base_sequence,
        batch_size=1 << 20)
    for offset, item in enumerate(records):
        appended = builder.append(
            offset, timestamp=item["timestamp"], key=item["key"], value=item["value"],
            headers=item["headers"])
        assert appended is not None
    return bytearray(builder.build())


def with_log_append_time(batch, timestamp):
    """What a broker does to a batch of a topic with message.timestamp.type=LogAppendTime."""
    (attributes,) = struct.unpack_from(">h", batch, ATTRIBUTES_POSITION)
    struct.pack_into(">h", batch, ATTRIBUTES_POSITION, attributes | LOG_APPEND_TIME_BIT)
    struct.pack_into(">q", batch, MAX_TIMESTAMP_POSITION, timestamp)
    struct.pack_into(">I", batch, CRC_POSITION, calc_crc32c(batch[ATTRIBUTES_POSITION:]))
    return batch


def hex_or_none(data):
    return None if data is None else data.hex()


def describe(name, codec, producer, records, batch, log_append_time):
    parsed = DefaultRecordBatch(bytes(batch))
    assert parsed.validate_crc()
    assert [(r.key, r.value) for r in parsed] == [(r["key"], r["value"]) for r in records]
    return {
        "name": name,
        "codec": codec,
        "producer_id": producer[0],
        "producer_epoch": producer[1],
        "base_sequence": producer[2],
        "crc": parsed.crc,
        "log_append_time": log_append_time,
        "records": [{
            "timestamp": r["timestamp"],
            "key": hex_or_none(r["key"]),
            "value": hex_or_none(r["value"]),
            "headers": [[key, hex_or_none(value)] for key, value in r["headers"]],
        } for r in records],
    }


def compressible(count):
    return [record(1700000000000 + 7 * i, b"account-%d" % (i % 5), b"payment " * 20 + b"%d" % i)
            for i in range(count)]


def main():
    now = 1700000000123
    vectors = [
        ("one_record", "none", NO_PRODUCER, [record(now, b"key", b"value")], None),
        ("null_key_and_value", "none", NO_PRODUCER,
         [record(now, None, b"v"), record(now, b"k", None), record(now, None, None)], None),
        ("empty_key_and_value", "none", NO_PRODUCER, [record(now, b"", b"")], None),
        ("headers", "none", NO_PRODUCER,
         [record(now, b"k", b"v", [("trace", b"\x00\x01\xff"), ("empty", b""), ("null", None)]),
          record(now + 1, b"k", b"v", [("tr\u00e4ger", b"utf-8 key")])], None),
        ("timestamps_back_and_forth", "none", NO_PRODUCER,
         [record(now, b"a", b"1"), record(now - 100000, b"b", b"2"),
          record(now + 86400000, b"c", b"3"), record(0, b"d", b"4")], None),
        ("producer_fields", "none", (4711, 3, 2147483646),
         [record(now, b"k%d" % i, b"v%d" % i) for i in range(3)], None),
        ("long_lengths", "none", NO_PRODUCER,
         [record(now, b"k" * 63, b"v" * 64), record(now, b"k" * 64, b"v" * 8191),
          record(now, b"k" * 65, b"v" * 8192)], None),
        ("many_records", "none", (1, 0, 0),
         [record(now + i, b"%d" % i, b"x" * (i % 7)) for i in range(200)], None),
        ("log_append_time", "none", NO_PRODUCER,
         [record(now, b"k", b"v"), record(now + 5, b"k", b"w")], now + 999),
        ("lz4", "lz4", (9, 1, 40), compressible(30), None),
        ("zstd", "zstd", (9, 1, 40), compressible(30), None),
        ("lz4_log_append_time", "lz4", NO_PRODUCER, compressible(10), now + 999),
        ("gzip", "gzip", (9, 1, 40), compressible(30), None),
        ("snappy", "snappy", (9, 1, 40), compressible(30), None),
    ]
    manifest = []
    for name, codec, producer, records, log_append_time in vectors:
        batch = build(codec, producer, records)
        if log_append_time is not None:
            batch = with_log_append_time(batch, log_append_time)
        with open(name + ".bin", "wb") as out:
            out.write(batch)
        manifest.append(describe(name, codec, producer, records, batch, log_append_time))
    with open("manifest.json", "w", encoding="utf-8") as out:
        json.dump(manifest, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
