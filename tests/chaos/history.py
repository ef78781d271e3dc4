"""Reads the history that the clients write, while they write it."""
import json
import os


class History:
    """What was sent, how it ended, and what the following reader has read.

    Counts only what is needed while the run goes on; quipu-history-check judges the whole file.
    """

    def __init__(self, path, reader_process):
        self.path, self.reader_process = path, reader_process
        self.position, self.rest = 0, b""
        self.open_sends = {}     # value -> when it began
        self.unread = {}         # acknowledged and not yet read: value -> (partition, offset)
        self.read = set()
        self.counts = {"invoke": 0, "ok": 0, "fail": 0, "info": 0}
        self.last_ok = {}        # partition -> time; None: any partition
        self.gaps = {True: [], False: []}  # (seconds, end) of waits over 0.05 s; True: any partition
        self.assignments = self.group_records = 0

    def refresh(self):
        if not os.path.exists(self.path):
            return
        with open(self.path, "rb") as file:
            file.seek(self.position)
            data = file.read()
        self.position += len(data)
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            self.take(json.loads(line))

    def take(self, event):
        if event["f"] == "assign":
            self.assignments += event["process"] != self.reader_process
        elif event["f"] == "poll":
            if event["process"] != self.reader_process:
                self.group_records += len(event["records"])
                return
            for _, value, *_ in event["records"]:
                self.read.add(value)
                self.unread.pop(value, None)
        else:
            self.take_send(event)

    def take_send(self, event):
        self.counts[event["type"]] += 1
        if event["type"] == "invoke":
            self.open_sends[event["value"]] = event["time"]
            return
        self.open_sends.pop(event["value"], None)
        if event["type"] == "ok":
            if event["value"] not in self.read:
                self.unread[event["value"]] = (event.get("partition"), event.get("offset"))
            for partition in (None, event.get("partition")):
                last = self.last_ok.get(partition, event["time"])
                if event["time"] - last > 5e7:
                    self.gaps[partition is None].append(((event["time"] - last) / 1e9, event["time"]))
                self.last_ok[partition] = max(event["time"], last)

    def longest_gap(self, since=0.0, anywhere=False):
        """Seconds without an acknowledgement in some partition, or in all of them together."""
        return max((seconds for seconds, end in self.gaps[anywhere] if end >= since), default=0.0)

    def summary(self):
        return (f"sends: {self.counts['invoke']:,} begun, {self.counts['ok']:,} acknowledged, "
                f"{self.counts['fail']:,} failed, {self.counts['info']:,} unknown, "
                f"{len(self.open_sends):,} cut off by the kill of their producer")
