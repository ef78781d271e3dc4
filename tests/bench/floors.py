"""The floors: a raw journal, checked against fio, and three copies over the loopback."""
import json
import os
import shutil
import subprocess

import programs
from results import Row
from station import bench_program, told

FLOOR_PROGRAM, STORE_PROGRAM = "quipu-bench-floor", "quipu-bench-store"
SHAPES = ((16384, 16), (16384, 64), (65536, 16), (65536, 64), (4096, 64), (300, 64))  # batch bytes, queued
GOALS = {16384: 0.5, 65536: 0.8}
FIO_MIN = 0.9


def size(batch_bytes):
    return f"{batch_bytes // 1024} KiB" if batch_bytes >= 1024 else f"{batch_bytes} B"


def chain(plan, folder, batch_bytes, seconds, rate=0, record_bytes=0):
    """Client, leader and two followers; folder empty: nothing is stored."""
    where = ("--dir", folder) if folder else ()
    return told([bench_program(FLOOR_PROGRAM), "chain", *where, "--batch-size", batch_bytes, "--record-size",
                 record_bytes, "--rate", rate, "--seconds", plan.seconds(seconds), "--warm-up",
                 plan.seconds(1), "--file-bytes", plan.count(256, 32) << 20])


def fio(file, group_bytes, seconds):
    """MB/s of one writer that syncs after each block; None without fio."""
    if shutil.which("fio") is None:
        return None
    done = subprocess.run(
        ["fio", "--name=floor", f"--filename={file}", "--rw=write", "--direct=1", "--fdatasync=1", "--ioengine=psync",
         f"--bs={group_bytes}", f"--size={os.path.getsize(file) // group_bytes * group_bytes}", "--time_based",
         f"--runtime={seconds}", "--output-format=json"], text=True, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"fio: {done.stderr}")
    return json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["write"]["bw_bytes"] / 1e6


class Store:
    """Durable appends at the store, one directory."""

    name = "store"
    rows = [Row(f"durable append at the store, {size(batch)} batches, {queued} queued", f"store {batch} {queued}",
                "MB/s", f"journal {batch} {queued}", at_least=GOALS.get(batch)) for batch, queued in SHAPES]
    rows += [Row(f"the same: syncs a second, floor and store, {size(batch)}, {queued} queued",
                 f"store syncs {batch} {queued}", "/s", f"journal syncs {batch} {queued}") for batch, queued in SHAPES]
    rows += [Row(f"the floor itself against fio, {size(batch)} batches, {queued} queued", f"journal {batch} {queued}",
                 "MB/s", f"fio {batch} {queued}", at_least=FIO_MIN) for batch, queued in SHAPES]

    def __init__(self, asked, plan, results):
        self.asked, self.plan, self.results = asked, plan, results

    def run(self, number):
        journal = os.path.join(programs.WORK, "journal")
        seconds = self.plan.seconds(1.5)
        for batch, queued in SHAPES:
            of = f"{batch} {queued}"
            floor = told([bench_program(FLOOR_PROGRAM), "journal", journal, "--batch-size", batch, "--queued", queued,
                          "--seconds", seconds, "--file-bytes", self.plan.count(256, 32) << 20])
            compared = fio(journal, floor["group_bytes"], max(1, round(seconds)))
            self.results.add(number, f"journal {of}", floor["mb_per_second"])
            self.results.add(number, f"journal syncs {of}", floor["syncs_per_second"])
            if compared is None:
                self.results.note("fio is not installed: the journal floor was not checked against it")
            else:
                self.results.add(number, f"fio {of}", compared)
            folder = programs.folder("store")
            chosen = ("--store", self.asked.store)
            store = told([bench_program(STORE_PROGRAM), os.path.join(folder, "d"), "--batch-size", batch, "--queued",
                          queued, "--seconds", seconds, *chosen])
            shutil.rmtree(folder)
            self.results.add(number, f"store {of}", store["mb_per_second"])
            self.results.add(number, f"store syncs {of}", store["groups_per_second"])
