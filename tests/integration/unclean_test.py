"""Goal: a broker that has lost its log, or cannot show that it is complete, comes back by itself and
loses nothing that was acknowledged; when all have, the partitions stay offline until a person says
otherwise. Method: three brokers, directories wiped, bytes of write-ahead logs flipped, and every
payment read again.
"""
import glob
import os

import programs
from accounts import ACCOUNTS, AccountsCase
from programs import eventually

JOURNAL_BLOCK = 4096
GROUP_MAGIC = b"\x51\x47\x6a\x01"
GROUP_HEADER, BATCH_HEADER = 48, 61

class UncleanTest(AccountsCase):
    settings = ("--broker-set", "log.store=rocksdb")

    def flip_a_byte_in_the_middle_of_the_wal(self, name, of_a_batch=False):
        """Of a journal, in the header of the group there, or in its batches."""
        def written(path):
            """Up to the last byte that is not zero: segments are made of zeros."""
            with open(path, "rb") as file:
                return file.read().rstrip(b"\0")
        pattern = ("journal", "*.seg") if self.has_journal(name) else ("log", "*.log")
        path = max(glob.glob(os.path.join(self.data(name), *pattern)), key=lambda path: len(written(path)))
        before = written(path)
        place = len(before) // 2
        if self.has_journal(name):
            place -= place % JOURNAL_BLOCK
            while before[place:place + len(GROUP_MAGIC)] != GROUP_MAGIC:
                place -= JOURNAL_BLOCK
            place += GROUP_HEADER + BATCH_HEADER if of_a_batch else len(GROUP_MAGIC)
        place = next(i for i in range(place, len(before)) if before[i])  # no padding
        with open(path, "r+b") as file:
            file.seek(place)
            file.write(bytes([before[place] ^ 0x10]))

    def has_journal(self, name):
        return self.identity(name).get("log.store") == "journal"

    def evidence(self, name):
        pattern = ("journal", "*.unproven") if self.has_journal(name) else ("log.unproven",)
        return glob.glob(os.path.join(self.data(name), *pattern))

    def test_an_empty_directory_under_a_known_id_fills_itself(self):
        self.pay(100)
        self.cluster.kill("broker-2")
        self.empty("broker-2")
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

    def pay_thrice(self):
        """So that the middle of each log is neither in its first group, whose loss would leave nothing,
        nor in its last, whose loss alone may go unnoticed (the limit of D4)."""
        self.pay(20)
        self.pay(200)
        self.pay(20)

    def test_a_flipped_byte_in_the_wal_is_found_and_repaired(self):
        self.pay_thrice()
        self.cluster.kill("broker-1")
        self.flip_a_byte_in_the_middle_of_the_wal("broker-1")
        self.cluster.up()
        self.await_full_isrs()
        log = self.log("broker-1")
        self.assertIn("storage.unproven", log)
        self.assertIn("broker.registered_unclean", log)
        self.assertNotEqual(self.evidence("broker-1"), [])
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
        self.pay_thrice()
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


class UncleanJournalTest(UncleanTest):
    """The same with log.store=journal."""
    settings = ("--broker-set", "log.store=journal")

    def test_a_flipped_byte_of_a_batch_costs_that_batch_alone(self):
        self.pay_thrice()
        self.cluster.kill("broker-1")
        self.flip_a_byte_in_the_middle_of_the_wal("broker-1", of_a_batch=True)
        self.cluster.up()
        self.await_full_isrs()
        log = self.log("broker-1")
        self.assertIn("storage.group_damaged", log)
        self.assertNotIn("storage.unproven", log)
        self.assertNotIn("broker.registered_unclean", log)
        eventually(lambda: "log.batch_repaired" in self.log("broker-1"), "the batch to be repaired")
        self.check_replicas_are_equal()
        self.pay(20)
        self.check_nothing_is_lost()


if __name__ == "__main__":
    programs.main()
