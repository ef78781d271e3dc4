"""The result as a table, and its place in docs/benchmarks.md."""
import os
import statistics

import chart
from results import spread

MARKS = {True: "reached", False: "**falls short**", None: ""}


def shown(value, unit):
    return f"{value} {unit}".strip()


def table(rows, results):
    """Of the rows that have a figure."""
    lines = ["| what | goal | floor | figure | ratio in a round | |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures, floors = results.list_of(row.figure), results.list_of(row.floor)
        if not figures or (row.floor and not floors):
            continue
        ratios = results.ratios(row.figure, row.floor)
        lines.append(f"| {row.what} | {row.goal()} | {shown(spread(floors), row.unit) if floors else ''} | "
                     f"{shown(spread(figures), row.unit)} | {spread(ratios) if ratios else ''} | "
                     f"{MARKS[row.judge(results)]} |")
    return "\n".join(lines)


def heading(machine, command):
    said = (f"`{command}`: {machine['rounds']} round{'s' if machine['rounds'] > 1 else ''}, store "
            f"{machine['store']}, commit {machine['commit']}, {machine['date']}. {machine['cpu']}, {machine['cores']} "
            f"cores, {machine['memory_gib']:.0f} GiB, {machine['file_system']}, Linux {machine['kernel']}; load of "
            f"the machine before each round: {', '.join(f'{load:.1f}' for load in machine['loads'])}.")
    if machine["quick"]:
        said += " **A smoke run: no figure of it means anything.**"
    return said


def section(kind, machine, rows, results, picture):
    """What stands between the markers."""
    parts = [heading(machine, machine["command"]), "",
             "Median and, in brackets, the lowest and the highest of the rounds. A ratio is of two figures of one round; "
             "the goal is of the median ratio, or of the figure where there is no floor.", "",
             *[f"- {note}" for note in results.notes], *([""] if results.notes else []), table(rows, results)]
    if picture:
        parts += ["", f"![what was reached of each floor]({picture})"]
    return f"<!-- scripts/bench: {kind} begins -->\n\n" + "\n".join(parts) + f"\n\n<!-- scripts/bench: {kind} ends -->"


def write_page(path, kind, machine, rows, results):
    """Puts the section between its markers, which are there, and the chart beside the page."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    begin, end = f"<!-- scripts/bench: {kind} begins -->", f"<!-- scripts/bench: {kind} ends -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise SystemExit(f"{path}: expected the markers of {kind} once")
    picture = f"benchmarks-{kind}.svg"
    drawn = chart.draw(bars(rows, results))
    if drawn:
        with open(os.path.join(os.path.dirname(path), picture), "w", encoding="utf-8") as file:
            file.write(drawn)
    before, after = page.split(begin)[0], page.split(end)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + section(kind, machine, rows, results, picture if drawn else "") + after)


def bars(rows, results):
    """Of each row with a goal: how far the figure is on its way to it, 1 when it is just there."""
    found = []
    for row in rows:
        judged = results.ratios(row.figure, row.floor) if row.floor else results.list_of(row.figure)
        if not judged or (row.at_least is None and row.at_most is None):
            continue
        values = [value / row.at_least if row.at_least is not None else row.at_most / max(value, 1e-9)
                  for value in judged]
        found.append((row.what, statistics.median(values), min(values), max(values)))
    return found
