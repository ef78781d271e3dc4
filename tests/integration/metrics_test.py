"""Goal: what a live cluster tells Prometheus is exactly what docs/metrics.md says, its numbers are
right, and rules, alerts and every query of the dashboards work on it. Method: a cluster with a few
records and a group that lags; its endpoints read by hand; a real Prometheus that scrapes it;
promtool.
"""
import glob
import json
import os
import re
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import programs
from programs import Cluster, PATIENCE, ROOT, eventually, folder, read, run

DEPLOY = os.path.join(ROOT, "deploy")
RULES = os.path.join(DEPLOY, "prometheus")
SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
RECORDS, CONSUMED = 300, 100


def scrape(address):
    """(names of the families, {(name, labels): value}) of one endpoint."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    families = {line.split()[2]: line.split()[3] for line in text.splitlines()
                if line.startswith("# TYPE ")}
    values = {}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        name, labels, value = SAMPLE.match(line).groups()
        values[name, tuple(sorted(LABEL.findall(labels or "")))] = float(value)
    return families, values


def documented():
    """{name or alias: (type, section)} as docs/metrics.md has them."""
    found, section = {}, ""
    for line in read(os.path.join(ROOT, "docs", "metrics.md")).splitlines():
        if line.startswith("## "):
            section = line[3:]
        if line.startswith("| `"):
            names, kind = line.split("|")[1:3]
            for name in re.findall(r"`([^`]+)`", names):
                found[name] = (kind.strip(), section)
    return found


class MetricsCluster(programs.TestCase):
    """Three nodes, a topic with two partitions, and a group that has consumed a third of one."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, "--broker-set", "metrics.lag.interval.ms=50")
        cls.cluster.make_topic("t", 2)
        cls.cluster.json("produce", "t", "--key-separator", ":",
                         text="".join(f"one:{i}\n" for i in range(RECORDS)))
        cls.consume(CONSUMED)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.down()

    @classmethod
    def consume(cls, count):
        done = cls.cluster.quipu("consume", "t", "-g", "g", "--from-beginning", "-n", count)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    @classmethod
    def addresses(cls, kind=""):
        return [n["metrics"] for name, n in sorted(cls.cluster.nodes.items()) if kind in name]

    @classmethod
    def total(cls, name, **labels):
        """Sum over all processes of the samples with these labels; None when there is none."""
        found = [value for address in cls.addresses()
                 for (sample, has), value in scrape(address)[1].items()
                 if sample == name and set(labels.items()) <= set(has)]
        return sum(found) if found else None


class EndpointTest(MetricsCluster):
    def test_the_document_is_what_the_program_prints(self):
        printed = self.check(run("quipu-broker", "--describe-metrics"), 0).stdout
        self.assertEqual(read(os.path.join(ROOT, "docs", "metrics.md")), printed)

    def test_a_scrape_has_exactly_the_documented_names_and_types(self):
        scraped = {}
        for address in self.addresses():
            scraped.update(scrape(address)[0])
        self.assertEqual(scraped, {name: kind for name, (kind, _) in documented().items()})

    def test_each_process_tells_what_is_its_own(self):
        active = [a for a in self.addresses("controller")
                  if scrape(a)[1]["quipu_controller_active", ()] == 1]
        self.assertEqual(len(active), 1)
        for address in self.addresses():
            is_broker = address in self.addresses("broker")
            for name in scrape(address)[0]:
                section = documented()[name][1]
                if section == "The active controller":
                    self.assertIn(address, active, name)
                elif "broker that coordinates" in section or section == "Every broker":
                    self.assertTrue(is_broker, name)
                elif section == "Every controller":
                    self.assertFalse(is_broker, name)

    def test_numbers_of_a_topic(self):
        self.assertEqual(self.total("quipu_topic_produced_records_total", topic="t"), RECORDS)
        self.assertGreater(self.total("quipu_topic_produced_bytes_total", topic="t"), RECORDS)
        # A fetch answer has whole batches: at least what was asked for.
        self.assertGreaterEqual(self.total("quipu_topic_consumed_records_total", topic="t"),
                                CONSUMED)
        for name in ("quipu_partition_high_watermark", "kafka_topic_partition_current_offset",
                     "quipu_partition_log_end_offset"):
            self.assertEqual(self.total(name, topic="t"), RECORDS, name)
        self.assertEqual(self.total("kafka_topic_partition_oldest_offset", topic="t"), 0)
        self.assertEqual(self.total("kafka_topic_partition_in_sync_replica", topic="t"), 6)
        self.assertEqual(self.total("kafka_topic_partitions", topic="t"), 2)
        self.assertEqual(self.total("kafka_brokers"), 3)
        for partition in self.cluster.json("topic", "describe", "t")["partitions"]:
            self.assertEqual(self.total("kafka_topic_partition_leader", topic="t",
                                        partition=str(partition["partition"])),
                             partition["leader"])

    def test_every_stage_of_a_produce_is_measured(self):
        count = {stage: self.total("quipu_produce_seconds_count", stage=stage)
                 for stage in ("queue", "sync", "replication", "total")}
        self.assertGreater(count["total"], 0)
        self.assertEqual(count["queue"], count["total"])
        self.assertGreaterEqual(count["sync"], count["queue"])  # coordinators append too
        self.assertEqual(count["sync"], count["replication"])
        took = {stage: self.total("quipu_produce_seconds_sum", stage=stage) for stage in count}
        self.assertGreater(took["total"], took["queue"])
        self.assertGreater(self.total("quipu_wal_group_submissions_count"), 0)

    def test_the_lag_of_a_group_that_stopped(self):
        self.assertEqual(self.total("quipu_group_lag_records", group="g", topic="t"),
                         RECORDS - CONSUMED)
        self.assertEqual(self.total("kafka_consumergroup_lag", consumergroup="g", topic="t"),
                         RECORDS - CONSUMED)
        self.assertEqual(self.total("kafka_consumergroup_current_offset", consumergroup="g"),
                         CONSUMED)
        self.assertEqual(self.total("quipu_group_members", group="g"), 0)
        eventually(lambda: self.total("quipu_group_state", group="g") == 3, "the group to stop")
        first = self.total("quipu_group_lag_seconds", group="g")
        eventually(lambda: self.total("quipu_group_lag_seconds", group="g") > first, "it to age")

    def test_a_refusal_is_counted_with_its_call_and_its_reason(self):
        name = "quipu_refused_total"
        self.assertEqual(self.total(name, api="Log/Produce", reason="NOT_ENOUGH_REPLICAS"), 0)
        self.assertIsNone(self.total(name, api="Log/Fetch", reason="OFFSET_OUT_OF_RANGE"))
        done = self.cluster.quipu("consume", "t", "-p", 0, "--offset", 10 ** 6, "-n", 1)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertGreater(self.total(name, api="Log/Fetch", reason="OFFSET_OUT_OF_RANGE"), 0)
        self.check(self.cluster.quipu("group", "describe", "nobody"), 1, "GROUP_ID_NOT_FOUND")
        self.assertEqual(self.total(name, api="Groups/DescribeGroup", reason="GROUP_ID_NOT_FOUND"),
                         1)

    def test_a_refusal_of_the_controller_is_told_by_it_and_by_the_broker_that_asked(self):
        self.assertIsNone(self.total("quipu_refused_total", reason="TOPIC_ALREADY_EXISTS"))
        self.check(self.cluster.quipu("topic", "create", "t", "-p", 1), 1, "TOPIC_ALREADY_EXISTS")
        for kind, call in (("controller", "Control/Admin"), ("broker", "Broker/Admin")):
            told = [value for address in self.addresses(kind)
                    for (sample, has), value in scrape(address)[1].items()
                    if sample == "quipu_refused_total"
                    and {("api", call), ("reason", "TOPIC_ALREADY_EXISTS")} <= set(has)]
            self.assertEqual(told, [1], call)

    def test_replicas_are_told_with_their_bytes_and_their_lag(self):
        def kept(address):
            return sum(value for (name, has), value in scrape(address)[1].items()
                       if name == "quipu_replica_log_bytes" and ("topic", "t") in has)
        produced = self.total("quipu_topic_produced_bytes_total", topic="t")
        # Each has a replica of every partition, and nothing was trimmed.
        eventually(lambda: [kept(a) for a in self.addresses("broker")] == [produced] * 3,
                   "every replica to be measured")
        followers = [dict(has)["follower"] for address in self.addresses("broker")
                     for (name, has), value in scrape(address)[1].items()
                     if name == "quipu_replica_lag_records" and ("topic", "t") in has]
        self.assertEqual(len(followers), 2 * 2)
        eventually(lambda: self.total("quipu_replica_lag_records", topic="t") == 0,
                   "followers to have all")
        self.assertGreaterEqual(self.total("quipu_groups"), 1)

    def test_write_ahead_files_and_queues_are_told(self):
        for address in self.addresses():
            values = scrape(address)[1]
            self.assertGreaterEqual(values["quipu_wal_files", ()], 1)
            replayed = values["quipu_wal_file_bytes", ()] + values.get(("quipu_journal_unflushed_bytes", ()), 0)
            self.assertGreater(replayed, 0)
        for queue in ("shard-0", "control", "cold-read", "controller", "raft-disk", "probe"):
            self.assertIsNotNone(self.total("quipu_queue_depth", queue=queue), queue)

    def test_a_listener_beyond_this_machine_is_refused(self):
        for name in ("quipu-broker", "quipu-controller"):
            done = run(name, "--check-config", "--set", "metrics.listener=0.0.0.0:0", "--set",
                       "log.dir=/nowhere", *(("--set", "listener.client=127.0.0.1:0", "--set",
                                              "listener.peer=127.0.0.1:0", "--set",
                                              "controller.quorum.bootstrap.servers=127.0.0.1:1")
                                             if name == "quipu-broker" else ()))
            self.check(done, 2, "metrics.listener=0.0.0.0:0", "can be reached from other machines")

    def test_other_paths_and_nonsense_leave_it_serving(self):
        host, port = self.addresses("broker")[0].split(":")
        for nonsense in (b"\x00" * 100, b"GET /metrics", b"POST /metrics HTTP/1.0\r\n\r\n"):
            with socket.create_connection((host, int(port)), PATIENCE) as stream:
                stream.sendall(nonsense)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{host}:{port}/", timeout=PATIENCE)
        self.assertEqual(refused.exception.code, 404)
        refused.exception.close()
        self.assertIn("quipu_node_info", scrape(f"{host}:{port}")[0])


class ElsewhereTest(MetricsCluster):
    """Five brokers, three replicas: no coordinator has a replica of everything."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(5, "--broker-set", "metrics.lag.interval.ms=50")

    def lags(self, group, name="quipu_group_lag_records"):
        """{partition: value} of the group, from whichever broker tells it."""
        return {int(dict(has)["partition"]): value for address in self.addresses("broker")
                for (sample, has), value in scrape(address)[1].items()
                if sample == name and ("group", group) in has}

    def group_at_the_start_of(self, topic, partitions, replicas):
        """A group that is named as the topic, with offset 0 committed everywhere. Returns its
        coordinator."""
        self.cluster.make_topic(topic, partitions, replicas)
        self.cluster.json("produce", topic, "--key-separator", ":",
                          text="".join(f"{i}:{i}\n" for i in range(RECORDS)))
        done = self.cluster.quipu("consume", topic, "-g", topic, "--from-beginning", "-n", 1)
        self.check(done, 0)
        self.check(self.cluster.quipu("group", "offsets", "reset", topic, "--topic", topic,
                                      "--to-earliest", "--execute"), 0)
        return self.cluster.json("group", "describe", topic)["coordinator"]

    def parts(self, topic):
        return self.cluster.json("topic", "describe", topic)["partitions"]

    def test_lag_and_state_are_whole(self):
        coordinator = self.group_at_the_start_of("wide", 10, 3)
        elsewhere = [p["partition"] for p in self.parts("wide")
                     if coordinator not in p["replicas"]]
        self.assertGreater(len(elsewhere), 0)
        self.assertLess(len(elsewhere), 10)
        eventually(lambda: len(self.lags("wide")) == 10, "the leaders to tell")
        self.assertEqual(self.total("quipu_group_partitions_unknown", group="wide"), 0)
        self.assertEqual(sum(self.lags("wide").values()), RECORDS)
        ends = {int(dict(has)["partition"]): value for address in self.addresses("broker")
                for (sample, has), value in scrape(address)[1].items()
                if sample == "quipu_partition_high_watermark" and ("topic", "wide") in has}
        self.assertEqual(self.lags("wide"), ends)
        eventually(lambda: self.lags("wide", "quipu_group_partition_state") ==
                   {p: 3 if end else 0 for p, end in ends.items()}, "every partition to stop")
        waiting = [p for p in elsewhere if ends[p]]
        self.assertGreater(len(waiting), 0)
        first = self.lags("wide", "quipu_group_lag_seconds")
        eventually(lambda: all(self.lags("wide", "quipu_group_lag_seconds")[p] > first[p] > 0
                               for p in waiting), "those elsewhere to age")
        # It follows what is produced and what is consumed.
        self.cluster.json("produce", "wide", "--key-separator", ":",
                          text="".join(f"{i}:{i}\n" for i in range(RECORDS)))
        eventually(lambda: sum(self.lags("wide").values()) == 2 * RECORDS, "the new records")
        self.check(self.cluster.quipu("consume", "wide", "-g", "wide", "-n", 2 * RECORDS), 0)
        eventually(lambda: set(self.lags("wide").values()) == {0}, "all to be consumed")
        self.assertEqual(set(self.lags("wide", "quipu_group_lag_seconds").values()), {0})

    def test_without_a_leader_it_is_unknown_and_not_zero(self):
        coordinator = self.group_at_the_start_of("lone", 5, 1)
        eventually(lambda: len(self.lags("lone")) == 5, "the leaders to tell")
        leader = next(p["leader"] for p in self.parts("lone") if p["leader"] != coordinator)
        lost = {p["partition"] for p in self.parts("lone") if p["leader"] == leader}
        name = f"broker-{leader}"
        self.cluster.kill(name)
        del self.cluster.nodes[name]  # is not scraped any more
        eventually(lambda: set(self.lags("lone")) == set(range(5)) - lost, "it to be unknown")
        eventually(lambda: self.total("quipu_group_partitions_unknown", group="lone") == len(lost),
                   "it to be counted")


class LimitsTest(programs.TestCase):
    def test_partitions_beyond_the_limit_are_counted_and_without_the_setting_nothing_listens(self):
        cluster = Cluster(1, "--broker-set", "metrics.partitions.max=4", "--controller-set",
                          "metrics.listener=")
        self.addCleanup(cluster.down)
        self.assertEqual(cluster.nodes["controller-1"]["metrics"], "")
        cluster.make_topic("t", 6, replicas=1)
        address = cluster.nodes["broker-1"]["metrics"]
        _, values = eventually(lambda: self.complete(address), "all partitions to be led")
        told = [has for (name, has) in values if name == "quipu_partition_high_watermark"]
        self.assertEqual(len(told), 4)
        self.assertEqual(values["quipu_metrics_left_out", (("kind", "partition"),)], 2)

    @staticmethod
    def complete(address):
        scraped = scrape(address)
        led = scraped[1]["quipu_hosted_partitions", (("role", "leader"),)]
        return scraped if led == 6 else None


class RulesTest(programs.TestCase):
    """Without a cluster."""

    def promtool(self, *arguments):
        done = subprocess.run(["promtool", *arguments], cwd=RULES, text=True, capture_output=True,
                              timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_configuration_and_rules_are_sound(self):
        self.promtool("check", "config", "prometheus.yml")
        self.promtool("check", "rules", "quipu_rules.yml", "quipu_alerts.yml")

    def test_alerts_fire_when_they_should_and_only_then(self):
        self.promtool("test", "rules", "tests/quipu_alerts_test.yml")

    def test_every_alert_is_tested_both_ways(self):
        alerts = re.findall(r"alert: (\w+)", read(os.path.join(RULES, "quipu_alerts.yml")))
        tests = re.findall(r"name: (\w+) (fires|is quiet)",
                           read(os.path.join(RULES, "tests", "quipu_alerts_test.yml")))
        self.assertGreater(len(alerts), 20)
        self.assertEqual(sorted(tests), sorted((a, w) for a in alerts for w in ("fires",
                                                                               "is quiet")))

    def test_rules_and_dashboards_name_documented_metrics_alone(self):
        known = set(documented())
        for path in (*glob.glob(os.path.join(RULES, "*.yml")),
                     *glob.glob(os.path.join(DEPLOY, "grafana", "*.json"))):
            for name in set(re.findall(r"\bquipu_[a-z_]+", read(path))) - {
                    "quipu_rules", "quipu_alerts", "quipu_alerts_test"}:
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in known or base in known, f"{name} in {path}")

    def test_the_dashboards_are_what_their_program_writes(self):
        done = subprocess.run(["python3", os.path.join(DEPLOY, "grafana", "make_dashboards.py"),
                               "--check"], text=True, capture_output=True, timeout=PATIENCE,
                              check=False)
        self.check(done, 0)


class PrometheusTest(MetricsCluster):
    """A real Prometheus scrapes the cluster, with the rules that are shipped."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        where = folder("prometheus")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        config = read(os.path.join(RULES, "prometheus.yml"))
        config = re.sub(r"_interval: 5s", "_interval: 500ms", config)
        config = re.sub(r"( +- 127\.0\.0\.1:\d+.*\n)+",
                        "".join(f"          - {a}\n" for a in cls.addresses()), config)
        config = config.replace("- quipu_", f"- {RULES}/quipu_")
        path = os.path.join(where, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        with open(os.path.join(where, "log"), "w", encoding="utf-8") as log:
            cls.prometheus = subprocess.Popen(
                ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={where}/data",
                 f"--web.listen-address=127.0.0.1:{cls.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @classmethod
    def tearDownClass(cls):
        cls.prometheus.terminate()
        cls.prometheus.wait(timeout=PATIENCE)
        super().tearDownClass()

    @classmethod
    def ask(cls, path, **parameters):
        url = f"http://127.0.0.1:{cls.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 503:
                    return None  # it is still opening its storage
                raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        except (urllib.error.URLError, ConnectionError):
            return None  # it does not serve yet

    def vector(self, query):
        data = self.ask("query", query=query)
        return data["result"] if data else []

    def test_every_query_of_every_dashboard_finds_something(self):
        eventually(lambda: sum(float(s["value"][1]) for s in self.vector("up")) == 6,
                   "all processes to be scraped")
        queries = {}
        for path in glob.glob(os.path.join(DEPLOY, "grafana", "*.json")):
            for panel in json.loads(read(path))["panels"]:
                for target in panel["targets"]:
                    queries[os.path.basename(path), panel["title"], target["expr"]] = None
        self.assertGreater(len(queries), 50)
        deadline = time.monotonic() + PATIENCE
        while queries and time.monotonic() < deadline:
            # Rates need something that goes on.
            self.cluster.json("produce", "t", text="x\n" * 10)
            self.consume(5)
            for key in list(queries):
                query = re.sub(r"\$(topic|group)", ".*", key[2]).replace("$__rate_interval", "20s")
                found = [s for s in self.vector(query) if s["value"][1] != "NaN"]
                if found:
                    del queries[key]
        self.assertEqual(list(queries), [], "these found nothing")

    def test_the_rules_are_evaluated_without_errors_and_no_scrape_is_incomplete(self):
        def groups():
            data = self.ask("rules")
            rules = [rule for group in data["groups"] for rule in group["rules"]] if data else []
            ready = rules and all(rule["health"] != "unknown" for rule in rules)
            return rules if ready else None
        for rule in eventually(groups, "the rules to be evaluated"):
            self.assertEqual(rule["health"], "ok", rule)
        eventually(lambda: self.vector("quipu:group_lag_records"), "the lag rule")
        self.assertEqual(self.vector("quipu_scrape_incomplete > 0"), [])


del MetricsCluster  # has no test of its own

if __name__ == "__main__":
    programs.main()
