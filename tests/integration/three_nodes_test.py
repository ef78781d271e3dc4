"""Goal: three controllers and three brokers lose, double and reorder nothing while the busiest
broker, the controller leader, the group coordinator and the producer are killed, with the default
number of shards, with three, and over real payments when they are there. Method: the quickstart's
own program over fewer rows, and its verdict.
"""
import csv
import io
import lzma
import os
import subprocess
import sys
import unittest

import programs
from programs import ROOT, UNDER_FIRE, WORK, environment, folder

SAMPLE = os.path.join(ROOT, "client/examples/payments/sample/payments.csv.xz")
BERKA = os.path.join(ROOT, "../shared/data/berka/payments.csv.xz")


def first_rows(path, count):
    """A file with the first rows of the sample, and beside it the table that they end in."""
    where = folder("payments")
    with lzma.open(path, "rt", encoding="utf-8") as file:
        lines = [line for _, line in zip(range(count + 1), file)]
    cut = os.path.join(where, "payments.csv")
    with open(cut, "w", encoding="utf-8") as file:
        file.writelines(lines)
    table = {}
    for row in csv.DictReader(io.StringIO("".join(lines))):
        payments, total, _ = table.get(row["account"], (0, 0, 0))
        amount = int(row["amount"])
        table[row["account"]] = (payments + 1, total + amount, int(row["balance"]))
    with open(os.path.join(where, "accounts_expected.csv"), "w", encoding="utf-8") as file:
        file.write("account,payments,sum,final_balance\n")
        for account, values in sorted(table.items()):
            file.write(",".join(map(str, (account, *values))) + "\n")
    return cut


class UnderFire(programs.TestCase):
    """Shared by the classes below; has no test of its own."""

    def fire(self, *arguments):
        done = subprocess.run([sys.executable, UNDER_FIRE, "--programs", programs.BIN,
                               *programs.STORE_SETTINGS, *arguments],
                              text=True, capture_output=True, timeout=240, env=environment(),
                              check=False)
        print(done.stdout)
        self.check(done, 0)
        self.assertIn("final table as expected", done.stdout)
        self.assertIn("PASSED: no payment was lost, doubled or reordered", done.stdout)
        for victim in ("the busiest broker", "the controller leader", "the group coordinator",
                       "the producer"):
            self.assertIn(f"killed {victim}", done.stdout)
        self.no_descendants()
        self.assertEqual([name for name in os.listdir(WORK) if name.startswith("quipu-")], [])


class DefaultShards(UnderFire):
    def test_nothing_is_lost_doubled_or_reordered(self):
        self.fire("--input", first_rows(SAMPLE, 15000), "--rate", "1000")


class ThreeShards(UnderFire):
    def test_nothing_is_lost_doubled_or_reordered(self):
        self.fire("--input", first_rows(SAMPLE, 15000), "--rate", "1000",
                  "--broker-set", "num.shards=3")


class Berka(UnderFire):
    @unittest.skipUnless(os.path.isfile(BERKA), f"{BERKA} is not there")
    def test_real_payments_at_a_high_rate(self):
        self.fire("--input", BERKA, "--rate", "4000")


if __name__ == "__main__":
    programs.main()
