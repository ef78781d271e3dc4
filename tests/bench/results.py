"""What was measured, round by round, and what it is held against."""
import dataclasses
import statistics


class Results:
    """Figures by name; each has a value for each round in which it was measured."""

    def __init__(self, values=None, notes=None):
        self.values = values or {}  # {name: {round: value}}
        self.notes = notes or []    # what the reader of the figures has to know

    def add(self, number, name, value):
        self.values.setdefault(name, {})[str(number)] = value
        print(f"    {name}: {text_of(value)}", flush=True)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            print(f"    NOTE: {text}", flush=True)

    def list_of(self, name):
        return list(self.values.get(name, {}).values())

    def ratios(self, name, floor):
        """Of the rounds that have both."""
        floors = self.values.get(floor, {})
        return [value / floors[number] for number, value in self.values.get(name, {}).items() if floors.get(number)]


def text_of(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def spread(values):
    """Median, and the range when there is one."""
    middle = text_of(statistics.median(values))
    return middle if len(values) < 2 else f"{middle} ({text_of(min(values))}-{text_of(max(values))})"


@dataclasses.dataclass
class Row:
    """One line of the table. With a floor the bound is of the ratio, else of the figure."""
    what: str
    figure: str
    unit: str
    floor: str = ""
    at_least: float = None  # of the ratio with a floor, of the figure without
    at_most: float = None
    or_figure_at_least: float = None

    def goal(self):
        bound = [f"{sign} {text_of(value)}" for sign, value in ((">=", self.at_least), ("<=", self.at_most))
                 if value is not None]
        if self.or_figure_at_least is not None:
            bound.append(f"or {text_of(self.or_figure_at_least)} {self.unit}")
        return " ".join(bound)

    def judge(self, results):
        """True, False, or None where there is no goal or no figure. At the two digits that are shown."""
        figures = results.list_of(self.figure)
        judged = results.ratios(self.figure, self.floor) if self.floor else figures
        if self.or_figure_at_least is not None and figures and statistics.median(figures) >= self.or_figure_at_least:
            return True
        if not judged or (self.at_least is None and self.at_most is None):
            return None
        value = round(statistics.median(judged), 2)
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


class Plan:
    """How long and how large: in full, or only to see that everything works."""

    def __init__(self, quick):
        self.quick = quick

    def seconds(self, full):
        return max(0.5, full / 8) if self.quick else full

    def count(self, full, quick):
        return quick if self.quick else full
