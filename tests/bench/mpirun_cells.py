"""An empty cell, and cells that print, on 2, 4 and 8 ranks; both sides run all the time and take turns."""

import re

from mpirun_sides import Mpirun, Px, use
from report import Row, goal, median, p95

SIZES, SMALLEST = (2, 4, 8), (2,)
ALIKE = "for i in range(100): print('line', i)"
APART = "for i in range(100): print('line', i, 'of', MPI.COMM_WORLD.rank)"
GOALS = {8: 0.3}
TURN = 5


def measure(place, effort):
    """Return the rows of the table."""
    trips = effort.of(200, 40, 4 * TURN)
    launcher = use(place, effort)
    rows = []
    for ranks in effort.of(SIZES, SIZES, SMALLEST):
        with Mpirun.ready(ranks) as ours, Px.ready(ranks, launcher) as px:
            sides = [ours, px]
            rows += _empty(sides, ranks, trips)
            rows += _printing(sides, ranks, "100 lines from each, all alike", ALIKE, trips // 4)
            rows += _printing(sides, ranks, "100 lines from each, all different", APART, trips // 4)
    return rows


def _turns(ways, number):
    """Milliseconds of each way, a few times each in turn."""
    took = {name: [] for name in ways}
    for way in ways.values():
        for _ in range(TURN):
            way()
    for _ in range(number // TURN):
        for name, way in ways.items():
            took[name] += [way() * 1000 for _ in range(TURN)]
    return took


def _empty(sides, ranks, number):
    ways = {side.name: lambda side=side: side.run("pass") for side in sides}
    ways["kernel"] = lambda: sides[0].seconds("pass")
    took = _turns(ways, number)
    ours, px, kernel = (median(each) for each in took.values())
    tails = [f"95 % within {p95(each):.1f} ms" for each in took.values()]
    mine, theirs, own = took.values()
    note = f"{tails[0]}; {(ours - kernel) / (px - kernel):.2f} without the kernel's own"
    return [
        Row(f"{ranks} ranks: empty cell, {sides[1].name}", px, "ms", 1.0, None, tails[1], theirs),
        Row(f"{ranks} ranks: empty cell, {sides[0].name}", ours, "ms", ours / px, goal(GOALS.get(ranks)), note, mine),
        Row(f"{ranks} ranks: empty cell of the notebook itself", kernel, "ms", None, None, "in both", own),
    ]


def _printing(sides, ranks, label, code, number):
    for side in sides:
        text = side.said(f"{side.magic}\n{code}")
        assert re.search(rb"line 99\b", text), text[-500:]
    took = _turns({side.name: lambda side=side: side.run(code) for side in sides}, number)
    ours, px = (median(each) for each in took.values())
    mine, theirs = took.values()
    return [
        Row(f"{ranks} ranks: {label}, {sides[1].name}", px, "ms", 1.0, None, "", theirs),
        Row(f"{ranks} ranks: {label}, {sides[0].name}", ours, "ms", ours / px, None, "", mine),
    ]
