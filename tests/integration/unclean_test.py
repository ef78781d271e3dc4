"""Goal: a broker that has lost its log, or cannot show that it is complete, comes back by itself and
loses nothing that was acknowledged; when all have, the partitions stay offline until a person says
otherwise. Method: three brokers, directories wiped, bytes of write-ahead logs flipped, and every
payment read again.
"""
import glob
import os
import shutil
import unittest

import programs
from programs import Cluster, eventually, read, run

ACCOUNTS = 20


class UncleanTest(programs.TestCase):
    def setUp(self):
        self.cluster = Cluster(3)
        self.addCleanup(self.cluster.down)
        self.cluster.make_topic("payments", partitions=3, min_insync_replicas=2)
        self.sent = 0  # per account

    # ---- the payments ----
    def pay(self, rounds):
        """`rounds` payments of each account, all of them acknowledged."""
        lines = "".join(f"a{account}:a{account} {self.sent + step}\n"
                        for step in range(rounds) for account in range(ACCOUNTS))
        done = self.cluster.quipu("produce", "payments", "--key-separator", ":", text=lines)
        self.check(done, 0)
        self.sent += rounds

    def read_accounts(self):
        """What each account holds, in the order of its partition."""
        marks = [p["high_watermark"] for p in
                 self.cluster.json("topic", "describe", "payments")["partitions"]]
        done = self.cluster.quipu("consume", "payments", "--from-beginning", "-n", sum(marks))
        self.check(done, 0)
        accounts = {}
        for line in done.stdout.splitlines():
            account, number = line.split()[-2:]
            accounts.setdefault(account, []).append(int(number))
        return accounts

    def check_nothing_is_lost(self):
        accounts = self.read_accounts()
        self.assertEqual(len(accounts), ACCOUNTS)
        for account, numbers in accounts.items():
            self.assertEqual(numbers, list(range(self.sent)), account)

    # ---- the brokers ----
    def data(self, name):
        return os.path.join(self.cluster.directory, name, "data")

    def flip_a_byte_in_the_middle_of_the_wal(self, name):
        path = max(glob.glob(os.path.join(self.data(name), "log", "*.log")), key=os.path.getsize)
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 0x10]))

    def await_full_isrs(self):
        eventually(lambda: self.cluster.quipu("cluster", "health").returncode == 0,
                   "every ISR to be full")

    def log(self, name):
        return read(self.cluster.nodes[name]["log"])

    def check_replicas_are_equal(self):
        for partition in range(3):
            def ends():
                told = self.cluster.json("partition", "describe", "payments", partition)
                return {replica["log_end_offset"] for replica in told["replica_logs"]}
            eventually(lambda: len(ends()) == 1, "all replicas to end alike")

    def test_an_empty_directory_under_a_known_id_fills_itself(self):
        self.pay(100)
        self.cluster.kill("broker-2")
        identity = dict(line.split("=", 1) for line in
                        read(os.path.join(self.data("broker-2"), "meta.properties")).splitlines()
                        if "=" in line)
        shutil.rmtree(self.data("broker-2"))
        self.check(run("quipu", "storage", "format", self.data("broker-2"), "--cluster-id",
                       identity["cluster.id"], "--role", "broker", "--node-id", 2), 0)
        self.pay(20)  # the others go on
        self.cluster.up()
        self.await_full_isrs()
        self.assertIn("broker.registered_unclean", self.log("broker-2"))
        self.check_replicas_are_equal()
        self.pay(20)
        self.check_nothing_is_lost()
        # It counts again: without another one its partitions go on.
        self.cluster.kill("broker-1")
        self.pay(20)
        self.check_nothing_is_lost()

    def pay_twice(self):
        """So that the middle of each log is not in its last group: the loss of that one alone may
        go unnoticed (the limit of D4)."""
        self.pay(200)
        self.pay(20)

    def test_a_flipped_byte_in_the_wal_is_found_and_repaired(self):
        self.pay_twice()
        self.cluster.kill("broker-1")
        self.flip_a_byte_in_the_middle_of_the_wal("broker-1")
        self.cluster.up()
        self.await_full_isrs()
        log = self.log("broker-1")
        self.assertIn("storage.unproven", log)
        self.assertIn("broker.registered_unclean", log)
        self.assertTrue(os.path.isdir(os.path.join(self.data("broker-1"), "log.unproven")))
        self.check_replicas_are_equal()
        self.pay(20)
        self.check_nothing_is_lost()
        # The next start finds nothing wrong.
        registered = log.count("broker.registered_unclean")
        self.cluster.kill("broker-1")
        self.cluster.up()
        self.await_full_isrs()
        self.assertLessEqual(self.log("broker-1").count("broker.registered_unclean"),
                             registered)
        self.check_nothing_is_lost()

    def test_when_all_are_damaged_a_person_decides(self):
        self.pay_twice()
        for name in ("broker-1", "broker-2", "broker-3"):
            self.cluster.kill(name)
            self.flip_a_byte_in_the_middle_of_the_wal(name)
        self.cluster.up()
        lost = eventually(lambda: [p for p in self.cluster.json("partition", "list", "--offline")
                                   if p["state"] == "unrecovered"],
                          "the partitions to be offline")
        self.assertEqual(len([p for p in lost if p["topic"] == "payments"]), 3)
        health = self.check(self.cluster.quipu("cluster", "health"), 4)
        self.assertIn("no complete replica", health.stdout)
        self.check(self.cluster.quipu("partition", "recover", "payments", 0), 2, "--unclean")
        for p in lost:
            where = ("partition", "recover", p["topic"], p["partition"], "--unclean")
            shown = self.check(self.cluster.quipu(*where), 0)
            self.assertIn("Nothing was changed", shown.stdout)
            told = self.cluster.json(*where)
            self.assertFalse(told["executed"])
            best = max((r["last_epoch"], r["log_end_offset"]) for r in told["replicas"])
            chosen = next(r for r in told["replicas"] if r["broker"] == told["chosen"])
            self.assertEqual((chosen["last_epoch"], chosen["log_end_offset"]), best)
            done = self.cluster.json(*where, "--execute")
            self.assertTrue(done["executed"])
            self.assertEqual(done["chosen"], told["chosen"])
        self.await_full_isrs()
        self.check_replicas_are_equal()
        again = self.cluster.quipu("partition", "recover", "payments", 0, "--unclean", "--execute")
        self.check(again, 1, "ELECTION_NOT_NEEDED")
        # What is left is a prefix of each partition, and so of each account.
        kept = self.read_accounts()
        for account, numbers in kept.items():
            self.assertEqual(numbers, list(range(len(numbers))), account)
        self.assertGreater(sum(map(len, kept.values())), 0)
        self.assertLess(sum(map(len, kept.values())), self.sent * ACCOUNTS)
        before = sum(map(len, kept.values()))
        self.pay(5)
        self.assertEqual(sum(map(len, self.read_accounts().values())), before + 5 * ACCOUNTS)


if __name__ == "__main__":
    programs.main()
