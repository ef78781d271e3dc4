"""Goal: each example does what its habit promises. Method: the built examples against a real
cluster; those that promise something about a crash are killed in the middle and started again.
"""
import os
import signal
import sqlite3
import unittest

import programs
from programs import Cluster, eventually, folder, start


def example(name):
    return f"quipu-example-{name}"


class ExamplesTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1)
        cls.addClassCleanup(cls.cluster.down)

    def topic(self, name, records, partitions=2, numbered=False):
        """A topic with payments of 1 each: account-0:1, account-1:1, ...; or of 0, 1, 2, ..."""
        self.cluster.make_topic(name, partitions=partitions, replicas=1)
        text = "".join(f"account-{i % 7}:{i if numbered else 1}\n" for i in range(records))
        self.check(programs.run(example("idempotent-producer"), self.cluster.bootstrap, name,
                                text=text), 0)

    def values(self, topic, count):
        return self.cluster.quipu("consume", topic, "--from-beginning", "-n", count).stdout.split()

    def committed(self, group):
        described = self.cluster.json("group", "describe", group)
        return sum(max(p["committed"] or 0, 0) for p in described["offsets"])

    def test_the_idempotent_producer_sends_every_line_once(self):
        self.topic("produced", 20)
        self.assertEqual(len(self.values("produced", 20)), 20)
        ends = self.cluster.json("topic", "describe", "produced")["partitions"]
        self.assertEqual(sum(p["high_watermark"] for p in ends), 20)
        done = programs.run(example("idempotent-producer"), self.cluster.bootstrap, "no such topic",
                            text="a:1\n")
        self.check(done, 1, "persisted: no")

    def test_at_least_once_misses_nothing_when_killed(self):
        records = 40000  # more lines than a pipe holds: it cannot be done before it is killed
        self.topic("tasks", records, numbered=True)
        first = start(example("at-least-once"), self.cluster.bootstrap, "tasks", "workers", records)
        seen = [first.stdout.readline() for _ in range(100)]
        first.send_signal(signal.SIGKILL)
        seen += first.stdout.readlines()
        first.communicate()
        done_before = self.committed("workers")
        self.assertLessEqual(done_before, len(seen), "committed before it was handled")
        left = records - done_before
        self.assertGreater(left, 0, "it was killed too late")
        second = programs.run(example("at-least-once"), self.cluster.bootstrap, "tasks", "workers",
                              left, seconds=90)
        self.check(second, 0)
        self.assertEqual(len(second.stdout.split()), left)
        whole = [line for line in seen if line.endswith("\n")]  # the last one may be cut
        values = {line.split()[-1] for line in whole + second.stdout.splitlines()}
        self.assertEqual(values, {f"account-{i % 7}:{i}" for i in range(records)},
                         "every payment was handled")
        self.assertEqual(self.committed("workers"), records)

    def test_the_batch_consumer_commits_batch_by_batch(self):
        self.topic("bulk", 25, partitions=1)
        done = programs.run(example("batch-consumer"), self.cluster.bootstrap, "bulk", "loader", 10,
                            25)
        self.check(done, 0)
        self.assertEqual(done.stdout.splitlines(), ["batch of 10, first account-0:1",
                                                    "batch of 10, first account-3:1",
                                                    "batch of 5, first account-6:1"])
        self.assertEqual(self.committed("loader"), 25)

    def test_exactly_once_with_sqlite_counts_every_payment_once_through_kills(self):
        records = 20000
        self.topic("money", records)
        path = os.path.join(folder("database"), "balances.db")

        def total():
            try:
                # Asks again rather than wait behind the program until that has done all.
                with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.1) as database:
                    return database.execute("SELECT COALESCE(SUM(amount),0) FROM balance"
                                            ).fetchone()[0]
            except sqlite3.OperationalError:
                return 0  # not made yet, or locked

        for part in (1, 2):
            running = start(example("exactly-once-sqlite"), self.cluster.bootstrap, "money", path)
            eventually(lambda goal=part * 500: total() >= goal or running.poll() is not None,
                       "some payments to be applied")
            running.send_signal(signal.SIGKILL)
            running.communicate()
            self.assertEqual(running.returncode, -signal.SIGKILL, "it ended before it was killed")
            self.assertTrue(0 < total() < records, total())
        for _ in range(2):  # the second finds nothing to do
            self.check(programs.run(example("exactly-once-sqlite"), self.cluster.bootstrap, "money",
                                    path, seconds=90), 0)
            self.assertEqual(total(), records)
        with sqlite3.connect(path) as database:
            rows = dict(database.execute("SELECT account, amount FROM balance"))
            ends = sum(n for (n,) in database.execute("SELECT next FROM position"))
        self.assertEqual(rows, {f"account-{i}": len(range(i, records, 7)) for i in range(7)})
        self.assertEqual(ends, records)


if __name__ == "__main__":
    programs.main()
