"""Goal: scripts/bench still works. Method: what judges and draws, with figures made up; the floors' programs and a part
of the set, each for a moment; one broker killed. Figures themselves are not judged: others may run beside it.
"""
import contextlib
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]
import programs  # noqa: E402
import chart  # noqa: E402
import failure  # noqa: E402
import nats_peer  # noqa: E402
import peers  # noqa: E402
import redis_peer  # noqa: E402
import report  # noqa: E402
from results import Plan, Results, Row  # noqa: E402
from station import Station, bench_program, told  # noqa: E402

MACHINE = {"rounds": 3, "store": "s", "commit": "c", "date": "d", "cpu": "p", "cores": 2, "memory_gib": 1,
           "file_system": "f", "kernel": "k", "loads": [0.1], "quick": False, "command": "scripts/bench"}


def figures(**values):
    return Results({name: {str(n): value for n, value in enumerate(listed)} for name, listed in values.items()})


class JudgingTest(programs.TestCase):
    def test_the_median_of_the_ratios_within_rounds_is_judged(self):
        results = figures(mine=[10, 80, 30], floor=[20, 100, 100])  # ratios 0.5, 0.8, 0.3
        self.assertTrue(Row("", "mine", "", "floor", at_least=0.5).judge(results))
        self.assertFalse(Row("", "mine", "", "floor", at_least=0.51).judge(results))
        self.assertFalse(Row("", "mine", "", "floor", at_most=0.49).judge(results))
        self.assertTrue(Row("", "mine", "", at_most=30).judge(results))
        self.assertTrue(Row("", "mine", "", "floor", at_least=0.9, or_figure_at_least=30).judge(results))
        self.assertIsNone(Row("", "mine", "", "floor").judge(results))
        self.assertIsNone(Row("", "missing", "", at_most=1).judge(results))

    def test_the_page_keeps_what_was_written_by_hand(self):
        page = os.path.join(programs.folder("page"), "benchmarks.md")
        with open(page, "w", encoding="utf-8") as file:
            file.write("before\n<!-- scripts/bench: figures begins -->\nold\n<!-- scripts/bench: figures ends -->\nafter\n")
        rows = [Row("good", "mine", "MB/s", "floor", at_least=0.5), Row("bad", "mine", "MB/s", at_most=2),
                Row("not measured", "missing", "s")]
        for _ in range(2):
            report.write_page(page, "figures", MACHINE, rows, figures(mine=[10, 80, 30], floor=[20, 100, 100]))
        written = programs.read(page)
        self.assertTrue(written.startswith("before\n") and written.endswith("\nafter\n"))
        self.assertIn("| good | >= 0.50 | 100.0 (20.00-100.0) MB/s | 30.00 (10.00-80.00) MB/s | 0.50 (0.30-0.80) | reached |",
                      written)
        self.assertIn("| bad | <= 2.00 |  | 30.00 (10.00-80.00) MB/s |  | **falls short** |", written)
        self.assertNotIn("old", written)
        self.assertNotIn("not measured", written)
        self.assertIn("benchmarks-figures.svg", written)
        self.assertIn(chart.GOOD, programs.read(os.path.join(os.path.dirname(page), "benchmarks-figures.svg")))


class FakeRedis(socketserver.BaseRequestHandler):
    """Answers XADD and WAIT, the latter after a while."""
    copies, pause_seconds = 2, 0.03

    def handle(self):
        with self.request.makefile("rb") as commands, contextlib.suppress(ConnectionError):  # a client that gave up
            for line in commands:
                if line.startswith(b"XADD"):
                    self.request.sendall(b"$3\r\n1-1\r\n")
                elif line.startswith(b"WAIT"):
                    time.sleep(self.pause_seconds)
                    self.request.sendall(b":%d\r\n" % self.copies)


class PeersTest(programs.TestCase):
    def test_what_the_client_prints(self):
        line = '{{"published": 7, "acknowledged": {}, "records_per_second": {}, "p50_ms": 1.5, "p99_ms": 2.5}}\n'
        self.assertEqual(peers.figures_of(line.format(7, 3.5))["p99_ms"], 2.5)
        for lost in (line.format(6, 3.5), line.format(7, 0)):
            with self.assertRaisesRegex(AssertionError, "not all was acknowledged"):
                peers.figures_of(lost)

    def test_what_nodes_tell_before_they_are_ready(self):
        replica = "slave{}:ip=127.0.0.1,port=1,state={},offset=0,lag=0\r\n"
        self.assertEqual(redis_peer.replicas_online(replica.format(0, "online") + replica.format(1, "wait_bgsave")), 1)
        self.assertEqual(redis_peer.replicas_online(replica.format(0, "online") + replica.format(1, "online")), 2)
        follower, leader = {"leader": "n1", "cluster_size": 3}, {"leader": "n1", "cluster_size": 3, "replicas": [
            {"name": "n0", "current": True}, {"name": "n2", "current": True}]}
        for meta, known in ((follower, (True, False)), (leader, (True, True)), ({"cluster_size": 3}, (False, False)),
                            ({**follower, "cluster_size": 2}, (False, False)),
                            ({**leader, "replicas": leader["replicas"][:1]}, (True, False))):
            self.assertEqual(nats_peer.knows_its_cluster(json.dumps({"meta_cluster": meta})), known, meta)

    def test_the_shape_of_a_load(self):
        load = redis_peer.Redis.loads[0]
        self.assertEqual(load.shape(1024, 0)[-4:], ("--batch", 64, "--window", 256))
        self.assertEqual(load.shape(100, 1000)[2:8], ("--rate", 1000, "--producers", 50, "--batch", 1))

    def test_ratios_and_goals_of_the_figures_that_are_kept(self):
        results = Results()
        redis = redis_peer.Redis(None, Plan(True), results)
        told = {"servers_cpu_per_gib": 4, "client_cpu_per_gib": 1}
        redis.keep(1, "Quipu beside redis: 1 KiB records", 1024, {**told, "records_per_second": 60000})
        redis.keep(1, f"{redis.loads[0].what}: 1 KiB records", 1024, {**told, "records_per_second": 10000})
        table = report.table(redis.rows, results).splitlines()
        self.assertIn("| >= 5.00 | 10,000 records/s | 60,000 records/s | 6.00 | reached |", table[2])
        self.assertIn("|  | 10.24 MB/s | 61.44 MB/s | 6.00 |  |", table[3])
        self.assertIn("| <= 0.99 | 4.00 s | 4.00 s | 1.00 | **falls short** |", table[4])
        self.assertEqual(len(table), 6)

    def test_a_peer_that_is_not_installed_is_left_out_aloud(self):
        class Absent(peers.Peer):
            name, needed = "absent", ("no-such-program", "sh")
        results = Results()
        for number in (1, 2):
            Absent(None, Plan(True), results).run(number)
        self.assertEqual(results.notes, ["LEFT OUT: absent: there is no no-such-program here (scripts/setup --peers)"])

    def test_the_client_counts_from_when_a_record_was_due_and_believes_no_single_copy(self):
        if not os.path.exists(peers.CLIENT):
            self.skipTest("the client of the peers is not built: scripts/setup --peers")
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), FakeRedis) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            for copies in (2, 1):
                FakeRedis.copies = copies
                run = subprocess.run(
                    [peers.CLIENT, "redis", "--addresses", f"127.0.0.1:{server.server_address[1]}", "--producers", "2",
                     "--rate", "40", "--batch", "1", "--warm-up", "0.2s", "--measured", "0.5s"], text=True,
                    capture_output=True, timeout=60, check=False)
                self.check(run, 0 if copies == 2 else 1, "" if copies == 2 else "WAIT was answered")
                if copies == 2:
                    told = peers.figures_of(run.stdout)
                    self.assertEqual(told["published"], 28)
                    self.assertGreaterEqual(told["p50_ms"], 30)
            server.shutdown()


class RunningTest(programs.TestCase):
    def measured(self, command, shows):
        """What `command(seconds)` tells, of ever more seconds until `shows(answer)`: while others use the disk, one sync
        can take longer than a moment."""
        for seconds in (0.2, 2, 20):
            answer = told([*command(seconds), "--seconds", seconds])
            if shows(answer):
                return answer
        self.fail(f"nor in 20 s: {answer}")

    def test_the_programs_of_the_floors(self):
        folder = programs.folder("floor")
        floor, store, size = bench_program("quipu-bench-floor"), bench_program("quipu-bench-store"), 8 << 20
        journal = self.measured(
            lambda _: [floor, "journal", os.path.join(folder, "j"), "--batch-size", 300, "--queued", 16, "--file-bytes", size],
            lambda answer: answer["mb_per_second"] > 0)
        self.assertEqual(journal["group_bytes"], 8192)
        self.assertEqual(os.path.getsize(os.path.join(folder, "j")), size)
        for where in ((), ("--dir", folder)):
            chain = [floor, "chain", *where, "--file-bytes", size, "--warm-up", 0.1, "--batch-size"]
            self.measured(  # not a batch is left out because it was due while a disk stalled
                lambda seconds: [*chain, 300, "--rate", 100 / seconds],
                lambda answer: answer["latencies"] == 100
                and [node["syncs_per_second"] > 0 for node in answer["nodes"]] == 3 * [bool(where)])
            self.measured(lambda _: [*chain, 65536, "--record-size", 100], lambda answer: answer["batches_per_second"] > 0)
        self.measured(lambda seconds: [store, os.path.join(folder, f"s{seconds}"), "--warm-up", 0.1],
                      lambda answer: answer["mb_per_second"] > 0)

    def test_a_part_of_the_set_and_its_table(self):
        folder = programs.folder("bench")
        main, out = [sys.executable, "-B", os.path.join(HERE, "main.py")], os.path.join(folder, "out.json")
        run = subprocess.run([*main, "restart", "--quick", "--dir", folder, "--out", out], text=True, capture_output=True,
                             env={**os.environ, "QUIPU_BUILD": programs.BUILD}, timeout=100, check=False)
        if "is on no disk" in run.stderr:
            self.skipTest(run.stderr)
        self.check(run, 0)
        with open(out, encoding="utf-8") as file:
            values = json.load(file)["values"]
        self.assertEqual(set(values), {row.figure for row in failure.Restart.rows})
        again = subprocess.run([*main, "restart", "--dir", folder, "--from-json", out], text=True, capture_output=True,
                               timeout=30, check=False)
        self.check(again, 0)
        self.assertEqual(again.stdout.strip(), run.stdout[run.stdout.index("`scripts/bench"):].strip())
        shutil.rmtree(folder)

    def test_a_broker_that_is_killed(self):
        with Station() as station:
            station.make_topic("t", 3)
            result = failure.stop_leader(station, "t", 9)
            self.assertEqual(result["partitions"], 1)
            self.assertGreater(result["last_ms"], 0)
            self.assertEqual(len(station.pids("broker")), 3)

    def test_wrong_arguments(self):
        for arguments, said in ((("nothing",), "no part nothing"), (("kafka", "store"), "a run of their own"),
                                (("read", "redis", "nats"), "a run of their own")):
            done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "main.py"), *arguments], text=True,
                                  capture_output=True, timeout=30, check=False)
            self.check(done, 2, said)


if __name__ == "__main__":
    programs.main()
