#!/usr/bin/env python3
"""Goal: the legend of log events is the code's, both ways.

Every event that code logs stands in the legend of docs/testing.md, every event of the legend is
logged somewhere, and servers write to standard error by the logger alone.

    log_events_test.py ROOT | --self-test
"""
import os
import re
import sys

FOLDERS = ("base", "core", "storage", "runtime", "broker", "controller", "client")
TABLE = "base/log_events.h"
LEGEND = "docs/testing.md"
BEGIN, END = "<!-- log events: begin", "<!-- log events: end -->"
CALL = re.compile(r"\bLog(?:Debug|Info|Warn|Error|LastWords)\(\s*(\")([a-z0-9_.]+)\"|"
                  r"\bLogEvent\(\s*(\")([a-z0-9_.]+)\"")
LITERAL = re.compile(r"\"([a-z0-9_]+(?:\.[a-z0-9_]+)*)\"")
# The servers' folders; programs for people (the CLI, examples, tools) talk to standard error.
STDERR = re.compile(r"\bstd::cerr\b|\bstderr\b|\bSTDERR_FILENO\b|\bperror\(")
SILENT = ("base/", "core/", "storage/", "runtime/", "broker/", "controller/")
MAY_WRITE = ("base/logging.cc",)


def sources(root):
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith((".cc", ".h")):
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8") as file:
                        yield os.path.relpath(path, root), file.read()


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def legend_of(page):
    begin, end = page.find(BEGIN), page.find(END)
    if begin < 0 or end < begin:
        return []
    return re.findall(r"^\| `([^`]+)` \|", page[begin:end], re.MULTILINE)


def findings(files, page):
    """What is wrong, one line each; `files` are (path, text)."""
    legend = legend_of(page)
    if not legend:
        yield f"{LEGEND}: no legend of log events"
    logged, literals = {}, set()
    for path, text in files:
        code = without_comments(text)
        if path != TABLE:
            literals.update(LITERAL.findall(code))
            for call in CALL.finditer(code):
                logged.setdefault(call.group(2) or call.group(4), path)
        if path.startswith(SILENT) and not path.startswith(MAY_WRITE) and STDERR.search(code):
            yield f"{path}: writes to standard error without the logger"
    for name, path in sorted(logged.items()):
        if name not in legend:
            yield f"{path}: event {name} is not in the legend of {LEGEND}"
    for name in legend:
        # Also where the name is chosen first and logged later.
        if name not in literals:
            yield f"{LEGEND}: event {name} is in the legend, and no code logs it"
        if legend.count(name) > 1:
            yield f"{LEGEND}: event {name} is in the legend twice"


def self_test():
    page = f"{BEGIN} -->\n| `a.b` | both | x |\n| `c` | both | y |\n{END}\n"
    good = [("broker/x.cc", 'LogInfo("a.b", {});\n  Step(1, "c");')]
    assert list(findings(good, page)) == []
    for files, part in (
            ([("broker/x.cc", 'LogInfo("a.b"); LogWarn(\n "c"); LogError("d.e");')], "d.e is not in"),
            ([("broker/x.cc", 'LogInfo("a.b"); // "c"')], "c is in the legend, and no code"),
            ([("broker/x.cc", 'LogInfo("a.b"); x ? LogEvent("c") : LogEvent("f");')], "f is not in"),
            (good + [("runtime/y.cc", "std::fprintf(stderr, s);")], "without the logger")):
        told = list(findings(files, page))
        assert len(told) == 1 and part in told[0], (files, told)
    assert any("no legend" in line for line in findings(good, "nothing"))


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    root = sys.argv[1]
    with open(os.path.join(root, LEGEND), encoding="utf-8") as file:
        told = list(findings(list(sources(root)), file.read()))
    print("\n".join(told) or "the legend is the code's")
    return 1 if told else 0


sys.exit(main())
