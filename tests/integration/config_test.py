"""Goal: a server's configuration comes from flag, environment and file in this order, and whoever
writes it is told everything that is wrong before anything is touched. Method: the real programs with
--check-config and --describe-config, and one that starts.
"""
import os
import re
import unittest

import programs
from programs import folder, run

REQUIRED = ("log.dir=/nowhere/at/all", "listener.client=127.0.0.1:9092", "listener.peer=127.0.0.1:9095",
            "controller.quorum.bootstrap.servers=127.0.0.1:9191")


def write(text):
    path = os.path.join(folder("config"), "node.properties")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class ConfigTest(programs.TestCase):
    def check_config(self, *settings, file="\n".join(REQUIRED) + "\n", name="quipu-broker", **env):
        flags = [part for setting in settings for part in ("--set", setting)]
        self.path = write(file)
        return run(name, "--config", self.path, "--check-config", *flags, **env)

    def value(self, done, key):
        """(value, place) as --check-config prints them."""
        line = next(line for line in done.stdout.splitlines() if line.split(" ")[0] == key)
        return tuple(re.split(r" {2,}", line.strip())[1:])

    def test_a_flag_wins_over_the_environment_and_that_over_the_file(self):
        file = "\n".join(REQUIRED) + "\nnum.shards=2\nquipu.groups.max=20\nbroker.rack=r2\n"
        done = self.check(self.check_config("num.shards=4", file=file, QUIPU_NUM_SHARDS="3",
                                            QUIPU_QUIPU_GROUPS_MAX="30"), 0)
        self.assertEqual(self.value(done, "num.shards"), ("4", "--set"))
        self.assertEqual(self.value(done, "quipu.groups.max"),
                         ("30", "environment QUIPU_QUIPU_GROUPS_MAX"))
        self.assertEqual(self.value(done, "broker.rack"), ("r2", f"{self.path}:7"))
        self.assertEqual(self.value(done, "fetch.max.bytes"), ("1048576", "default"))
        self.assertIn("The configuration is sound.", done.stdout)
        self.assertFalse(os.path.exists("/nowhere"))

    def test_everything_that_is_wrong_is_told_at_once(self):
        done = self.check_config("fetch.max.byte=1", file="num.shard=2\nquipu.groups.max=none\n",
                                 QUIPU_BROKER_RAK="x")
        self.check(done, 2, "event=config.refused", f"{self.path}:1: unknown key num.shard; did you "
                   "mean num.shards?", f"{self.path}:2: quipu.groups.max=none is not valid; expected a "
                   "whole number from 1 to", "environment QUIPU_BROKER_RAK: unknown key; did you mean "
                   "QUIPU_BROKER_RACK?", "--set: unknown key fetch.max.byte; did you mean "
                   "fetch.max.bytes?", "log.dir is missing")
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_variables_of_other_programs_are_passed_over(self):
        self.check(self.check_config(QUIPU_BOOTSTRAP_SERVER="x", QUIPU_BROKER_SESSION_TIMEOUT_MS="1",
                                     QUIPU_TEST_ANYTHING="1"), 0)
        self.check(self.check_config(name="quipu-controller", file="log.dir=/nowhere\n",
                                     QUIPU_LISTENER_CLIENT="127.0.0.1:1"), 0)

    def test_rules_between_keys_are_checked(self):
        self.check(self.check_config("quipu.disk.stall.exit.ms=3000", "quipu.disk.stall.shed.ms=2000"),
                   2, "quipu.disk.stall.exit.ms=3000 is too short")
        self.check(self.check_config("group.consumer.heartbeat.interval.ms=45000"), 2,
                   "expected less than group.consumer.session.timeout.ms=45000")
        self.check(self.check_config("broker.heartbeat.interval.ms=2000", name="quipu-controller",
                                     file="log.dir=/nowhere\n"), 2,
                   "at most half of broker.session.timeout.ms=3000")

    def test_what_is_most_likely_a_mistake_is_warned_of_and_taken(self):
        for setting in ("producer.id.expiration.ms=119999", "replica.lag.time.max.ms=2999",
                        "group.consumer.heartbeat.interval.ms=22501"):
            done = self.check(self.check_config(setting), 0, "level=warn", "event=config.warning",
                              f"key={setting.split('=')[0]}")
            self.assertIn("sound", done.stdout)
        self.check(self.check_config("min.insync.replicas=1", name="quipu-controller",
                                     file="log.dir=/nowhere\n"), 0, "event=config.warning")
        self.assertEqual(self.check(self.check_config("producer.id.expiration.ms=120000"), 0).stderr,
                         "")

    def test_what_is_unsafe_is_marked(self):
        done = self.check(self.check_config("quipu.unsafe.plaintext.network=true"), 0)
        self.assertEqual(self.value(done, "quipu.unsafe.plaintext.network"),
                         ("true", "--set", "UNSAFE"))
        self.assertEqual(done.stdout.count("UNSAFE"), 1)

    def test_each_key_is_described_with_its_variable(self):
        for name, key in (("quipu-broker", "num.shards"), ("quipu-controller", "num.partitions")):
            told = self.check(run(name, "--describe-config"), 0).stdout
            self.assertIn(f"{key}\n", told)
            self.assertIn("Environment: QUIPU_" + key.upper().replace(".", "_"), told)

    def test_a_server_obeys_its_environment(self):
        where = folder("unformatted")
        done = run("quipu-controller", QUIPU_LOG_DIR=where, QUIPU_LOG_FORMAT="json")
        self.check(done, 3, where, '"event":"controller.refused"', '"node":"controller"')


if __name__ == "__main__":
    programs.main()
