"""Goal: `quipu cluster up|status|down` starts what it says, says what does not serve, and never
loses sight of a process that it started. Method: real clusters in new directories, ports that are
taken, programs that are missing, an `up` that is killed, a description that is damaged.
"""
import json
import os
import shutil
import signal
import socket
import time
import unittest

import programs
from programs import BIN, Cluster, PATIENCE, folder, program, read, run


class LocalClusterTest(programs.TestCase):
    def tearDown(self):
        self.no_descendants()

    def up(self, where, *arguments):
        return run("quipu", "cluster", "up", "--dir", where, "--timeout", PATIENCE * 1000,
                   *arguments, seconds=2 * PATIENCE)

    def down(self, where):
        return json.loads(self.check(run("quipu", "cluster", "down", "--dir", where, "-o", "json",
                                         "--timeout", 15000, seconds=2 * PATIENCE), 0).stdout)

    def test_one_node_with_three_shards_serves_goes_down_and_comes_back_with_its_records(self):
        cluster = Cluster(1, "--broker-set", "num.shards=3", "--controller-set", "num.partitions=4")
        log = os.path.join(cluster.directory, "broker-1", "node.log")
        self.assertIn("num.shards=3", read(os.path.join(cluster.directory,
                                                        "broker-1/node.properties")))
        self.assertRegex(read(log), r"event=broker.serving.* shards=3")
        self.check(cluster.quipu("topic", "create", "t", "-r", 1), 0)
        self.assertEqual(len(cluster.json("topic", "describe", "t")["partitions"]), 4)
        cluster.json("produce", "t", "--key-separator", ":",
                     text="".join(f"k{i}:{i}\n" for i in range(100)))
        self.assertEqual(self.down(cluster.directory), {"killed": []})
        self.check(cluster.quipu("topic", "list"), 3)
        done = run("quipu", "cluster", "status", "--dir", cluster.directory)
        self.assertIn("controller leader: none known", self.check(done, 0).stdout)
        before = cluster.bootstrap
        cluster.up()
        self.assertEqual(cluster.bootstrap, before)
        values = cluster.quipu("consume", "t", "--from-beginning", "-n", 100).stdout.split()
        self.assertEqual(sorted(map(int, values)), list(range(100)))
        pids = {name: node["pid"] for name, node in cluster.nodes.items()}
        cluster.up()  # everything runs: nothing changes
        self.assertEqual({name: node["pid"] for name, node in cluster.nodes.items()}, pids)
        self.check(run("quipu", "cluster", "down", "--dir", cluster.directory), 0)

    def test_up_brings_back_what_was_killed(self):
        cluster = Cluster(1)
        cluster.kill("broker-1")
        told = json.loads(run("quipu", "cluster", "status", "--dir", cluster.directory, "-o",
                              "json", "--timeout", 500).stdout)
        self.assertEqual([n["running"] for n in told["nodes"]], [True, False])
        cluster.up()
        self.check(cluster.quipu("topic", "list"), 0)
        self.down(cluster.directory)

    def test_a_controller_whose_port_another_program_took_is_told_with_its_log(self):
        cluster = Cluster(3)
        self.down(cluster.directory)
        host, port = cluster.nodes["controller-2"]["address"].split(":")
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind((host, int(port)))
            thief.listen()
            done = self.up(cluster.directory)
        self.check(done, 1, "controller-2 ended at its start", "node.log",
                   f"cannot listen on {host}:{port}", "ss -ltnp")
        self.check(self.up(cluster.directory), 0)
        self.down(cluster.directory)

    def test_a_setting_that_brokers_refuse_is_told_with_their_log(self):
        where = os.path.join(folder("refused"), "c")
        done = self.up(where, "-n", 1, "--broker-set", "num.shard=3")
        self.check(done, 1, "broker-1 ended at its start", "num.shard", "num.shards")
        self.down(where)

    def test_processes_of_a_start_that_failed_are_known(self):
        """The controllers start and the brokers' program is missing."""
        programs_there = folder("bin")
        shutil.copy(program("quipu"), programs_there)
        os.symlink(program("quipu-controller"), os.path.join(programs_there, "quipu-controller"))
        where = os.path.join(folder("half"), "c")
        done = run(os.path.join(programs_there, "quipu"), "cluster", "up", "-n", 3, "--dir", where)
        self.check(done, 1, "quipu-broker cannot be run")
        told = json.loads(run("quipu", "cluster", "status", "--dir", where, "-o", "json",
                              "--timeout", 300).stdout)
        self.assertEqual([n["name"] for n in told["nodes"] if n["running"]],
                         ["controller-1", "controller-2", "controller-3"])
        self.down(where)

    def test_processes_of_an_up_that_was_killed_are_known(self):
        for milliseconds in (5, 15, 30, 60, 120):
            with self.subTest(milliseconds):
                where = os.path.join(folder("killed"), "c")
                starter = programs.start("quipu", "cluster", "up", "-n", "3", "--dir", where)
                time.sleep(milliseconds / 1000)  # the moment of the kill, not a wait
                starter.send_signal(signal.SIGKILL)
                starter.communicate(timeout=PATIENCE)
                if os.path.exists(os.path.join(where, "cluster.json")):
                    self.down(where)
                programs.eventually(self.nothing_runs, "every process to end")

    def nothing_runs(self):
        try:
            self.no_descendants()
        except AssertionError:
            return False
        return True

    def test_a_damaged_description_is_refused_by_every_verb(self):
        cluster = Cluster(1)
        self.down(cluster.directory)
        path = os.path.join(cluster.directory, "cluster.json")
        good = json.loads(read(path))

        def node(key, value):
            changed = json.loads(json.dumps(good))
            changed["nodes"][0][key] = value
            return changed
        for damage, said in ((node("port", "9092"), "`port` must be a whole number"),
                             (node("port", 70000), "`port` must be a whole number"),
                             (node("pid", None), "`pid` must be"), (node("id", 1.5), "`id` must be"),
                             (node("role", 3), "`role` must be a text"),
                             (node("directory_id", "x"), "32 hexadecimal digits"),
                             ({**good, "cluster_id": 5}, "`cluster_id` must be"),
                             ({**good, "nodes": {}}, "list `nodes`"),
                             ({**good, "nodes": [1]}, "must be an object"), ([], "list `nodes`")):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(damage, file)
            for verb in ("up", "status", "down"):
                with self.subTest(verb=verb, said=said):
                    self.check(run("quipu", "cluster", verb, "--dir", cluster.directory), 1, path,
                               "is damaged", said)
        with open(path, "w", encoding="utf-8") as file:
            file.write("{ cut")
        self.check(run("quipu", "cluster", "up", "--dir", cluster.directory), 1, "is damaged")

    def test_a_directory_that_cannot_be_used_is_refused(self):
        where = folder("full")
        with open(os.path.join(where, "stranger"), "w", encoding="utf-8") as file:
            file.write("x")
        self.check(self.up(where, "-n", 1), 1, where, "must be a new or empty directory")
        self.check(self.up(os.path.join(where, "stranger", "c"), "-n", 1), 1, "cannot be used")
        for verb in ("status", "down"):
            self.check(run("quipu", "cluster", verb, "--dir", where), 1, "holds no cluster",
                       "quipu cluster up")


if __name__ == "__main__":
    programs.main()
