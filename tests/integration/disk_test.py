"""Goal: a full disk and a stalled disk cost what they must and no more (D6): produce refused, reads
served, deletions done, produce back by itself; leadership shed, process ended.
Method: a broker in a small tmpfs, mounted in a mount namespace of this test's own (needs the right to
make one, else the test is skipped and says so); brokers whose syncs of files wait as long as a file
lies beside their data directory (a preloaded library that this test compiles).
"""
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

import programs
from programs import PATIENCE, Cluster, eventually, folder, read

MIB = 1 << 20
IN_NAMESPACE = "QUIPU_DISK_TEST_NAMESPACE"


def enter_namespace():
    """Runs this program again in a mount namespace of its own; returns why that cannot be."""
    probe = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                            'mount -t tmpfs -o size=1m quipu "$0"', programs.WORK],
                           capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        return probe.stderr.strip() or "unshare failed"
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", sys.executable, "-B",
                           *sys.argv], env={**os.environ, IN_NAMESPACE: "1"}, check=False)
    sys.exit(done.returncode)


class FullDiskTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        why = os.environ.get("QUIPU_DISK_TEST_REFUSED")
        if why:
            raise unittest.SkipTest(f"no mount namespace here: {why}")

    def test_a_full_disk_refuses_produce_and_nothing_else_until_there_is_room(self):
        small = folder("small")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m", "quipu", small], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=True)
        cluster = Cluster(1, "--broker-set", f"quipu.disk.free.bytes.min={384 * MIB}", "--broker-set",
                          f"quipu.disk.ballast.bytes={96 * MIB}",
                          directory=os.path.join(small, "c"))
        self.addCleanup(cluster.down)
        ballast = os.path.join(cluster.directory, "broker-1", "data", "ballast")
        eventually(lambda: os.path.exists(ballast), "the ballast")
        self.assertEqual(os.stat(ballast).st_size, 96 * MIB)
        for name in ("kept", "filler"):
            cluster.make_topic(name, replicas=1)
        cluster.json("produce", "kept", text="1\n2\n3\n")

        # Filled until refused: the error is the one for it, and nothing is lost or doubled.
        line = "x" * 100_000 + "\n"
        refused = None
        for _ in range(100):
            done = cluster.quipu("produce", "filler", "--timeout", 3000, text=line * 80)
            if "DISK_FULL" in done.stderr:  # a machine under load may time out before
                refused = done
                break
        self.assertIsNotNone(refused, f"the disk was never full: {done.stderr}")
        self.assertEqual(refused.returncode, 1)
        log = os.path.join(cluster.directory, "broker-1", "node.log")
        self.assertIn("broker.disk_full", read(log))

        # Reads and metadata go on.
        values = cluster.quipu("consume", "kept", "--from-beginning", "-n", 3).stdout.split()
        self.assertEqual(values, ["1", "2", "3"])
        cluster.json("topic", "create", "made-on-a-full-disk", "-p", 1, "-r", 1)

        # Something else takes the rest: the ballast is given up, and producers stay out.
        other = os.path.join(small, "other")
        free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
        with open(other, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - 64 * MIB)
        eventually(lambda: not os.path.exists(ballast), "the ballast to be given up")
        self.check(cluster.quipu("produce", "kept", "--timeout", 1500, text="4\n"), 1, "DISK_FULL")

        # Deletion works with what the ballast left, and gives the space back; produce is back.
        self.check(cluster.quipu("topic", "delete", "filler"), 0)
        os.unlink(other)
        eventually(lambda: cluster.quipu("produce", "kept", "--timeout", 1500,
                                         text="5\n").returncode == 0, "produce to resume")
        self.assertIn("broker.disk_has_space", read(log))
        eventually(lambda: os.path.exists(ballast), "the ballast to be back")
        values = cluster.quipu("consume", "kept", "--from-beginning", "-n", 4).stdout.split()
        self.assertEqual(values[:3], ["1", "2", "3"])
        self.assertIn("5", values)
        self.assertTrue(cluster.pid_is_alive("broker-1"))


class StalledDiskTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise unittest.SkipTest("no C compiler here")
        cls.shim = os.path.join(programs.WORK, "stall_shim.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stall_shim.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", cls.shim, source, "-ldl"],
                       check=True)

    def start(self, shed, leave):
        limits = [f"quipu.disk.stall.shed.ms={shed}", f"quipu.disk.stall.exit.ms={leave}"]
        os.environ["LD_PRELOAD"] = self.shim
        try:
            self.cluster = Cluster(3, *[a for s in limits for a in ("--broker-set", s)],
                                   *[a for s in limits for a in ("--controller-set", s)])
        finally:
            del os.environ["LD_PRELOAD"]
        self.addCleanup(self.cluster.down)

    def stall(self, node):
        path = os.path.join(self.cluster.directory, node, "stall")
        with open(path, "w", encoding="ascii"):
            pass
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def partition(self):
        return self.cluster.json("topic", "describe", "t")["partitions"][0]

    def log(self, node):
        return read(os.path.join(self.cluster.directory, node, "node.log"))

    def test_a_broker_sheds_leadership_and_comes_back_when_the_disk_answers(self):
        self.start(shed=1000, leave=60000)
        self.cluster.make_topic("t")
        leader = self.partition()["leader"]
        path = self.stall(f"broker-{leader}")
        began = time.monotonic()
        # Waits through the stall and the move; the producer tries again by itself.
        done = self.cluster.quipu("produce", "t", "--timeout", PATIENCE * 1000, text="1\n2\n")
        took = time.monotonic() - began
        self.check(done, 0)
        self.assertLess(took, 10, "leadership did not move")
        there = self.partition()
        self.assertNotEqual(there["leader"], leader)
        self.assertNotIn(leader, there["isr"])
        self.assertIn("broker.disk_stalled", self.log(f"broker-{leader}"))
        self.assertTrue(self.cluster.pid_is_alive(f"broker-{leader}"))
        os.unlink(path)
        eventually(lambda: leader in self.partition()["isr"], "the broker to be back in the ISR")
        self.assertIn("broker.disk_answers", self.log(f"broker-{leader}"))
        values = self.cluster.quipu("consume", "t", "--from-beginning", "-n", 2).stdout.split()
        self.assertEqual(values, ["1", "2"])

    def test_processes_end_when_the_disk_stays_away(self):
        self.start(shed=1000, leave=4000)
        self.cluster.make_topic("t")
        leader = self.partition()["leader"]
        path = self.stall(f"broker-{leader}")
        self.check(self.cluster.quipu("produce", "t", "--timeout", PATIENCE * 1000, text="1\n"), 0)
        eventually(lambda: not self.cluster.pid_is_alive(f"broker-{leader}"), "the broker to end")
        self.assertIn("the disk has not answered for", self.log(f"broker-{leader}"))
        os.unlink(path)
        self.cluster.up()
        eventually(lambda: len(self.partition()["isr"]) == 3, "all three to be in sync")

    def test_a_leading_controller_resigns_and_ends(self):
        self.start(shed=1000, leave=4000)
        done = programs.run("quipu", "cluster", "status", "--dir", self.cluster.directory)
        leader = re.search(r"controller leader: (\d+)", done.stdout).group(1)
        path = self.stall(f"controller-{leader}")
        # A change of metadata makes it write; another leader carries it out.
        self.check(self.cluster.quipu("topic", "create", "t", "-p", 1, "-r", 3, "--timeout",
                                      PATIENCE * 1000), 0)
        eventually(lambda: "controller.disk_stalled" in self.log(f"controller-{leader}"),
                   "the stall to be noticed")
        eventually(lambda: not self.cluster.pid_is_alive(f"controller-{leader}"),
                   "the controller to end")
        self.assertIn("the disk has not answered for", self.log(f"controller-{leader}"))
        os.unlink(path)


if __name__ == "__main__":
    if IN_NAMESPACE not in os.environ and not any("StalledDiskTest" in a for a in sys.argv):
        os.environ["QUIPU_DISK_TEST_REFUSED"] = enter_namespace()
    programs.main()
