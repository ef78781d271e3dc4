"""Goal: what a service manager is told. READY only after the port answers; WATCHDOG while threads and
disk answer and not while they hang; STOPPING at the end; nothing without a manager; sound units.
Method: programs started with a NOTIFY_SOCKET of ours; a disk that hangs, by stall_shim.c.
"""
import os
import shutil
import socket
import subprocess
import time
import unittest

import programs
from programs import eventually, folder, read

UNITS = os.path.join(programs.ROOT, "deploy", "systemd")


class Service:
    """A controller or broker under a manager that watches; its node's folder is `where`."""

    def __init__(self, case, name, where, *settings, watchdog_ms=400, shim=None):
        self.where = where
        self.listeners = os.path.join(where, "listeners")
        path = os.path.join(where, f"{name}.notify")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(path)
        self.manager.settimeout(programs.PATIENCE)
        case.addCleanup(self.manager.close)
        env = programs.environment(NOTIFY_SOCKET=path, WATCHDOG_USEC=str(watchdog_ms * 1000))
        if shim:
            env["LD_PRELOAD"] = shim
        arguments = [p for s in (f"log.dir={where}/data", f"listeners.file={self.listeners}",
                                 *settings) for p in ("--set", s)]
        self.log = open(os.path.join(where, f"{name}.log"), "w", encoding="utf-8")
        case.addCleanup(self.log.close)
        self.process = subprocess.Popen([programs.program(name), *arguments], env=env,
                                        stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        case.addCleanup(self.end)

    def told(self):
        return self.manager.recv(4096).decode()

    def told_within(self, seconds):
        """Everything that is told in this time."""
        heard = []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.manager.settimeout(left)
            try:
                heard.append(self.told())
            except TimeoutError:
                break
        self.manager.settimeout(programs.PATIENCE)
        return heard

    def address(self, name):
        lines = dict(line.split("=") for line in read(self.listeners).split())
        host, port = lines[name].rsplit(":", 1)
        return host, int(port)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class ServiceTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise unittest.SkipTest("no C compiler here")
        cls.shim = os.path.join(programs.WORK, "stall_shim.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stall_shim.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", cls.shim, source, "-ldl"],
                       check=True)

    def storage(self, *arguments):
        return self.check(programs.run("quipu", "storage", *arguments), 0).stdout.strip()

    def controller(self, **options):
        where = folder("controller")
        self.cluster_id, directory_id = self.storage("random-id"), self.storage("random-id")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.storage("format", f"{where}/data", "--cluster-id", self.cluster_id, "--role",
                     "controller", "--node-id", 1, "--directory-id", directory_id, "--voter",
                     f"1@127.0.0.1:{port}:{directory_id}")
        return Service(self, "quipu-controller", where, "quipu.disk.stall.exit.ms=60000",
                       "quipu.disk.stall.shed.ms=300", **options)

    def broker(self, controller, **options):
        where = folder("broker")
        self.storage("format", f"{where}/data", "--cluster-id", self.cluster_id, "--role", "broker",
                     "--node-id", 1)
        host, port = controller.address("controller")
        return Service(self, "quipu-broker", where, "listener.client=127.0.0.1:0",
                       "listener.peer=127.0.0.1:0", "quipu.disk.stall.exit.ms=60000",
                       f"controller.quorum.bootstrap.servers={host}:{port}",
                       "quipu.disk.stall.shed.ms=300", **options)

    def is_ready_and_fed(self, service, listener):
        self.assertEqual(service.told(), "READY=1", "the first that is told")
        socket.create_connection(service.address(listener), timeout=5).close()
        self.assertEqual(service.told(), "WATCHDOG=1")

    def stops(self, service):
        service.process.terminate()
        heard = eventually(lambda: [t for t in service.told_within(0.2) if t != "WATCHDOG=1"],
                           "the end to be told")
        self.assertEqual(heard, ["STOPPING=1"])
        self.assertEqual(service.process.wait(timeout=programs.PATIENCE), 0)

    def stalls(self, service, write):
        """The disk hangs, `write` makes the node need it: no WATCHDOG until the disk is back."""
        path = os.path.join(service.where, "stall")
        self.assertNotIn("service.watchdog_not_fed", read(service.log.name))
        with open(path, "w", encoding="ascii"):
            pass
        writer = write()
        self.addCleanup(writer.communicate)
        self.addCleanup(writer.kill)
        eventually(lambda: not service.told_within(1.2), "the watchdog to be left unfed")
        self.assertIsNone(service.process.poll())
        self.assertIn("service.watchdog_not_fed", read(service.log.name))
        os.unlink(path)
        eventually(lambda: "WATCHDOG=1" in service.told_within(0.5), "the watchdog to be fed again")

    def test_a_controller_and_a_broker_are_ready_live_hang_and_end(self):
        controller = self.controller(shim=self.shim)
        self.is_ready_and_fed(controller, "controller")
        broker = self.broker(controller, shim=self.shim)
        self.is_ready_and_fed(broker, "client")
        servers = "%s:%d" % broker.address("client")
        eventually(lambda: programs.run("quipu", "topic", "create", "t", "-p", 1, "-r", 1, "-b",
                                        servers, "--if-not-exists").returncode == 0, "the topic")

        def produce():
            process = subprocess.Popen([programs.program("quipu"), "produce", "t", "-b", servers],
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, text=True,
                                       env=programs.environment())
            process.stdin.write("payment\n")
            process.stdin.close()
            return process

        self.stalls(broker, produce)
        self.stalls(controller, lambda: programs.start("quipu", "topic", "create", "u", "-p", 1, "-r",
                                                       1, "-b", servers))
        self.stops(broker)
        self.stops(controller)

    def test_units_are_sound(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("there is no systemd-analyze here")
        where = folder("units")
        for name in ("quipu-broker.service", "quipu-controller.service"):
            # The programs of this build, since verify looks whether they are there.
            text = read(os.path.join(UNITS, name)).replace("/usr/bin/", programs.BIN + "/")
            path = os.path.join(where, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], text=True,
                                  capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            for setting in ("Type=notify", "WatchdogSec=", "ProtectSystem=strict", "LimitNOFILE=",
                            "NoNewPrivileges=yes", "TimeoutStopSec=", "Restart=on-failure"):
                self.assertIn(setting, text)


if __name__ == "__main__":
    programs.main()
