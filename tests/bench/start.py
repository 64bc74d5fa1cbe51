"""From the request to the first result of a cell, with phases; every way once a round, in turn."""

import time

from place import Managed, Ours, directly, end, settle
from report import Row, goal, median

LABELS = {
    "b": "srun + ch-run, unpacked directory, by hand: the limit",
    "b by sbatch": "the same as a batch job: what Slurm's queue adds",
    "c": "srun + ch-run, SquashFS file, by hand",
    "d": "local ipykernel, KernelManager",
    "a1": "this product, Charliecloud, SquashFS store: first kernel on a node",
    "a2 restart": "the same: Kernel → Restart in the job",
    "a2 second": "the same: second kernel on the node (a job of its own)",
    "a3": "this product, bare",
}
WARM_S = 5.0
"""How long the first kernel of all lives: some seconds after its start it has noted what it imported."""
GOALS = {"a1": 1.5, "a2 restart": 1.1, "a2 second": 1.1}


def measure(place, effort):
    """Return the rows of the table; one more round than counted goes before, to warm the caches for all."""
    rounds, warms = effort.of(7, 3, 1), effort.warms
    timings = {name: [] for name in LABELS}
    try:
        for number in range(rounds + warms):
            for name, timing in _round(place, rest=WARM_S if number < warms else 0):
                if number >= warms:
                    timings[name].append(timing)
    finally:
        end()
    figures = {name: {phase: median(t[phase] for t in each) for phase in each[0]} for name, each in timings.items()}
    limit = figures["b"]["first result"]
    rows = [_row(name, timings[name], figures[name], limit) for name in LABELS]
    for name in ("a1", "a2 second"):
        without = [t["first result"] - (t["allocated"] - t["submitted"]) for t in timings[name]]
        label = f"({name}) without the wait for Slurm's next turn"
        rows.append(Row(label, median(without), "s", median(without) / limit, None, "", without))
    return rows


def _row(name, timings, figures, limit):
    phases = {phase: seconds for phase, seconds in figures.items() if phase != "first result"}
    note = ", ".join(f"{phase} {at:.2f}" for phase, at in phases.items())
    seconds, spread = figures["first result"], [t["first result"] for t in timings]
    label = f"({name}) {LABELS[name]}"
    return Row(label, seconds, "s", seconds / limit, goal(GOALS.get(name)), note, spread)


def _round(place, *, rest):
    request = {"image": place["image"], "engine": "charliecloud", "scheduler": "slurm"}
    for name, start in (
        ("b", lambda: directly(place, "root")),
        ("b by sbatch", lambda: directly(place, "root", batch=True)),
        ("c", lambda: directly(place, "squashfs")),
        ("d", lambda: Managed("python3")),
        ("a3", lambda: Ours(engine="bare", scheduler="slurm")),
    ):
        with _settled(start()) as kernel:
            yield name, kernel.first_result()
    with _settled(Ours(**request)) as kernel:
        yield "a1", kernel.first_result()
        time.sleep(rest)
        second = Ours(**request)
        try:
            yield "a2 second", second.first_result()
        finally:
            second.stop()
        yield "a2 restart", kernel.restart()


class _settled:  # noqa: N801
    def __init__(self, kernel):
        self.kernel = kernel

    def __enter__(self):
        return self.kernel

    def __exit__(self, *_):
        self.kernel.stop()
        settle()
