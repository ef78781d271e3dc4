"""Goal: a batch that is damaged on one broker's disk is repaired from another and never served; with
every copy damaged its offsets are refused with a clear error, and the rest can be read. Method: three
brokers; a byte of a batch's payload is changed in the blob files or the journal of stopped or running brokers.
"""
import glob
import os
import unittest

import programs
from programs import Cluster, PATIENCE, eventually, folder, read, run
from three_nodes_test import SAMPLE, first_rows

BROKERS = ("broker-1", "broker-2", "broker-3")


class DamageTest(programs.TestCase):
    def setUp(self):
        # What is read again by itself would be repaired before a reader can meet it.
        self.cluster = Cluster(3, "--broker-set", "quipu.scrub.bytes.per.second=0")
        self.addCleanup(self.cluster.down)

    # ---- brokers ----
    def directory(self, broker):
        return os.path.join(self.cluster.directory, broker)

    def log(self, broker):
        return read(os.path.join(self.directory(broker), "node.log"))

    def stop_all(self):
        self.check(run("quipu", "cluster", "down", "--dir", self.cluster.directory, "--timeout",
                       15000, seconds=2 * PATIENCE), 0)

    def flip(self, broker, marker):
        """Changes one byte of the batch that holds `marker`, on the disk of this broker."""
        found = 0
        data = os.path.join(self.directory(broker), "data")
        for path in glob.glob(f"{data}/log/*.blob") + glob.glob(f"{data}/journal/*.seg"):
            with open(path, "r+b") as file:
                at = file.read().find(marker.encode())
                if at < 0:
                    continue
                file.seek(at)
                file.write(bytes([marker.encode()[0] ^ 0x20]))
                found += 1
        self.assertEqual(found, 1, f"{marker} in the files of {broker}")

    def partition(self, topic):
        return self.cluster.json("topic", "describe", topic)["partitions"][0]

    def in_sync(self, topic):
        eventually(lambda: len(self.partition(topic)["isr"]) == 3, f"{topic} to be in sync")

    def make_leader(self, topic, broker):
        """Kills the others, so that this broker leads when they come back."""
        for name in BROKERS:
            if name != broker:
                self.cluster.kill(name)
        wanted = int(broker[-1])
        eventually(lambda: self.partition(topic)["leader"] == wanted, f"{broker} to lead")
        self.cluster.up()
        eventually(lambda: len(self.partition(topic)["isr"]) > 1, "another one in sync")
        self.assertEqual(self.partition(topic)["leader"], wanted)

    # ---- records ----
    def produce(self, topic, *values):
        """Each value in a batch of its own."""
        for value in values:
            self.cluster.json("produce", topic, "-p", 0, text=value + "\n")

    def consume(self, topic, count, *arguments):
        return self.cluster.quipu("consume", topic, "-p", 0, "-n", count, *arguments)

    def test_a_copy_damaged_while_its_broker_was_down_is_repaired_before_it_serves(self):
        self.cluster.make_topic("t")
        self.produce("t", "first-one", "second-one", "third-one")
        # After an orderly end a start applies nothing again: what is damaged then is one batch.
        self.stop_all()
        self.cluster.up()
        self.in_sync("t")
        victim = f"broker-{self.partition('t')['leader']}"
        self.cluster.kill(victim)
        self.flip(victim, "second-one")
        self.cluster.up()
        eventually(lambda: "log.batch_repaired" in self.log(victim), "the repair")
        self.assertIn("log.batch_damaged", self.log(victim))
        self.in_sync("t")
        self.make_leader("t", victim)
        done = self.check(self.consume("t", 3, "--from-beginning"), 0)
        self.assertEqual(done.stdout.split(), ["first-one", "second-one", "third-one"])
        # And it is whole on the disk.
        repaired = self.log(victim).count("log.batch_repaired")
        self.stop_all()
        self.cluster.up()
        self.in_sync("t")
        self.assertEqual(self.log(victim).count("log.batch_repaired"), repaired)

    def test_a_reader_that_meets_damage_waits_for_the_repair(self):
        self.cluster.make_topic("t")
        self.produce("t", "first-one", "second-one", "third-one")
        self.stop_all()
        self.cluster.up()
        self.in_sync("t")
        leader = f"broker-{self.partition('t')['leader']}"
        self.flip(leader, "second-one")
        done = self.check(self.consume("t", 3, "--from-beginning"), 0)
        self.assertEqual(done.stdout.split(), ["first-one", "second-one", "third-one"])
        self.assertIn("log.batch_repaired", self.log(leader))

    def test_payments_are_verified_through_a_repaired_leader(self):
        cut = first_rows(SAMPLE, 3000)
        self.cluster.make_topic("payments")
        done = run("quipu-payments", "produce", "-b", self.cluster.bootstrap, "--topic", "payments",
                   "--input", cut, "--state-dir", folder("state"), seconds=3 * PATIENCE)
        self.check(done, 0)
        self.stop_all()
        self.cluster.up()
        self.in_sync("payments")
        victim = f"broker-{self.partition('payments')['leader']}"
        self.cluster.kill(victim)
        with open(cut, encoding="utf-8") as file:
            amount, balance = file.readlines()[1500].strip().split(",")[3:5]
        self.flip(victim, f"\t{amount}\t{balance}\t")
        self.cluster.up()
        eventually(lambda: "log.batch_repaired" in self.log(victim), "the repair")
        self.in_sync("payments")
        self.make_leader("payments", victim)
        self.check(run("quipu-payments-verify", "-b", self.cluster.bootstrap, "--topic", "payments",
                       "--input", cut, seconds=2 * PATIENCE), 0)

    def test_with_every_copy_damaged_the_offsets_are_refused_and_the_rest_is_readable(self):
        self.cluster.make_topic("t")
        self.cluster.make_topic("other")
        self.produce("t", "first-one", "second-one", "third-one")
        self.produce("other", "untouched")
        self.stop_all()
        self.cluster.up()
        self.in_sync("t")
        self.stop_all()
        for broker in BROKERS:
            self.flip(broker, "second-one")
        self.cluster.up()
        for broker in BROKERS:
            eventually(lambda b=broker: "log.batch_refused" in self.log(b), f"{broker} to refuse")
        # Others serve.
        self.check(self.consume("other", 1, "--from-beginning"), 0)
        self.in_sync("t")
        done = self.check(self.consume("t", 3, "--from-beginning"), 1, "DAMAGED_ON_ALL_REPLICAS",
                          "offsets 1 to 1", "seek to 2")
        self.assertEqual(done.stdout.split(), ["first-one"])
        done = self.check(self.consume("t", 1, "--offset", 2), 0)
        self.assertEqual(done.stdout.split(), ["third-one"])
        # What producers have sent is hidden in the damaged batch.
        self.check(self.cluster.quipu("produce", "t", "-p", 0, text="fourth-one\n"), 1,
                   "DAMAGED_ON_ALL_REPLICAS", "persisted: no")
        # Given up, the partition is whole again.
        self.check(self.cluster.quipu("topic", "delete-records", "t", "-p", 0, "--before", 2), 0)
        self.produce("t", "fourth-one")
        done = self.check(self.consume("t", 2, "--from-beginning"), 0)
        self.assertEqual(done.stdout.split(), ["third-one", "fourth-one"])


if __name__ == "__main__":
    programs.main()
