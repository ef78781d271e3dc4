"""Goal: what a process is started with, or given to read, is refused with what, where and what to do,
and with the documented exit code. Method: brokers and controllers started by hand on wrong
configurations and directories, and payments with bad rows.
"""
import os
import re
import shutil
import socket
import unittest

import programs
from programs import PATIENCE, Cluster, eventually, folder, read, run

CLUSTER, OTHER_CLUSTER = "1" * 32, "2" * 32
DIRECTORY = "3" * 32


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Directories(programs.TestCase):
    """Formats directories and starts nodes on them, with no other node to talk to."""

    def setUp(self):
        self.work = folder("node")
        self.listeners = os.path.join(self.work, "listeners")
        self.addCleanup(self.no_descendants)  # the first to be added is the last to run

    def path(self, name):
        return os.path.join(self.work, name)

    def format(self, name="data", role="broker", node=1, cluster=CLUSTER):
        arguments = ["storage", "format", self.path(name), "--cluster-id", cluster, "--role", role,
                     "--node-id", node, "--directory-id", DIRECTORY]
        if role == "controller":
            arguments += ["--voter", f"{node}@127.0.0.1:{free_port()}:{DIRECTORY}"]
        self.check(run("quipu", *arguments), 0)
        return self.path(name)

    def broker_arguments(self, where, *settings):
        given = [f"log.dir={where}", "listener.client=127.0.0.1:0", "listener.peer=127.0.0.1:0",
                 "controller.quorum.bootstrap.servers=127.0.0.1:1", *settings]
        return [part for setting in given for part in ("--set", setting)]

    def broker(self, where, *settings):
        """A broker that is expected to end by itself."""
        return run("quipu-broker", *self.broker_arguments(where, *settings))

    def serving(self, where, *settings):
        """A broker that serves."""
        child = programs.start("quipu-broker", *self.broker_arguments(
            where, f"listeners.file={self.listeners}", "controlled.shutdown.timeout.ms=50",
            *settings))
        self.addCleanup(self.end, child)
        eventually(lambda: os.path.exists(self.listeners) or child.poll() is not None, "a broker")
        self.assertIsNone(child.poll())
        return child

    @staticmethod
    def end(child):
        if child.poll() is None:
            child.terminate()
        child.communicate(timeout=PATIENCE)


class DirectoryTest(Directories):
    def test_an_unformatted_directory_is_refused_with_the_command_that_formats_it(self):
        for where in (self.path("none"), self.work):
            self.check(self.broker(where), 3, "event=broker.refused", where, "is not formatted",
                       f"quipu storage format {where}")
        done = run("quipu-controller", "--set", f"log.dir={self.work}")
        self.check(done, 3, "event=controller.refused", "is not formatted", "--role controller")

    def test_a_foreign_directory_is_refused(self):
        where = self.format(node=4)
        self.check(self.broker(where, "broker.id=5"), 3, where, "belongs to broker 4", "is node 5")
        self.check(self.broker(where, f"cluster.id={OTHER_CLUSTER}"), 3, "INCONSISTENT_CLUSTER_ID",
                   where, CLUSTER, OTHER_CLUSTER)
        done = run("quipu-controller", "--set", f"log.dir={where}")
        self.check(done, 3, where, "broker", "controller")
        self.check(self.broker(self.format("c", role="controller")), 3, "controller", "broker")

    def test_the_database_of_another_directory_is_refused(self):
        first, second = self.format("first", node=1), self.path("second")
        self.end(self.serving(first))
        self.check(run("quipu", "storage", "format", second, "--cluster-id", CLUSTER, "--node-id",
                       2), 0)
        for name in os.listdir(first):
            if os.path.isdir(os.path.join(first, name)):
                shutil.copytree(os.path.join(first, name), os.path.join(second, name))
        self.check(self.broker(second), 3, "event=broker.refused", second)

    def test_a_newer_directory_is_refused(self):
        where = self.format()
        path = os.path.join(where, "meta.properties")
        text = read(path)
        self.assertRegex(text, r"(?m)^format\.version=1$")
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"(?m)^format\.version=1$", "format.version=99", text))
        self.check(self.broker(where), 3, where, "UNSUPPORTED_VERSION", "99")

    def test_a_damaged_identity_is_refused(self):
        where = self.format()
        path = os.path.join(where, "meta.properties")
        with open(path, "a", encoding="utf-8") as file:
            file.write("more=1\n")
        self.check(self.broker(where), 3, "meta.properties", "damaged")

    def test_a_locked_directory_is_refused_and_its_owner_goes_on(self):
        where = self.format()
        owner = self.serving(where)
        self.check(self.broker(where), 3, where, "in use by another process",
                   "stop that process, or name another log.dir")
        self.assertIsNone(owner.poll())
        self.end(owner)
        self.assertEqual(owner.returncode, 0)

    def test_a_directory_that_cannot_be_written_is_refused(self):
        under_a_file = os.path.join(self.path("file"), "data")
        with open(self.path("file"), "w", encoding="utf-8") as file:
            file.write("x")
        self.check(run("quipu", "storage", "format", under_a_file, "--cluster-id", CLUSTER,
                       "--node-id", 1), 1, under_a_file, "Not a directory")
        self.check(self.broker(under_a_file), 3, under_a_file)
        self.check(run("quipu", "storage", "format", "/proc/quipu", "--cluster-id", CLUSTER,
                       "--node-id", 1), 1, "/proc/quipu")
        # Whoever may write everything is stopped by what is no file: the lock is a directory.
        where = self.format()
        os.mkdir(os.path.join(where, "lock"))
        self.check(self.broker(where), 3, where, "not writable")

    def test_a_directory_without_permission_is_refused(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere; the test above uses what is no file")
        where = self.format()
        os.chmod(where, 0o500)
        self.addCleanup(os.chmod, where, 0o700)
        self.check(self.broker(where), 3, where, "not writable")


class ListenerTest(Directories):
    def test_a_port_in_use_is_told_with_what_to_do(self):
        with socket.socket() as thief:
            thief.bind(("127.0.0.1", 0))
            thief.listen()
            taken = f"127.0.0.1:{thief.getsockname()[1]}"
            for key in ("listener.client", "listener.peer"):
                done = self.broker(self.format(key), f"{key}={taken}")
                self.check(done, 1, f"cannot listen on {taken}", "ss -ltnp", "choose another port")

    def test_the_port_of_another_broker_is_in_use_too(self):
        self.serving(self.format())
        taken = dict(line.split("=") for line in read(self.listeners).splitlines())["client"]
        done = self.broker(self.format("second"), f"listener.client={taken}")
        self.check(done, 1, f"cannot listen on {taken}")

    def test_a_listener_beyond_this_machine_is_refused(self):
        done = self.broker(self.format(), "listener.client=0.0.0.0:0")
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertIn("can be reached from other machines", done.stderr)
        self.assertIn("quipu.unsafe.plaintext.network", done.stderr)


class ConfigTest(Directories):
    def test_a_bad_key_is_refused_with_the_nearest_known_one(self):
        done = self.broker(self.format(), "num.shard=2")
        self.check(done, 2, "event=config.refused", "num.shard", "num.shards")

    def test_a_bad_value_is_refused_with_what_was_expected(self):
        where = self.format()
        for setting, expected in (("num.shards=many", "num.shards"), ("num.shards=0", "num.shards"),
                                  ("listener.client=here", "listener.client"),
                                  ("broker.id=-3", "broker.id"),
                                  ("quipu.validate.compressed=maybe", "false"),
                                  ("cluster.id=xyz", "cluster.id"), ("nonsense", "key=value"),
                                  ("controller.quorum.bootstrap.servers=a:b", "host:port")):
            with self.subTest(setting):
                done = self.broker(where, setting)
                self.check(done, 2, "event=config.refused", setting.split("=")[0])
                self.assertIn(expected.lower(), done.stderr.lower())

    def test_a_bad_line_of_a_file_is_told_with_file_and_line(self):
        path = self.path("node.properties")
        for line in ("num.shard=3", "num.shards=three", "no equals sign here"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"# comment\n\nlog.dir=/x\n{line}\n")
            with self.subTest(line):
                done = run("quipu-broker", "--config", path)
                self.check(done, 2, f"{path}:4")
        self.check(run("quipu-broker", "--config", self.path("none")), 2, self.path("none"))

    def test_a_required_key_that_is_missing_is_named(self):
        self.check(run("quipu-controller"), 2, "log.dir is missing")
        arguments = self.broker_arguments("/x")
        for key in ("log.dir", "listener.client", "listener.peer",
                    "controller.quorum.bootstrap.servers"):
            at = next(i for i, text in enumerate(arguments) if text.startswith(key))
            done = run("quipu-broker", *arguments[:at - 1], *arguments[at + 1:])
            self.check(done, 2, f"{key} is missing; expected")

    def test_a_configuration_can_be_checked_and_described(self):
        done = run("quipu-broker", *self.broker_arguments("/nowhere"), "--check-config")
        self.assertIn("sound", self.check(done, 0).stdout)
        for name in ("quipu-broker", "quipu-controller"):
            done = self.check(run(name, "--describe-config"), 0)
            self.assertIn("log.dir", done.stdout)
            self.check(run(name, "--no-such-option"), 2)


class ClusterIdTest(Directories):
    def test_a_broker_of_another_cluster_is_refused_and_nothing_is_lost(self):
        cluster = Cluster(1)
        self.addCleanup(cluster.down)
        self.check(cluster.quipu("topic", "create", "kept", "-r", 1, "-p", 1), 0)
        cluster.json("produce", "kept", text="a\nb\n")
        controller = cluster.nodes["controller-1"]["address"]
        where = self.format(node=8, cluster=OTHER_CLUSTER)
        done = self.broker(where, f"controller.quorum.bootstrap.servers={controller}")
        self.check(done, 1, "event=process.stopped", "INCONSISTENT_CLUSTER_ID", "broker 8")
        # The id of a live broker, from another directory.
        told = programs.json.loads(read(os.path.join(cluster.directory, "cluster.json")))
        where = self.format("copy", node=1, cluster=told["cluster_id"])
        child = programs.start("quipu-broker", *self.broker_arguments(
            where, f"controller.quorum.bootstrap.servers={controller}"))
        said, ended = [], None
        try:
            for line in child.stderr:  # refused and tried again, or the end of it
                said.append(line)
                if "DUPLICATE_BROKER_REGISTRATION" in line or "UNPROVEN_DIRECTORY" in line:
                    break
        finally:
            self.end(child)
            ended = child.returncode
        self.assertRegex("".join(said), "DUPLICATE_BROKER_REGISTRATION|UNPROVEN_DIRECTORY")
        self.assertIn(ended, (0, 1))
        values = cluster.quipu("consume", "kept", "--from-beginning", "-n", 2).stdout.split()
        self.assertEqual(values, ["a", "b"])


class DiskBytesTest(Directories):
    def test_a_log_that_lost_synced_writes_serves_nobody_until_it_is_told_to(self):
        for store, logs in (("rocksdb", r"\d+\.log"), ("journal", r"\d+\.seg")):
            with self.subTest(store):
                self.lose_synced_writes(store, logs)

    def lose_synced_writes(self, store, logs):
        cluster = Cluster(1, "--broker-set", f"log.store={store}")
        self.addCleanup(cluster.down)
        self.check(cluster.quipu("topic", "create", "kept", "-r", 1, "-p", 1), 0)
        for _ in range(4):  # the loss of the very last group alone may go unnoticed
            cluster.json("produce", "kept", text="a\nb\n" * 100)
        cluster.kill("broker-1")
        data = os.path.join(cluster.directory, "broker-1", "data")
        found = [os.path.join(base, name) for base, _, names in os.walk(data) for name in names
                 if re.fullmatch(logs, name)]
        longest = max(found, key=lambda path: len(self.written(path)))
        with open(longest, "r+b") as file:
            file.truncate(len(self.written(longest)) // 3)
        cluster.up()
        self.assertIn("storage.unproven", read(cluster.nodes["broker-1"]["log"]))
        told = cluster.json("partition", "list", "kept")
        self.assertEqual([p["state"] for p in told], ["unrecovered"])
        done = cluster.json("partition", "recover", "kept", 0, "--unclean", "--execute")
        self.assertEqual(done["chosen"], 1)
        end = done["replicas"][0]["log_end_offset"]
        self.assertLess(end, 800)
        cluster.json("produce", "kept", text="c\n")
        values = cluster.quipu("consume", "kept", "--from-beginning", "-n", end + 1).stdout.split()
        self.assertEqual(values, (["a", "b"] * 400)[:end] + ["c"])

    @staticmethod
    def written(path):
        """Up to the last byte that is not zero: segments of a journal are made of zeros."""
        with open(path, "rb") as file:
            return file.read().rstrip(b"\0")


class PaymentsRowsTest(programs.TestCase):
    HEADER = "account,amount,balance\n"

    def write(self, text):
        path = os.path.join(folder("rows"), "payments.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_a_bad_row_is_told_with_line_column_and_what_was_expected(self):
        for row, column, expected in (("a,ten,10\n", "amount", "whole number"),
                                      ("a,10,ten\n", "balance", "whole number"),
                                      ("a,10\n", "", "3"), (",10,10\n", "account", ""),
                                      ("a,99999999999999999999,1\n", "amount", "whole number"),
                                      ('"a,10,10\n', "", "quot")):
            path = self.write(self.HEADER + "a,5,5\n" + row)
            with self.subTest(row):
                done = run("quipu-payments", "count", "--input", path)
                self.check(done, 1, f"{path}:3", column, expected)

    def test_a_file_that_is_no_input_is_refused(self):
        path = self.write("")
        self.check(run("quipu-payments", "count", "--input", path), 1, path, "header")
        self.check(run("quipu-payments", "count", "--input", self.write("x,y\n1,2\n")), 1,
                   "no amount column found", "--amount-column", "x, y")
        self.check(run("quipu-payments", "count", "--input", "/no/such.csv"), 1, "/no/such.csv")
        broken = self.write("not xz") + ".xz"
        os.rename(broken[:-3], broken)
        self.check(run("quipu-payments", "count", "--input", broken), 1, broken)
        self.check(run("quipu-payments", "count", "--input", self.write(self.HEADER), "--key-column",
                       "iban"), 1, "iban")

    def test_skip_bad_goes_on_and_counts(self):
        path = self.write(self.HEADER + "a,5,5\na,ten,10\nb,1,1\n,,\na,2,7\n")
        done = run("quipu-payments", "count", "--input", path, "--skip-bad")
        self.assertEqual(self.check(done, 0, f"{path}:3", f"{path}:5").stdout, "3\n")
        cluster = Cluster(1)
        self.addCleanup(cluster.down)
        self.check(cluster.quipu("topic", "create", "payments", "-r", 1), 0)
        arguments = ("-b", cluster.bootstrap, "--topic", "payments", "--input", path)
        done = run("quipu-payments", "produce", *arguments, "--state-dir", folder("state"))
        self.check(done, 1, f"{path}:3")
        done = run("quipu-payments", "produce", *arguments, "--state-dir", folder("state"),
                   "--skip-bad")
        self.assertIn("2 bad rows skipped", self.check(done, 0).stdout)

    def test_no_broker_reachable_is_told_with_the_servers(self):
        path = self.write(self.HEADER + "a,5,5\n")
        done = run("quipu-payments", "produce", "-b", "127.0.0.1:1,127.0.0.1:2", "--topic", "t",
                   "--input", path, "--state-dir", folder("state"), seconds=90)
        self.check(done, 1, "no broker could be reached", "127.0.0.1:1", "127.0.0.1:2")


if __name__ == "__main__":
    programs.main()
