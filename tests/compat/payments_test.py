"""Goal: payments that a Kafka client writes while a leader is killed are all there: for a group of the same client by the
places that they have in the log, and for the verifier once and in order. Method: real payments of a bank with its own balances, kept beside the product.
"""
import collections
import csv
import lzma
import os
import unittest

import programs
from client import CACHE, CLIENTS, ClientCase, has, python_of_the_cache

DATA = os.environ.get("QUIPU_COMPAT_DATA", os.path.join(programs.ROOT, "..", "shared", "data", "berka"))
INPUT, EXPECTED = os.path.join(DATA, "payments.csv.xz"), os.path.join(DATA, "accounts_expected.csv")
TOLERANCE = 10  # hundredths: the bank's rounding
MEMBERS = 2


def payments():
    """Records as `quipu-payments` writes them: row, amount, balance and the text of the row."""
    with lzma.open(INPUT, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    for i, (line, row) in enumerate(zip(lines[1:], csv.DictReader(lines))):
        value = "\t".join((str(i), row["signed_hundredths"], row["balance_hundredths"], line))
        yield {"i": i, "key": row["account_id"], "value": value, "headers": []}


class Payments(ClientCase):
    def test_payments_while_a_leader_is_killed(self):
        sent = list(payments())
        self.cluster.make_topic("payments", partitions=6)
        members = [self.child("group", topic="payments", group="billing") for _ in range(MEMBERS)]
        self.await_members("billing", MEMBERS)
        producer = self.child("produce", topic="payments", codec="lz4")
        half = len(sent) // 2
        producer.feed(sent[:half], 0.05, 200)
        leader = self.cluster.json("topic", "describe", "payments")["partitions"][0]["leader"]
        self.addCleanup(self.cluster.up)
        self.cluster.kill(f"broker-{leader}")
        producer.feed(sent[half:], 0.05, 200)
        self.check_acknowledged(sent, producer.finish())
        self.await_members("billing", MEMBERS)
        self.await_no_lag("billing")
        for member in members:
            member.finish()
        read = {(one["partition"], one["offset"]): one for member in members for one in member.lines}
        self.check_balances(len(sent), [read[where] for where in sorted(read)])
        verified = programs.run("quipu-payments-verify", "-b", self.cluster.bootstrap, "--topic", "payments", "--input",
                                INPUT, "--balance-tolerance", TOLERANCE, "--expected-table", EXPECTED, seconds=120)
        self.check(verified, 0)

    def check_balances(self, count, read):
        """Each balance follows from the one before, and the last ones are the bank's."""
        self.assertEqual(len(read), count)
        totals = collections.defaultdict(lambda: [0, 0, 0])
        for one in read:
            amount, balance = map(int, one["value"].split("\t")[1:3])
            total = totals[one["key"]]
            self.assertLessEqual(abs(total[2] + amount - balance), TOLERANCE, one)
            totals[one["key"]] = [total[0] + 1, total[1] + amount, balance]
        with open(EXPECTED, encoding="utf-8") as file:
            expected = {row.pop("account_id"): [int(value) for value in row.values()] for row in csv.DictReader(file)}
        self.assertEqual(dict(totals), expected)


HERE = unittest.skipUnless(os.path.isfile(INPUT), f"{INPUT} is not there")


@HERE
@unittest.skipUnless(has("python"), "confluent-kafka is not installed (scripts/setup --compat does it)")
class ConfluentPaymentsTest(Payments, programs.TestCase):
    command = (python_of_the_cache(), "-B", os.path.join(CLIENTS, "confluent_client.py"))


@HERE
@unittest.skipUnless(has("kafkajs"), "kafkajs is not installed (scripts/setup --compat does it)")
class KafkajsPaymentsTest(Payments, programs.TestCase):
    command = ("node", os.path.join(CACHE, "kafkajs", "client.js"))


if __name__ == "__main__":
    programs.main()
