"""Goal: a controller whose disk is lost is replaced by `quipu controller replace`, the new one
votes, and nothing that was acknowledged is lost; what must not be done is refused in words.
Method: a cluster of three controllers and three brokers of real processes; one controller is
killed and its data directory deleted; at the end another one is killed, so that nothing can be
decided without the new one.
"""
import json
import os
import shutil
import threading
import unittest

import programs
from programs import Cluster, eventually, read, run, start


def controllers_of(cluster):
    told = cluster.json("controller", "status")
    return told, {c["id"]: c for c in told["controllers"]}


def lose_disk(cluster, name):
    """The process and everything that it had written are gone."""
    cluster.kill(name)
    shutil.rmtree(os.path.join(cluster.directory, name, "data"))


def format_anew(cluster, name, *flags):
    """An empty directory for the node; its directory id. `flags`: of `quipu storage format`."""
    voters = [part for c in controllers_of(cluster)[0]["controllers"]
              for part in ("--voter", f"{c['id']}@{c['address']}:{c['directory_id']}")]
    node = cluster.nodes[name]
    directory_id = run("quipu", "storage", "random-id").stdout.strip()
    done = run("quipu", "storage", "format", os.path.join(cluster.directory, name, "data"),
               "--cluster-id", cluster.cluster_id, "--role", "controller", "--node-id", node["id"],
               "--directory-id", directory_id, *voters, *flags)
    return done, directory_id


class Payments(threading.Thread):
    """Sends numbered payments until it is told to end; keeps those that were acknowledged."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.sent, self.acknowledged, self.going = cluster, 0, [], True

    def run(self):
        while self.going:
            lines = [f"account:{self.sent + i}" for i in range(20)]
            self.sent += 20
            done = self.cluster.quipu("produce", "payments", "--key-separator", ":",
                                      text="\n".join(lines) + "\n", seconds=60)
            if done.returncode == 0:
                self.acknowledged += [int(line.split(":")[1]) for line in lines]

    def end(self):
        self.going = False
        self.join()


class ReplaceControllerTest(programs.TestCase):
    def setUp(self):
        self.cluster = Cluster(3)
        self.cluster.cluster_id = json.loads(
            read(os.path.join(self.cluster.directory, "cluster.json")))["cluster_id"]
        self.addCleanup(self.cluster.down)

    def replace(self, *arguments, seconds=90):
        return self.cluster.quipu("controller", "replace", *arguments, seconds=seconds)

    def lose_leader(self):
        told, _ = controllers_of(self.cluster)
        lost = told["leader_id"]
        lose_disk(self.cluster, f"controller-{lost}")
        eventually(lambda: controllers_of(self.cluster)[0]["leader_id"] not in (lost, -1),
                   "another leader")
        return lost, f"controller-{lost}"

    def test_a_lost_voter_is_replaced_and_the_new_one_votes(self):
        cluster = self.cluster
        cluster.make_topic("payments", partitions=1)
        payments = Payments(cluster)
        payments.start()
        self.addCleanup(payments.end)
        lost, name = self.lose_leader()
        # Without --observer the directory would have to be one of the voters'.
        self.check(format_anew(cluster, name)[0], 2, "--observer")
        done, directory_id = format_anew(cluster, name, "--observer")
        self.check(done, 0)
        cluster.up()
        log = os.path.join(cluster.directory, name, "node.log")
        eventually(lambda: "controller.observer" in read(log), "the observer to say so")
        self.assertIn(f"quipu controller replace --id {lost} --directory-id {directory_id}",
                      read(log))
        self.assertNotEqual(controllers_of(cluster)[1][lost]["directory_id"], directory_id)

        # For a moment the leader cannot tell a dead voter from a silent one.
        eventually(lambda: self.replace("--id", lost, "--directory-id", directory_id).returncode == 0,
                   "the replacement")
        told, by_id = controllers_of(cluster)
        self.assertEqual(sorted(by_id), [1, 2, 3])
        self.assertEqual(by_id[lost]["directory_id"], directory_id)
        self.assertTrue(told["voters_committed"])
        # Done is done.
        self.check(self.replace("--id", lost, "--directory-id", directory_id), 0)

        # Of three voters two are left, and one of the two is new.
        other = next(i for i in (1, 2, 3) if i != lost and i != told["leader_id"])
        cluster.kill(f"controller-{other}")
        eventually(lambda: cluster.quipu("topic", "create", "after").returncode == 0,
                   "the new voter to decide with one old one")
        # And the new one restarts as the voter that it is.
        cluster.kill(name)
        cluster.up()
        eventually(lambda: cluster.quipu("topic", "create", "later").returncode == 0,
                   "a quorum after the restart")
        payments.end()
        self.assertGreater(len(payments.acknowledged), 0)
        done = self.check(cluster.quipu("consume", "payments", "--from-beginning", "--idle-ms", 3000,
                                        seconds=90), 0)
        consumed = [int(value) for value in done.stdout.split()]
        self.assertEqual(len(consumed), len(set(consumed)), "doubled")
        acknowledged = set(payments.acknowledged)
        self.assertEqual([v for v in consumed if v in acknowledged], payments.acknowledged,
                         "lost or reordered")

    def test_what_must_not_be_done_is_refused(self):
        cluster = self.cluster
        strange = run("quipu", "storage", "random-id").stdout.strip()
        leader = controllers_of(cluster)[0]["leader_id"]
        self.check(self.replace("--id", 9, "--directory-id", strange), 1, "VOTER_NOT_FOUND",
                   "no voter has id 9", "1, 2, 3")
        for voter in (1, 2, 3):
            self.check(self.replace("--id", voter, "--directory-id", strange), 1, "is a voter and",
                       "--force")
        taken = controllers_of(cluster)[1][1]["directory_id"]
        self.check(self.replace("--id", 2, "--directory-id", taken), 1, "DUPLICATE_VOTER")
        self.check(self.replace("--id", 2, "--directory-id", "short"), 2, "32 hexadecimal digits")
        self.check(self.replace("--id", 2), 2, "--directory-id")
        self.check(self.replace("--id", 2, "--directory-id", strange, "--address", "nowhere"), 1,
                   "INVALID_REQUEST")

        # Nobody with the new directory is there: given up in time, and all is as before.
        lost = next(i for i in (1, 2, 3) if i != leader)
        before = controllers_of(cluster)[1][lost]["directory_id"]
        lose_disk(cluster, f"controller-{lost}")
        eventually(lambda: controllers_of(cluster)[1][lost]["last_contact_ms"] > 1500,
                   "the voter to be silent")
        self.check(self.replace("--id", lost, "--directory-id", strange, "--catch-up-timeout", 2000),
                   1, "was given up", "no controller with this directory answered at 127.0.0.1:")
        self.assertEqual(controllers_of(cluster)[1][lost]["directory_id"], before)

        # One at a time.
        slow = start("quipu", "controller", "replace", "-b", cluster.bootstrap, "--id", lost,
                     "--directory-id", strange, "--catch-up-timeout", 10000)
        eventually(lambda: any(c["role"] == "observer"
                               for c in controllers_of(cluster)[0]["controllers"]),
                   "the observer to be known")
        third = ({1, 2, 3} - {leader, lost}).pop()
        other = run("quipu", "storage", "random-id").stdout.strip()
        self.check(self.replace("--id", third, "--directory-id", other), 1,
                   "REASSIGNMENT_IN_PROGRESS", "one replacement at a time")
        said = slow.communicate(timeout=60)
        self.assertEqual(slow.returncode, 1, said)


if __name__ == "__main__":
    programs.main()
