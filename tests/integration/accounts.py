"""A cluster of three with payments of numbered accounts: what tests need that take brokers or their
disks away and read everything again.
"""
import os
import shutil

import programs
from programs import Cluster, eventually, read, run

ACCOUNTS = 20


class AccountsCase(programs.TestCase):
    settings = ()

    def setUp(self):
        self.cluster = Cluster(3, *self.settings)
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
        if sum(marks) == 0:
            return {}  # -n 0 would be without a limit
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

    def identity(self, name):
        """What meta.properties says."""
        lines = read(os.path.join(self.data(name), "meta.properties")).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def empty(self, name):
        """In the place of a broker's directory, whose process has ended, a new one."""
        identity = self.identity(name)
        shutil.rmtree(self.data(name))
        self.check(run("quipu", "storage", "format", self.data(name), "--cluster-id",
                       identity["cluster.id"], "--role", "broker", "--node-id",
                       identity["node.id"]), 0)

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
