"""Values to all ranks and back: NumPy arrays of 1 kB, 1 MB and 1 GB."""

import os

from mpirun_sides import Mpirun, Px, use
from report import Row, median

KB, MB, GB = 1000, 1_000_000, 1_000_000_000
CEILING = 20 * 2**30
TOUCH = "touched = float({}[::512].sum())"
"""Reads a number in each page: what is mapped only costs nothing before."""


def measure(place, effort):
    """Return the rows of the table. Of a gigabyte each side runs alone, and ipyparallel on two ranks alone."""
    launcher, many, large = use(place, effort), effort.of(8, 8, 2), effort.of(GB, GB, MB)
    small = (("1 kB", KB, effort.of(50, 10, 1)), ("1 MB", MB, effort.of(20, 5, 1)))
    rows = _in_turn(launcher, many, small, effort.warms)
    rounds, label = effort.of(3, 1, 1), effort.of("1 GB", "1 GB", "1 MB again")
    ours = _alone(Mpirun.ready(2), large, rounds, copies=6)
    px = _alone(Px.ready(2, launcher), large, rounds, copies=8)
    rows += _compared(f"{label}, 2 ranks", "s", ours, px)
    if alone := _alone(Mpirun.ready(many), large, rounds, copies=12):
        note = "ipyparallel sends a copy to each: 8 ranks would take more than 20 GiB"
        for name, each in alone.items():
            rows.append(Row(f"{name}, {label}, {many} ranks alone: %mpirun", median(each), "s", None, None, note, each))
    return rows


def _in_turn(launcher, ranks, sizes, warms):
    """Both sides run all the time and take turns."""
    rows = []
    with Mpirun.ready(ranks) as ours, Px.ready(ranks, launcher) as px:
        sides = [ours, px]
        for label, size, rounds in sizes:
            found = [{name: [] for name in ("push", "pull")} for _ in sides]
            for number in range(rounds + warms):
                for side, each in zip(sides, found, strict=True):
                    _round(side, size, each if number >= warms else {name: [] for name in each})
            rows += _compared(f"{label}, {ranks} ranks", "ms", *found)
    return rows


def _alone(ready, size, rounds, *, copies):
    """Seconds by kind of a large array; {} where there is no room for so many copies of it."""
    if (needed := copies * size) > (room := _room()):
        words = f"it needs {needed / GB:.0f} GB and there is room for {room / GB:.1f}"
        print(f"{size / GB:g} GB, {copies} copies: skipped, {words}")
        return {}
    with ready as side:
        found = {name: [] for name in ("push", "push and first reading", "pull and first reading")}
        for _ in range(rounds):
            _round_of_gigabytes(side, size, found)
        return found


def _round(side, size, found):
    """Milliseconds of one push and one pull; that all came as it was is looked at in between."""
    side.seconds(f"x = np.random.default_rng().random({size // 8})")
    found["push"].append(side.seconds(side.push_code("x")) * 1000)
    found["pull"].append(side.seconds(side.pull_code("x")) * 1000)
    side.seconds(f"assert all((each == x).all() for each in pulled)\n{side.forget_code}")


def _round_of_gigabytes(side, size, found):
    side.seconds(f"x = np.full({size // 8}, 1.5)")
    pushed = side.seconds(side.push_code("x"))
    read = side.run(TOUCH.format("x"))
    pulled = side.seconds(f"{side.pull_code('x')}\nsums = [float(each[::512].sum()) for each in pulled]")
    for name, seconds in zip(found, (pushed, pushed + read, pulled), strict=True):
        found[name].append(seconds)
    side.seconds(f"assert sums[0] == float(x[::512].sum()), sums\n{side.forget_code}; x = None")
    side.run("x = None")


def _compared(what, unit, ours, px):
    rows = []
    for name, mine in ours.items():
        limit = median(px[name]) if px else None
        if px:
            rows.append(Row(f"{name}, {what}: ipyparallel", limit, unit, 1.0, None, "", px[name]))
        ratio = median(mine) / limit if px else None
        rows.append(Row(f"{name}, {what}: %mpirun", median(mine), unit, ratio, None, "", mine))
    return rows


def _room():
    """Bytes that may be used: of free memory, of /dev/shm, and never more than 20 GiB."""
    with open("/proc/meminfo") as file:
        available = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    shm = os.statvfs("/dev/shm")
    return min(available * 9 // 10, shm.f_bavail * shm.f_frsize, CEILING)
