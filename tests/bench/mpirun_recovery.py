"""A rank fails while the others wait for it in a Barrier: seconds from there until the next cell has run on all."""

import contextlib
import time

from mpirun_sides import Mpirun, Px, use
from report import Row, goal, median

RANKS = 4
PATIENCE_S = 20.0
INTERRUPT_S = 5.0
"""When the user of a cell that does not end presses Interrupt."""
RAISES = "if MPI.COMM_WORLD.rank == 1:\n    raise RuntimeError('on purpose')\nMPI.COMM_WORLD.Barrier()"
DIES = "if MPI.COMM_WORLD.rank == 1:\n    os.kill(os.getpid(), 9)\nMPI.COMM_WORLD.Barrier()"
AFTER = f"from mpi4py import MPI\nimport os\nassert MPI.COMM_WORLD.allreduce(1) == {RANKS}"
FAILURES = {"raises, three wait": RAISES, "is killed, three wait": DIES}


def measure(place, *, quick):
    """Return the rows of the table."""
    launcher = use(place)
    rows = []
    for what, code in FAILURES.items():
        ours = _ours(code, 2 if quick else 5)
        rows.append(Row(f"one of {RANKS} {what}: %%mpirun", median(ours), "s", None, goal(5), "", ours))
        side = Px(launcher)
        try:
            side.start(RANKS)
            seconds, words = _px(side, code)
            by_hand = _replaced(side)
        finally:
            side.stop()
        label = f"one of {RANKS} {what}: %%px"
        rows.append(Row(label, seconds, "s", None, None, words))
        note = "from the user's decision on"
        rows.append(Row(f"{label}, cluster stopped and started by hand", by_hand, "s", None, None, note))
    return rows


def _ours(code, rounds):
    side = Mpirun()
    try:
        side.start(RANKS)
        return [_failed(side, code) for _ in range(rounds)]
    finally:
        side.stop()


def _failed(side, code):
    side.run(AFTER)
    side.seconds("untouched = object()")
    seconds = side.run(code, ok=False) + side.run(AFTER)
    side.seconds("del untouched")
    return seconds


def _px(side, code):
    """Seconds until the next cell has run, or ``never``, and what the user saw."""
    began = time.monotonic()
    words = []
    try:
        side.run(code, ok=False, patience_s=INTERRUPT_S)
        words.append("the cell ended with the error")
    except AssertionError:
        words.append(f"the cell still ran after {INTERRUPT_S:g} s and was interrupted")
        side.manager.interrupt_kernel()
    while (left := began + PATIENCE_S - time.monotonic()) > 0:
        with contextlib.suppress(AssertionError):
            side.run(AFTER, patience_s=left)
            return time.monotonic() - began, ", ".join(words)
        time.sleep(0.1)  # the kernel drops what was sent before it has taken the interrupt in
    return "never", f"{', '.join(words)}, the next one had not run after {PATIENCE_S:g} s"


def _replaced(side):
    """Seconds for what is left to a user of ipyparallel: a new cluster."""
    side.manager.interrupt_kernel()
    for _ in range(100):
        with contextlib.suppress(AssertionError):
            side.seconds("pass", patience_s=5)
            break
        time.sleep(0.1)
    took = side.seconds("cluster.stop_cluster_sync()") + side.start(RANKS)
    return took + side.run(AFTER)
