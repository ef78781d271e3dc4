#!/usr/bin/env python3
"""The house rules as a test: layering, purity of the cores, sizes, forbidden words.

Reads every tracked or new C++ file below the given root and prints one line per breach:
file:line: rule: what is wrong. Exits 1 when there is any. `--self-test` shows that each rule can
fail. The exceptions, with their reasons, are in tests/tidy/exceptions.txt.
"""
import os
import re
import subprocess
import sys

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
FOLDER_FILES_MAX = 25

# Which top folders (or proto parts) a folder may include. docs/architecture.md draws this.
MAY_INCLUDE = {
    "base": {"base"},
    "core": {"base", "core", "proto/record", "proto/message"},
    "storage": {"base", "core", "storage", "proto/record", "proto/message"},
    "runtime": {"base", "core/request", "runtime", "proto"},
    "broker": {"base", "core", "storage", "runtime", "proto", "broker"},
    "controller": {"base", "core", "storage", "runtime", "proto", "controller"},
    "client": {"base", "core", "runtime", "proto", "client"},
}
# The pure halves and cores see neither gRPC nor RocksDB.
HEAVY = re.compile(r'#include\s+[<"](grpc|grpcpp|rocksdb)/|#include\s+"proto/rpc/')
# One file sees the library behind the metrics endpoint.
PROMETHEUS = re.compile(r'#include\s+[<"]prometheus/')
MAY_SEE_PROMETHEUS = "runtime/metrics/metrics_server.cc"
# One folder sees the library behind the sockets.
ASIO = re.compile(r'#include\s+[<"]asio[/.]')
MAY_SEE_ASIO = "runtime/socket/"
MAY_BE_HEAVY = ("storage/rocksdb/", "runtime/grpc/", "broker/grpc/", "broker/process/",
                "controller/process/", "client/", "tests/")
IMPURE_INCLUDE = re.compile(
    r"#include\s+<(thread|mutex|shared_mutex|atomic|condition_variable|random|iostream|fstream|"
    r"future|filesystem|unistd\.h|sys/.*|ctime|time\.h)>")
IMPURE_CALL = re.compile(r"_clock::now|absl::Now\b|\bgetenv\b|\brand\(\)|std::random_device")
LONG_LOOP = re.compile(r"for\s*\(\s*(?:const\s+)?auto\s*&{0,2}\s*(?:\[[^\]]*\]|\w+)\s*:\s*(\w+)\s*\)")
FLAT_HASH = re.compile(r"flat_hash_(?:map|set)<.*>\s+(\w+)\s*(?:;|=|\{)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
SESSION_WORDS = re.compile(r"/work/|\bhelper[- ]\d|\bissue #?\d", re.IGNORECASE)
FORBIDDEN_NAME = re.compile(r"\bclass\s+\w*(Manager|Util|Utils|Helper)\b")


def tracked_files(root):
    listing = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=True).stdout
    return sorted(f for f in listing.splitlines() if os.path.isfile(os.path.join(root, f)))


def layer_of(path):
    return path.split("/", 1)[0]


def allowed(path, included):
    rules = MAY_INCLUDE.get(layer_of(path))
    if rules is None:
        return True
    if layer_of(included) not in MAY_INCLUDE and layer_of(included) != "proto":
        return True
    return any(included.startswith(rule + "/") for rule in rules)


def check_includes(path, lines):
    for number, line in enumerate(lines, 1):
        match = re.match(r'#include\s+"([^"]+)"', line)
        if match and not allowed(path, match.group(1)):
            yield number, "layering", f"{layer_of(path)}/ may not include {match.group(1)}"
        if HEAVY.search(line) and not path.startswith(MAY_BE_HEAVY):
            yield number, "heavy-header", f"gRPC or RocksDB header in a pure half: {line.strip()}"
        if PROMETHEUS.search(line) and path != MAY_SEE_PROMETHEUS:
            yield number, "heavy-header", f"only {MAY_SEE_PROMETHEUS} sees prometheus-cpp"
        if ASIO.search(line) and not path.startswith(MAY_SEE_ASIO):
            yield number, "heavy-header", f"only {MAY_SEE_ASIO} sees asio"


def check_purity(path, lines):
    if not path.startswith("core/"):
        return
    hashes = set()
    for number, line in enumerate(lines, 1):
        code = line.split("//", 1)[0]
        if IMPURE_INCLUDE.search(code) or IMPURE_CALL.search(code):
            yield number, "purity", f"core/ is pure, but: {line.strip()}"
        found = FLAT_HASH.search(code)
        if found:
            hashes.add(found.group(1))
        loop = LONG_LOOP.search(code)
        if loop and loop.group(1) in hashes:
            yield number, "purity", f"iterates over the salted order of {loop.group(1)}"


def functions(lines):
    """Yields (first line, length) of each function, by the indentation that clang-format gives."""
    start, indent = None, 0
    for number, line in enumerate(lines, 1):
        if start is None:
            match = re.match(r"^( {0,4})(?!namespace|class|struct|enum|union|extern|#|//|\}|if|for|"
                             r"while|switch|else|do|return)\S.*\{$", line)
            if match and (")" in line or line.rstrip().endswith("override {")):
                opener = lines[number - 2] if number > 1 and lines[number - 2].endswith("(") else line
                start, indent = number, len(opener) - len(opener.lstrip())
                if opener.lstrip().startswith(": "):  # a constructor's list stands four behind its end
                    indent = max(0, indent - 4)
        elif re.match(r"^ {%d}\}" % indent, line):
            yield start, number - start + 1
            start = None


def check_sizes(path, lines):
    if len(lines) >= FILE_LINES_MAX:
        yield 1, "file-length", f"{len(lines)} lines; fewer than {FILE_LINES_MAX} allowed"
    for start, length in functions(lines):
        if length >= FUNCTION_LINES_MAX:
            yield start, "function-length", f"{length} lines; fewer than {FUNCTION_LINES_MAX} allowed"


def check_words(path, lines):
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield number, "unfinished", line.strip()
        if SESSION_WORDS.search(line):
            yield number, "foreign-words", line.strip()
        if FORBIDDEN_NAME.search(line):
            yield number, "name", line.strip()
    if path.endswith(".h") and not any(line.strip() == "#pragma once" for line in lines):
        yield 1, "pragma-once", "a header without #pragma once"
    if lines and not lines[0].startswith(("//", "#include", "#pragma", "/*")):
        yield 1, "header-comment", "the file does not begin with what it is"


RULES = (check_includes, check_purity, check_sizes, check_words)


def breaches_of(path, text):
    lines = text.splitlines()
    for rule in RULES:
        for number, name, what in rule(path, lines):
            yield path, number, name, what


def read_exceptions(root):
    exceptions = set()
    with open(os.path.join(root, "tests/tidy/exceptions.txt"), encoding="utf-8") as file:
        for line in file:
            parts = line.split("#", 1)
            if not parts[0].strip():
                continue
            if len(parts) == 1 or not parts[1].strip():
                sys.exit(f"tests/tidy/exceptions.txt: no reason given: {line.strip()}")
            path, rule = parts[0].split()
            exceptions.add((path, rule))
    return exceptions


def run(root):
    exceptions, used, failed, count = read_exceptions(root), set(), 0, 0
    folders = {}
    for path in tracked_files(root):
        if not path.endswith((".h", ".cc")):
            continue
        count += 1
        folders.setdefault(os.path.dirname(path), []).append(path)
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found = list(breaches_of(path, file.read()))
        for _, number, name, what in found:
            if (path, name) in exceptions:
                used.add((path, name))
                continue
            print(f"{path}:{number}: {name}: {what}")
            failed += 1
    for folder, files in sorted(folders.items()):
        if len(files) > FOLDER_FILES_MAX and (folder, "folder-size") not in exceptions:
            print(f"{folder}:1: folder-size: {len(files)} files; at most {FOLDER_FILES_MAX}")
            failed += 1
        elif (folder, "folder-size") in exceptions:
            used.add((folder, "folder-size"))
    for path, name in sorted(exceptions - used):
        print(f"tests/tidy/exceptions.txt:1: stale-exception: {path} {name} is not needed")
        failed += 1
    print(f"tidy: {count} files, {failed} breaches")
    return 1 if failed else 0


def self_test():
    long_function = "// x\nvoid F() {\n" + "  g();\n" * 70 + "}\n"
    cases = [
        ("core/a.cc", '// x\n#include "storage/log_store.h"\n', "layering"),
        ("client/a.cc", '// x\n#include "broker/broker_node.h"\n', "layering"),
        ("storage/a.cc", '// x\n#include "runtime/executor.h"\n', "layering"),
        ("broker/a.cc", "// x\n#include <grpcpp/grpcpp.h>\n", "heavy-header"),
        ("broker/process/a.cc", "// x\n#include <prometheus/exposer.h>\n", "heavy-header"),
        ("broker/kafka/a.cc", "// x\n#include <asio/ip/tcp.hpp>\n", "heavy-header"),
        ("core/a.cc", "// x\n#include <mutex>\n", "purity"),
        ("core/a.cc", "// x\nauto t = std::chrono::steady_clock::now();\n", "purity"),
        ("core/a.cc", "// x\nabsl::flat_hash_map<int, int> seen_;\n"
                      "void F() {\n  for (auto& x : seen_) g(x);\n}\n", "purity"),
        ("base/a.cc", "// x\n" * 500, "file-length"),
        ("base/a.cc", long_function, "function-length"),
        ("base/a.cc", "// TODO: later\n", "unfinished"),
        ("base/a.h", "// x\nint a;\n", "pragma-once"),
        ("base/a.cc", "int a;\n", "header-comment"),
        ("base/a.cc", "// x\nclass LogManager;\n", "name"),
    ]
    failed = 0
    for path, text, expected in cases:
        names = {name for _, _, name, _ in breaches_of(path, text)}
        if expected not in names:
            print(f"self-test: {expected} was not found in a sample that breaks it")
            failed += 1
    clean = "// x\n#include \"base/ids.h\"\nvoid F() {\n  g();\n}\n"
    if list(breaches_of("core/a.cc", clean)):
        print("self-test: a clean sample was refused")
        failed += 1
    print(f"tidy self-test: {len(cases) + 1} samples, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    sys.exit(run(sys.argv[1] if len(sys.argv) > 1 else "."))
