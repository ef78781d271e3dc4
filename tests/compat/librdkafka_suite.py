#!/usr/bin/env python3
"""Goal: brokers answer librdkafka as Kafka's do. Method: librdkafka's own test-suite, of which
docs/kafka-compatibility.md lists every test and whether it must pass here.

  python3 -B tests/compat/librdkafka_suite.py                    every test that must pass
  python3 -B tests/compat/librdkafka_suite.py 0045 0081_admin/do_test_ListOffsets    those that begin so
  python3 -B tests/compat/librdkafka_suite.py --short                                the quick ones of ctest

Its sources come from the npm registry and are built below the build directory, once. Each test is a
process of its own. Exit code 1: a test that must pass did not, or the list is not the suite's; 77: the sources could
not be fetched here.
"""
import argparse
import base64
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import programs  # noqa: E402

PACKAGE, VERSION = "node-rdkafka", "3.6.1"
INTEGRITY = "sfpTbrT35429cs0RE8Yb9avGX9BiRRvpV7aweQsghKTjtrVZP3jBrKOPItWXAqHb8doyh3SkuGuUVBLgig1SRg=="
CONFIGURE = ("--disable-gssapi", "--disable-debug-symbols", "--CFLAGS=-O1", "--CXXFLAGS=-O1")
PAGE = os.path.join(programs.ROOT, "docs", "kafka-compatibility.md")
BROKER_VERSION = "4.0.0"
SCENARIOS = {"default": "true", "noautocreate": "false"}  # of auto.create.topics.enable
SECONDS = 900  # of one process of the suite
# Of --short: quick ones of every part.
SHORT = (
    # produce and fetch
    "0001_multiobj", "0002_unkpart", "0005_order", "0008_reqacks", "0012_produce_consume", "0017_compression",
    "0036_partial_fetch", "0057_invalid_topic", "0070_null_empty", "0073_headers", "0085_headers",
    # idempotence
    "0086_purge_remote", "0090_idempotence",
    # offsets
    "0015_offsets_seek", "0029_assign_offset", "0031_get_offsets", "0034_offset_reset", "0054_offset_time",
    # groups
    "0019_list_groups", "0022_consume_batch", "0030_offset_commit", "0099_commit_metadata", "0130_store_offsets",
    # administration
    "0011_produce_batch/test_per_message_partition_flag", "0063_clusterid")
# Tests of producers without idempotence fail when a leader moves in the middle, as with Kafka: on a machine that is
# too busy to serve a broker or its disk for some seconds none does.
PATIENT = ("--broker-set", "quipu.disk.stall.shed.ms=20000", "--broker-set", "quipu.disk.stall.exit.ms=60000",
           "--controller-set", "quipu.disk.stall.shed.ms=20000", "--controller-set", "quipu.disk.stall.exit.ms=60000",
           "--controller-set", "broker.session.timeout.ms=20000")


def leave_out(why):
    print(f"LEFT OUT: {why}")
    sys.exit(77)


class Suite:
    """librdkafka and its test-runner, fetched and built in `cache`."""

    def __init__(self, cache):
        self.cache = os.path.join(cache, f"{PACKAGE}-{VERSION}")
        self.root = os.path.join(self.cache, "package", "deps", "librdkafka")
        self.tests = os.path.join(self.root, "tests")
        self.runner = os.path.join(self.tests, "test-runner")

    def prepare(self):
        os.makedirs(self.cache, exist_ok=True)
        if not os.path.exists(self.tests):
            self.fetch()
        if not os.path.exists(self.runner):
            self.build()
        config = programs.read(os.path.join(self.root, "config.h"))
        if not re.search(r"^#define WITH_RAPIDJSON 1", config, re.M):
            sys.exit("librdkafka was built without RapidJSON, which some tests need; install it "
                     f"(scripts/setup --compat) and remove {self.cache}")

    def fetch(self):
        if not shutil.which("npm"):
            leave_out("npm is not installed; it fetches librdkafka's sources")
        done = subprocess.run(["npm", "pack", "--loglevel=error", f"{PACKAGE}@{VERSION}"], cwd=self.cache, check=False,
                              capture_output=True, text=True)
        if done.returncode != 0:
            leave_out(f"npm could not fetch librdkafka's sources: {done.stderr.strip()[:500]}")
        tarball = os.path.join(self.cache, f"{PACKAGE}-{VERSION}.tgz")
        with open(tarball, "rb") as file:
            digest = base64.b64encode(hashlib.sha512(file.read()).digest()).decode()
        if digest != INTEGRITY:
            sys.exit(f"{tarball} is not what this script was written for: sha512 {digest}")
        subprocess.run(["tar", "-xzf", tarball], cwd=self.cache, check=True)

    def build(self):
        log_path = os.path.join(self.cache, "build.log")
        print(f"building librdkafka and its tests in {self.root}", flush=True)
        jobs = f"-j{os.cpu_count()}"
        with open(log_path, "w", encoding="utf-8") as log:
            for command in (["./configure", *CONFIGURE], ["make", jobs, "-C", "src"], ["make", jobs, "-C", "src-cpp"],
                            ["make", jobs, "-C", "tests", "build"]):
                if subprocess.run(command, cwd=self.root, stdout=log, stderr=log, check=False).returncode != 0:
                    sys.exit(f"{' '.join(command)} failed, see {log_path}")

    def registered(self):
        """{test: scenario}, of the table in test.c."""
        table = programs.read(os.path.join(self.tests, "test.c"))
        table = table[table.index("struct test tests[] ="):table.index("{NULL}};")]
        found = re.findall(r"_TEST\((\w+),(.*?)\),\s*\n\s*(?=_TEST|#|/\*)", table + "_TEST", re.S)
        return {name: "noautocreate" if '"noautocreate"' in rest else "default" for name, rest in found}


class Listed:
    """A row of the page: a test, or one of its sub-tests."""

    def __init__(self, name, verdict):
        self.name, (self.test, _, self.sub) = name, name.partition("/")
        self.must_pass = verdict.startswith("yes")
        version = re.search(r"as Kafka (\d+\.\d+)", verdict)
        self.version = version[1] + ".0" if version else BROKER_VERSION


def read_list():
    """(rows of tests that ask a broker, names of those that ask none), of the page."""
    page = programs.read(PAGE)
    asking, _, others = page.partition("### Tests that ask no broker")
    rows = re.findall(r"^\| `(\d{4}_[^`]+)` \|[^|]*\| ((?:yes|no:)[^|]*) \|$", asking, re.M)
    return [Listed(*row) for row in rows], re.findall(r"`(\d{4}_\w+)`", others)


def check_list(registered, rows, others):
    """The page names each test of the suite once, or as sub-tests."""
    whole = [row.test for row in rows if not row.sub] + others
    named = set(whole) | {row.test for row in rows}
    faults = [f"{name} is not in the list" for name in registered if name not in named]
    faults += [f"{name} is not in the suite" for name in sorted(named) if name not in registered]
    faults += [f"{name} is there twice" for name in sorted(named)
               if whole.count(name) + any(row.sub and row.test == name for row in rows) > 1]
    if faults:
        sys.exit(f"{PAGE}: " + "; ".join(faults))


class Bench:
    """A cluster, and what the suite needs to find it."""

    def __init__(self, suite, scenario, logs):
        self.suite, self.scenario, self.logs = suite, scenario, logs
        self.cluster = programs.Cluster(
            3, "--broker-set", f"auto.create.topics.enable={SCENARIOS[scenario]}",
            "--broker-set", "group.initial.rebalance.delay.ms=100", "--controller-set", "num.partitions=4", *PATIENT)
        # The runner knows numbers: rows of one number run the same tests, which subscribe to the same patterns.
        self.numbers = collections.defaultdict(threading.Lock)
        self.directory = programs.folder(scenario)
        self.conf = os.path.join(self.directory, "test.conf")
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(f"bootstrap.servers={self.cluster.kafka_bootstrap}\nbroker.address.family=v4\n"
                       "test.timeout.multiplier=2\n")
        os.symlink(os.path.join(suite.root, "src"), os.path.join(self.directory, "src"))  # a test looks into ../src
        tool = os.path.join(self.directory, "kafka", "bin", "kafka-topics.sh")
        os.makedirs(os.path.dirname(tool))
        with open(tool, "w", encoding="utf-8") as file:
            here = os.path.dirname(os.path.abspath(__file__))
            file.write(f'#!/bin/sh\nexec "{sys.executable}" -B "{here}/kafka_topics.py" "$@"\n')
        os.chmod(tool, 0o755)

    def run(self, row):
        """Runs one row: (whether it passed, seconds, what is to be said)."""
        # A name alone must not match those that begin like it.
        sub = row.sub + ":" if re.fullmatch(r"\w+", row.sub) else row.sub
        report = "report.json"  # the runner cuts off a path of more than 127 bytes
        env = programs.environment(
            TESTS=row.test[:4], TEST_KAFKA_VERSION=row.version, TEST_REPORT=report,
            RDKAFKA_TEST_CONF=self.conf, KAFKA_PATH=os.path.join(self.directory, "kafka"),
            BROKERS=self.cluster.kafka_bootstrap, COMPAT_QUIPU=programs.program("quipu"),
            COMPAT_QUIPU_BOOTSTRAP=self.cluster.bootstrap,
            LD_LIBRARY_PATH=":".join(os.path.join(self.suite.root, part) for part in ("src", "src-cpp")))
        env.pop("CI", None)  # it would make the suite leave out more
        if row.sub:
            env["SUBTESTS"] = sub
        where = os.path.join(self.directory, re.sub(r"\W+", "-", row.name))
        os.makedirs(where)
        log_path = os.path.join(self.logs, os.path.basename(where) + ".log")
        alone = contextlib.nullcontext() if row.sub else self.numbers[row.test[:4]]
        with alone, open(log_path, "w", encoding="utf-8") as log:
            began = time.monotonic()
            process = subprocess.Popen([self.suite.runner, "-p1", "-L", "-s", self.scenario], cwd=where, env=env,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        seconds = time.monotonic() - began
        log = re.sub(r"\x1b\[[0-9;]*m", "", programs.read(log_path))
        fault = self.fault(row, sub, process.returncode, os.path.join(where, report), log)
        if fault:
            return False, seconds, f"{fault} ({log_path})"
        left_out = re.findall(rf"^\[{row.test} *[(/].*?(SKIPPING TEST: .*|\[ .*: SKIP: .*)", log, re.M)
        return True, seconds, "; ".join(left_out)

    def fault(self, row, sub, code, report, log):
        """Why it did not pass; empty: it did."""
        try:
            tests = json.loads(programs.read(report))["tests"]
            state = tests[row.test]["state"]
        except (OSError, ValueError, KeyError) as error:
            return f"exit code {code}, no report: {error}"
        if state != "PASSED":
            why = re.search(r"^### Test .* failed at (.*?) at .*\n(.*)", log, re.M)
            return f"{state} {': '.join(why.groups()) if why else ''}"
        others = [name for name, test in tests.items() if test["state"] == "FAILED"]
        if code != 0 and not others:  # of the same number, and rows of their own
            return f"passed, and then exit code {code}"
        if row.sub and not re.search(r"\[ [^\n]*" + re.escape(sub) + r"[^\n]*: PASS", log):
            return "no sub-test of this name ran"
        return ""


def run_all(suite, rows, registered, jobs, logs):
    """{row: (passed, seconds, said)}; tells each when it ends."""
    benches, results = {}, {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {}
        for row in rows:
            scenario = registered[row.test]
            if scenario not in benches:
                benches[scenario] = Bench(suite, scenario, logs)
            futures[pool.submit(benches[scenario].run, row)] = row
        try:
            for future in concurrent.futures.as_completed(futures):
                row = futures[future]
                results[row] = passed, seconds, said = future.result()
                print(f"{'passed' if passed else 'FAILED':7} {seconds:6.1f} s  {row.name}  {said}", flush=True)
        except BaseException:  # a signal: neither finish nor begin the rest
            pool.shutdown(wait=False, cancel_futures=True)
            programs.fire.end_descendants()
            raise
    for scenario, bench in benches.items():
        ended = [name for name in bench.cluster.nodes if not bench.cluster.pid_is_alive(name)]
        if ended:
            sys.exit(f"of the cluster of {scenario}, {', '.join(ended)} did not live to the end")
        bench.cluster.down()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="tests, or how their names begin; all by default")
    parser.add_argument("--short", action="store_true", help="some quick tests of every part")
    parser.add_argument("--jobs", type=int, default=4, help="tests at a time (4)")
    parser.add_argument("--cache", default=os.path.join(programs.BUILD, "..", "compat"),
                        help="where the suite is built (build/compat)")
    parser.add_argument("--list", action="store_true", help="check the list against the suite, run nothing")
    asked = parser.parse_args()

    suite = Suite(os.path.abspath(asked.cache))
    suite.prepare()
    registered = suite.registered()
    rows, others = read_list()
    check_list(registered, rows, others)
    wanted = [row for row in rows if row.must_pass]
    print(f"{len(registered)} tests in the suite: {len(wanted)} rows to pass, {len(rows) - len(wanted)} not run for "
          f"their reason, {len(others)} ask no broker")
    if asked.list:
        return 0
    if asked.short:
        unlisted = [name for name in SHORT if name not in {row.name for row in wanted}]
        if unlisted:
            sys.exit(f"not among the tests that must pass: {', '.join(unlisted)}")
        wanted = [row for row in wanted if row.name in SHORT]
    if asked.names:
        wanted = [row for row in wanted if row.name.startswith(tuple(asked.names))]
        if not wanted:
            sys.exit(f"no test that must pass begins with {' or '.join(asked.names)}")
    logs = os.path.join(suite.cache, "logs")
    os.makedirs(logs, exist_ok=True)
    results = run_all(suite, wanted, registered, asked.jobs, logs)

    failed = sorted(row.name for row, (passed, _, _) in results.items() if not passed)
    print(f"{len(results) - len(failed)} of {len(results)} passed")
    for name in failed:
        print(f"failed: {name}")
    return 1 if failed or len(results) != len(wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
