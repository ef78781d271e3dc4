"""Goal: what `cmake --install` leaves is enough: a ten-line program is built against it by
find_package and by pkg-config and talks to a cluster of the installed programs; every installed
header stands alone; manual pages and completions know every verb. Method: an installed tree in a
temporary folder, nothing but it and Debian's packages on the search paths.
"""
import os
import re
import shutil
import subprocess
import unittest

import programs
from programs import Cluster, folder, read

TEN_LINES = """#include <iostream>
#include "client/producer.h"
int main(int, char** argv) {
  auto producer = quipu::Producer::Create({{"bootstrap.servers", argv[1]}});
  if (!producer.ok()) return 1;
  quipu::DeliveryResult sent =
      (*producer)->Send({.topic = "payments", .key = "account-7", .value = "-12.50"}).get();
  std::cout << quipu::PersistedName(sent.persisted) << " " << sent.offset << sent.message << "\\n";
  return sent.ok() ? 0 : 1;
}
"""
CMAKE_LISTS = """cmake_minimum_required(VERSION 3.25)
project(ten_lines CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(quipu 0.1 REQUIRED)
add_executable(ten_lines ten_lines.cc)
target_link_libraries(ten_lines quipu::client)
"""
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-restrict"]


def call(*arguments, **options):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False,
                          timeout=240, **options)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class InstallTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = os.path.join(folder("install"), "usr")
        call("cmake", "--install", programs.BUILD, "--prefix", cls.tree)
        programs.BIN = os.path.join(cls.tree, "bin")  # every program of these tests
        cls.source = folder("ten-lines")
        for name, text in (("ten_lines.cc", TEN_LINES), ("CMakeLists.txt", CMAKE_LISTS)):
            with open(os.path.join(cls.source, name), "w", encoding="utf-8") as file:
                file.write(text)
        cls.cluster = Cluster(1)
        cls.addClassCleanup(cls.cluster.down)
        cls.cluster.make_topic("payments", replicas=1)

    def found(self, ending):
        return [os.path.join(base, name) for base, _, names in os.walk(self.tree)
                for name in names if name.endswith(ending)]

    def pkg_config(self, *arguments):
        where = os.path.dirname(self.found("quipu.pc")[0])
        return call("pkg-config", *arguments, "quipu",
                    env={**os.environ, "PKG_CONFIG_PATH": where}).split()

    def sends_a_payment(self, program):
        end = self.end_of_log()
        self.assertEqual(call(program, self.cluster.bootstrap), f"yes {end}\n")
        self.assertEqual(self.end_of_log(), end + 1)

    def end_of_log(self):
        described = self.cluster.json("topic", "describe", "payments")["partitions"][0]
        return described["high_watermark"]

    def test_a_program_is_built_through_find_package(self):
        build = folder("build")
        call("cmake", "-S", self.source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.tree}",
             "-DCMAKE_CXX_FLAGS=-O0")
        call("cmake", "--build", build)
        self.sends_a_payment(os.path.join(build, "ten_lines"))

    def test_a_program_is_built_through_pkg_config(self):
        program = os.path.join(folder("build"), "ten_lines")
        flags = self.pkg_config("--cflags", "--libs")
        call("c++", "-O0", os.path.join(self.source, "ten_lines.cc"), "-o", program, *flags)
        self.sends_a_payment(program)
        self.assertIn("0.1", self.pkg_config("--modversion")[0])

    def test_every_header_stands_alone(self):
        root = os.path.join(self.tree, "include", "quipu")
        headers = [os.path.relpath(h, root) for h in self.found(".h")
                   if h.startswith(root + os.sep) and not h.endswith(".pb.h")]
        for wanted in ("client/producer.h", "client/consumer.h", "client/admin.h"):
            self.assertIn(wanted, headers)
        flags = self.pkg_config("--cflags")
        for header in headers:
            with self.subTest(header):
                call("c++", "-fsyntax-only", *WARNINGS, *flags, "-x", "c++", "-",
                     input=f'#include "{header}"\n')

    def test_every_example_compiles(self):
        examples = [e for e in self.found(".cc") if os.sep + "examples" + os.sep in e]
        self.assertGreaterEqual(len(examples), 4)
        flags = self.pkg_config("--cflags")
        for example in examples:
            with self.subTest(os.path.basename(example)):
                call("c++", "-fsyntax-only", *WARNINGS, *flags, example)

    def test_nothing_private_is_installed(self):
        names = {os.path.basename(h) for h in self.found(".h")}
        for private in ("producer_impl.h", "producer_core.h", "client_config.h", "partition_core.h"):
            self.assertNotIn(private, names)
        for text in map(read, self.found(".cmake") + self.found(".pc")):
            # Not as a part of a longer path: the tree may lie in a folder named like ours.
            self.assertNotRegex(text, r"((?<![\w}])|(?<=-[IL]))" + re.escape(programs.ROOT) + r"\b")

    def test_no_program_and_no_library_names_the_tree_it_was_built_in(self):
        if "CMAKE_BUILD_TYPE:STRING=Release" not in read(os.path.join(programs.BUILD,
                                                                      "CMakeCache.txt")):
            self.skipTest("debug information and sanitizers name the sources")
        # With a folder of ours behind it: a tree in /quipu is not each path that begins like that.
        folders = "|".join(re.escape(f.name) for f in os.scandir(programs.ROOT) if f.is_dir())
        named = re.compile(rb"(?<!\w)" + f"{re.escape(programs.ROOT)}/({folders})/".encode())
        built = self.found(".a") + [os.path.join(programs.BIN, p) for p in os.listdir(programs.BIN)]
        self.assertGreater(len(built), 10)
        for path in built:
            with open(path, "rb") as file:
                self.assertIsNone(named.search(file.read()), path)

    # ---- manual pages and completions ----
    def verbs(self, *path):
        """The visible verbs of a noun, from its --help."""
        told = programs.run("quipu", *path, "--help").stdout
        match = re.search(r"^Subcommands:\n((?:  .*\n|\s*\n)*)", told, re.M)
        return re.findall(r"^  (\S+)", match.group(1), re.M) if match else []

    def test_manual_pages_have_every_verb_and_setting(self):
        page = read(os.path.join(self.tree, "share/man/man1/quipu.1"))
        self.assertIn("topic", self.verbs())
        for noun in self.verbs():
            self.assertIn(f'.SS "quipu {noun}"', page)
            for verb in self.verbs(noun):
                self.assertIn(f'.SS "quipu {noun} {verb}"'.replace("-", "\\-"), page)
        for name, key in (("broker", "listener.client"), ("controller", "listener.controller")):
            self.assertIn(key, read(os.path.join(self.tree, f"share/man/man8/quipu-{name}.8")))
        if shutil.which("man") is None:
            print("NOT CHECKED: the manual pages' form (there is no `man` here)")
            return
        for page in self.found(".1") + self.found(".8"):
            done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page],
                                  capture_output=True, text=True, check=False,
                                  env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"})
            said = [line for line in done.stderr.splitlines() if "can't break line" not in line]
            self.assertEqual((done.returncode, said), (0, []), page)

    def offered(self, *words):
        """What bash offers behind these words."""
        completions = os.path.join(self.tree, "share/bash-completion/completions/quipu")
        script = (f"source {completions}; COMP_WORDS=(quipu {' '.join(words)} ''); "
                  f"COMP_CWORD={len(words) + 1}; _quipu; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        return call("bash", "-c", script).split()

    def test_bash_completes_nouns_verbs_and_options(self):
        self.assertEqual([w for w in self.offered() if w[0] != "-"], self.verbs())
        for noun in self.verbs():
            self.assertEqual([w for w in self.offered(noun) if w[0] != "-"], self.verbs(noun), noun)
        self.assertIn("--partitions", self.offered("topic", "create"))
        self.assertIn("--partitions", self.offered("topic", "create", "payments", "-r", "3"))
        self.assertNotIn("completion", self.offered())

    def test_zsh_reads_its_completions(self):
        if shutil.which("zsh") is None:
            self.skipTest("there is no zsh here")
        where = os.path.join(self.tree, "share/zsh/site-functions/_quipu")
        script = (f"compadd() {{ shift; print -l -- $@ }}; words=(quipu topic ''); CURRENT=3; "
                  f"source {where}")
        self.assertEqual([w for w in call("zsh", "-f", "-c", script).split() if w[0] != "-"],
                         self.verbs("topic"))


if __name__ == "__main__":
    programs.main()
