"""What a test needs that runs each verb of `quipu` as text and as JSON and compares the two."""
import functools
import importlib.machinery
import importlib.util
import json
import os
import re

import programs
from programs import run

CASES = {}  # verb: name of its test


def case(*of_verbs):
    """The test compares text and JSON of these verbs."""
    def register(test):
        @functools.wraps(test)
        def compares(self):
            test(self)
            self.assertGreater(self.compared, 0, "the case compares nothing")
        CASES.update({verb: test.__name__ for verb in of_verbs})
        return compares
    return register


def load_manual():
    path = os.path.join(programs.ROOT, "scripts", "manual")
    spec = importlib.util.spec_from_loader(
        "manual", importlib.machinery.SourceFileLoader("manual", path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verbs(path=()):
    """Every verb below `path` that has no verbs below itself, by the lists in --help."""
    names = load_manual().verbs_of(run("quipu", *path, "--help").stdout)
    return [verb for name in names for verb in verbs((*path, name))] if names else [" ".join(path)]


def table(text):
    """The rows below the header line, each as a dictionary; a cell begins where its title does."""
    header, *lines = text.rstrip("\n").split("\n")
    starts = [match.start() for match in re.finditer(r"(?:^|(?<=  ))\S", header)]
    titles = [header[a:b].strip() for a, b in zip(starts, starts[1:] + [None])]
    return [{title: line[a:b].strip() for title, a, b in zip(titles, starts, starts[1:] + [None])}
            for line in lines]


def ids(numbers):
    return ",".join(str(number) for number in numbers)


def or_dash(value):
    return "-" if value is None else str(value)


def yes(value):
    return "yes" if value else "no"


class VerbsCase(programs.TestCase):
    """Runs verbs both ways; `same` counts what was compared."""

    compared = 0

    def same(self, told, expected):
        self.compared += 1
        self.assertEqual(told, expected)

    def text(self, *arguments, code=0, to=None, **options):
        done = (to or self.cluster.quipu)(*arguments, **options)
        return self.check(done, code).stdout

    def json(self, *arguments, code=0, to=None, **options):
        return json.loads(self.text(*arguments, "-o", "json", code=code, to=to, **options))

    def same_rows(self, text, told, columns):
        """A table and a list; `columns`: what a column shows of an entry."""
        rows = table(text)
        self.assertTrue(told, "nothing to compare")
        self.same([{title: row[title] for title in columns} for row in rows],
                  [{title: str(show(entry)) for title, show in columns.items()} for entry in told])
