"""The records that the clients write and read, and what has to be true of what was read."""
import collections
import json
import time

ACCOUNTS = 97
# Milliseconds; record i is of BASE_TIME + i where a client can say so. No retention ends it so soon.
BASE_TIME = int(time.time() * 1000) - 3_600_000


def record(i, own_headers=True, repeated_headers=True, timestamps=True, empty_texts=True, null_headers=True):
    """Record i: what `quipu produce -f json` takes. Null and empty keys and values, headers that are null, empty or
    not there, texts beyond ASCII, and now and then a long value."""
    value = f"{i}: payment é {i * 7919 % 100000}" + ("x" * 3000 if i % 1000 == 500 else "")
    made = {"key": f"acc-{i % ACCOUNTS}", "value": value}
    if i % 11 == 10:
        made["key"] = None
    elif i % 17 == 16:  # both would be refused by some clients
        made["value"] = None
    if empty_texts and i % 13 == 12:
        made["key" if i % 2 else "value"] = ""
    if not own_headers:
        made["headers"] = [{"key": "source", "value": "compat"}]
    elif i % 3:
        made["headers"] = [{"key": "seq", "value": str(i)}, {"key": "empty", "value": ""},
                           {"key": "seq" if repeated_headers else "more", "value": "é"}][:i % 3 + 1]
        if null_headers and i % 5 == 0:
            made["headers"].append({"key": "null", "value": None})
    else:
        made["headers"] = []
    if timestamps:
        made["timestamp"] = BASE_TIME + i
    return made


def number(one):
    """i of a record that was written with its time."""
    return one["timestamp"] - BASE_TIME


def content(one, timestamps):
    """What must be read as it was written; text of it, so that it can be counted."""
    kept = [one["key"], one["value"], [[h["key"], h["value"]] for h in one.get("headers") or []]]
    return json.dumps(kept + [one["timestamp"]] if timestamps else kept)


def by_key(records, timestamps):
    """{key: contents in their order}; those without a key have no order."""
    kept = collections.defaultdict(list)
    for one in records:
        kept[one["key"]].append(content(one, timestamps))
    kept[None].sort()
    return kept


def in_log_order(records):
    return sorted(records, key=lambda one: (one["partition"], one["offset"]))


def check_arrival(case, read):
    """The records of a partition came one behind the other."""
    last = {}
    for one in read:
        case.assertGreater(one["offset"], last.get(one["partition"], -1), f"{one} came behind a later one")
        last[one["partition"]] = one["offset"]


def check_equal(case, sent, read, timestamps=True):
    """Nothing lost, doubled, changed or reordered within a key; a key in one partition alone."""
    case.assertEqual(len(read), len(sent))
    expected, seen = by_key(sent, timestamps), by_key(read, timestamps)
    case.assertEqual(set(seen), set(expected))
    for key, contents in expected.items():
        if seen[key] != contents:  # equality of everything would print everything
            first = next(n for n, pair in enumerate(zip(seen[key], contents)) if pair[0] != pair[1])
            case.fail(f"{key}: record {first} of {len(contents)} is {seen[key][first]}, "
                      f"expected {contents[first]}")
    check_partitions(case, read)


def check_partitions(case, read):
    """A key is in one partition, and no offset was read twice or left out."""
    partitions, offsets = collections.defaultdict(set), collections.defaultdict(list)
    for one in read:
        if one["key"] is not None:
            partitions[one["key"]].add(one["partition"])
        offsets[one["partition"]].append(one["offset"])
    case.assertEqual([key for key, where in partitions.items() if len(where) != 1], [])
    for partition, seen in offsets.items():
        case.assertEqual(len(set(seen)), len(seen), f"partition {partition}: an offset was read twice")
