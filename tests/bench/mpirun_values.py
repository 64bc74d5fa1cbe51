"""Values to all ranks and back: NumPy arrays of 1 kB, 1 MB and 1 GB."""

import os

from mpirun_sides import Mpirun, Px, use
from report import Row, median

KB, MB, GB = 1000, 1_000_000, 1_000_000_000
CEILING = 20 * 2**30
TOUCH = "touched = float({}[::512].sum())"
"""Reads a number in each page: what is mapped only costs nothing before."""


def measure(place, *, quick):
    """Return the rows of the table. Of a gigabyte each side runs alone, and ipyparallel on two ranks alone."""
    launcher = use(place)
    rows = []
    sides = []
    try:
        sides += [Mpirun()]
        sides += [Px(launcher)]
        for side in sides:
            side.start(8)
        for label, size, rounds in (("1 kB", KB, 10 if quick else 50), ("1 MB", MB, 5 if quick else 20)):
            found = [{name: [] for name in ("push", "pull")} for _ in sides]
            for number in range(rounds + 1):
                for side, each in zip(sides, found, strict=True):
                    _round(side, size, each if number else {name: [] for name in each})
            rows += _compared(f"{label}, 8 ranks", "ms", *found)
    finally:
        for side in sides:
            side.stop()
    rounds = 1 if quick else 3
    ours = _alone(Mpirun, 2, rounds, needed=6 * GB)
    px = _alone(lambda: Px(launcher), 2, rounds, needed=8 * GB)
    rows += _compared("1 GB, 2 ranks", "s", ours, px)
    if many := _alone(Mpirun, 8, rounds, needed=12 * GB):
        note = "ipyparallel sends a copy to each: 8 ranks would take more than 20 GiB"
        for name, each in many.items():
            rows.append(Row(f"{name}, 1 GB, 8 ranks: %mpirun", median(each), "s", None, None, note, each))
    return rows


def _alone(make, ranks, rounds, *, needed):
    """Seconds by kind of a gigabyte; {} where there is no room for it."""
    if needed > (room := _room()):
        print(f"1 GB, {ranks} ranks: skipped, it needs {needed / GB:.0f} GB and there is room for {room / GB:.1f}")
        return {}
    side = make()
    try:
        side.start(ranks)
        found = {name: [] for name in ("push", "push and first reading", "pull and first reading")}
        for _ in range(rounds):
            _round_of_gigabytes(side, found)
        return found
    finally:
        side.stop()


def _round(side, size, found):
    """Milliseconds of one push and one pull; that all came as it was is looked at in between."""
    side.seconds(f"x = np.random.default_rng().random({size // 8})")
    found["push"].append(side.seconds(side.push_code("x")) * 1000)
    found["pull"].append(side.seconds(side.pull_code("x")) * 1000)
    side.seconds(f"assert all((each == x).all() for each in pulled)\n{side.forget_code}")


def _round_of_gigabytes(side, found):
    side.seconds(f"x = np.full({GB // 8}, 1.5)")
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
