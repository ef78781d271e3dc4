"""Goal: brokers of both ways to store (log.store) work in one cluster, a directory stays what it is, and
one broker after another goes over by filling itself from its peers. Method: three brokers, payments
before, between and after, each read again; and directories started with the wrong setting.
"""
import os
import re

import programs
from accounts import AccountsCase
from programs import read, run


class LogStoreTest(AccountsCase):
    settings = ("--broker-set", "log.store=rocksdb")

    def set_store(self, name, kind):
        """In the broker's file; None: the key is not given."""
        path = os.path.join(self.cluster.directory, name, "node.properties")
        text = re.sub(r"(?m)^log\.store=.*\n", "", read(path))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + (f"log.store={kind}\n" if kind else ""))

    def check_dump(self, name, kind):
        done = self.check(run("quipu", "storage", "dump", self.data(name)), 0)  # 4: damage
        self.assertIn(f"log_store={kind}", done.stdout)

    def move(self, name, kind):
        """A broker begins anew with the other way to store, and fills itself."""
        self.cluster.kill(name)
        self.empty(name)
        self.set_store(name, kind)
        self.pay(20)  # the others go on
        self.cluster.up()
        self.await_full_isrs()
        self.check_replicas_are_equal()
        self.assertEqual(self.identity(name).get("log.store", "rocksdb"), kind)

    def test_a_cluster_goes_over_and_back(self):
        self.pay(50)
        for kind in ("journal", "rocksdb"):
            for name in ("broker-1", "broker-2", "broker-3"):
                self.move(name, kind)
                self.pay(20)
                self.check_nothing_is_lost()
        # Each leads again after the loss of another one.
        self.cluster.kill("broker-2")
        self.pay(20)
        self.check_nothing_is_lost()
        self.check_dump("broker-2", "rocksdb")

    def test_a_directory_stays_what_it_is(self):
        self.move("broker-1", "journal")
        self.pay(20)
        self.cluster.kill("broker-1")
        self.check_dump("broker-1", "journal")
        before = read(os.path.join(self.data("broker-1"), "meta.properties"))
        config = os.path.join(self.cluster.directory, "broker-1", "node.properties")
        self.set_store("broker-1", "rocksdb")
        refused = self.check(run("quipu-broker", "--config", config), 3, "INVALID_CONFIG",
                             "is stored with log.store=journal", "set to log.store=rocksdb",
                             "quipu storage format")
        self.assertNotIn("Fatal", refused.stderr)
        self.assertEqual(read(os.path.join(self.data("broker-1"), "meta.properties")), before)
        self.check(run("quipu-broker", "--config", config, "--set", "log.store=jurnal"), 2,
                   "rocksdb, journal")
        self.set_store("broker-1", None)  # without the key it is opened as it is
        self.cluster.up()
        self.await_full_isrs()
        self.pay(20)
        self.check_nothing_is_lost()


if __name__ == "__main__":
    programs.main()
