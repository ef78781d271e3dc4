#!/usr/bin/env python3
"""Restarts every process of a local cluster, one after the other, while payments stream through it.

Starts the cluster and the payments programs as scripts/quickstart does; stops each controller and
each broker in order (SIGTERM), starts it again and waits until the cluster is healthy before the
next one. Exits 0 only if the application saw no error, no partition waited longer than a second for
an acknowledgement, and the verifier finds nothing lost, doubled or reordered.
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import payments_under_fire as fire  # noqa: E402  (it lies beside this file)

PAUSE_SECONDS_MAX = 1.0


class RollingRestart(fire.Run):
    """The run of scripts/quickstart, with orderly restarts instead of kills."""

    wait_seconds_max = PAUSE_SECONDS_MAX
    verb, noun = "stopped", "stop"
    run_seconds_min = 40

    def __init__(self, options, work):
        super().__init__(options, work)
        self.began_ms = 0

    def healthy(self):
        """Brokers active, ISRs full, and every controller has what the quorum has committed."""
        try:
            health = self.programs.quipu_json("cluster", "health", "-b", self.bootstrap)
            quorum = self.programs.quipu_json("metadata", "quorum", "-b", self.bootstrap)
        except fire.Failure:
            return False
        return health["healthy"] and all(
            voter["role"] == "leader" or (voter["lag"] == 0 and 0 <= voter["last_contact_ms"] < 1000)
            for voter in quorum["controllers"])

    def controller_leads(self):
        status = self.programs.quipu_json("cluster", "status", "--dir", self.cluster)
        return status["controller_leader"]

    def order(self):
        """Controllers, the leader last so that the office moves once, then brokers."""
        leader = f"controller-{self.controller_leads()}"
        controllers = sorted(n for n in self.nodes if n.startswith("controller"))
        controllers.sort(key=lambda name: name == leader)
        brokers = sorted(n for n in self.nodes if n.startswith("broker"))
        everyone = controllers + brokers
        wanted = self.options.only or everyone
        return [leader if name == "controller-leader" else name for name in wanted]

    def stop_node(self, name):
        pid = self.nodes[name]["pid"]
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                break
            if time.monotonic() > deadline:
                raise fire.Failure(f"{name} did not stop within 30 s of SIGTERM")
            time.sleep(0.01)
        if status != 0:
            raise fire.Failure(f"{name} ended with status {status}, not in order")

    def restart(self, name):
        self.events.read()
        everything = [p["partition"] for p in self.partitions()]
        stop = self.kill(name, everything, 1, lambda: self.stop_node(name))
        down = time.time() * 1000 - stop.at_ms
        self.up()
        self.wait_for(f"health after the restart of {name}", self.healthy, 60)
        self.watch(stop)
        stop.what += f" (down after {down:.0f} ms)"

    def strikes(self, rows):
        self.wait_for("the cluster to be healthy", self.healthy, 30)
        self.wait_for_rows(1, [0, 1, 2, 3, 4, 5])
        self.began_ms = time.time() * 1000
        for name in self.order():
            self.restart(name)
        # Leaderships go back to preferred replicas later: what that costs counts as well.
        self.programs.quipu("leader", "elect", "--all-topics", "-b", self.bootstrap)

    def judge_kills(self):
        super().judge_kills()
        partitions = sorted(self.events.waits)
        whole = max(self.events.longest_wait_ms(p, self.began_ms, 1e12) for p in partitions)
        fire.say(f"longest pause of any partition from the first stop to the end: {whole:.0f} ms")
        if whole > self.wait_seconds_max * 1000:
            raise fire.Failure(f"a partition waited {whole:.0f} ms, longer than "
                               f"{self.wait_seconds_max} s")


def main():
    parser = fire.make_parser("scripts/rolling_restart.py", __doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NODE",
                        help="restart this node only, such as broker-1 or controller-leader; "
                             "repeatable")
    fire.run_to_the_end(RollingRestart, fire.check_arguments(parser), "rolling-restart")


if __name__ == "__main__":
    main()
