"""Rows of figures, each with its ratio to the limit of the same run, its goal, and whether that was met."""

import dataclasses
import math
import statistics
from dataclasses import dataclass, field

median = statistics.median


@dataclass
class Goal:
    """A bound: at most, or at least."""

    bound: float
    at_least: bool = False

    def met(self, value):
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self):
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def goal(bound, *, at_least=False):
    return None if bound is None else Goal(bound, at_least)


@dataclass
class Row:
    """A figure, or a word where there is none; ``ratio`` is None where the goal is about the figure itself."""

    label: str
    figure: float | str
    unit: str
    ratio: float | None = None
    goal: Goal | None = None
    note: str = ""
    all: list = field(default_factory=list)

    @property
    def met(self):
        return self.goal is None or self.goal.met(self.figure if self.ratio is None else self.ratio)

    def cells(self):
        verdict = "" if self.goal is None else ("met" if self.met else "MISSED")
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        spread = f" ({_short(min(self.all))}–{_short(max(self.all))})" if len(self.all) > 2 else ""
        figure = self.figure if isinstance(self.figure, str) else f"{_short(self.figure)} {self.unit}{spread}"
        return (self.label, figure, ratio, str(self.goal or ""), verdict, self.note)

    def as_json(self):
        return {**dataclasses.asdict(self), "goal": None if self.goal is None else str(self.goal), "met": self.met}


def p95(values):
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def table(title, rows):
    """Return a Markdown table."""
    head = (title, "median (range)", "ratio", "goal", "", "notes")
    lines = [head, ("---", "---", "---:", "---", "---", "---"), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _short(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
