"""A rank fails while the others wait for it in a Barrier: seconds from there until the next cell has run on all."""

import contextlib
import time

from mpirun_sides import Mpirun, Px, use
from report import Row, goal, median

PATIENCE_S, INTERRUPT_S = 20.0, 5.0
"""How long the next cell of ipyparallel has, and when the user of a cell that does not end presses Interrupt."""
RAISES = "if MPI.COMM_WORLD.rank == 1:\n    raise RuntimeError('on purpose')\nMPI.COMM_WORLD.Barrier()"
DIES = "if MPI.COMM_WORLD.rank == 1:\n    os.kill(os.getpid(), 9)\nMPI.COMM_WORLD.Barrier()"
AFTER = "from mpi4py import MPI\nimport os\nassert MPI.COMM_WORLD.allreduce(1) == MPI.COMM_WORLD.size"
FAILURES, SMALLEST = {"raises": RAISES, "is killed": DIES}, {"is killed": DIES}


def measure(place, effort):
    """Return the rows of the table."""
    launcher, ranks, failures = use(place, effort), effort.of(4, 4, 2), effort.of(FAILURES, FAILURES, SMALLEST)
    patience = effort.of((PATIENCE_S, INTERRUPT_S), (PATIENCE_S, INTERRUPT_S), (2.0, 1.0))
    ours = {what: _ours(code, ranks, effort.of(5, 2, 1)) for what, code in failures.items()}
    rows = []
    with Px.ready(ranks, launcher) as side:
        for what, code in failures.items():
            label = f"one of {ranks} {what}, the others wait"
            rows.append(Row(f"{label}: %%mpirun", median(ours[what]), "s", None, goal(5), "", ours[what]))
            seconds, words = _px(side, code, *patience)
            rows.append(Row(f"{label}: %%px", seconds, "s", None, None, words))
            by_hand, note = _replaced(side, ranks), "from the user's decision on"
            rows.append(Row(f"{label}: %%px, cluster stopped and started by hand", by_hand, "s", None, None, note))
    return rows


def _ours(code, ranks, rounds):
    with Mpirun.ready(ranks) as side:
        return [_failed(side, code) for _ in range(rounds)]


def _failed(side, code):
    side.run(AFTER)
    side.seconds("untouched = object()")
    seconds = side.run(code, ok=False) + side.run(AFTER)
    side.seconds("del untouched")
    return seconds


def _px(side, code, patience_s, interrupt_s):
    """Seconds until the next cell has run, or ``never``, and what the user saw."""
    began = time.monotonic()
    words = []
    try:
        side.run(code, ok=False, patience_s=interrupt_s)
        words.append("the cell ended with the error")
    except AssertionError:
        words.append(f"the cell still ran after {interrupt_s:g} s and was interrupted")
        side.manager.interrupt_kernel()
    while (left := began + patience_s - time.monotonic()) > 0:
        with contextlib.suppress(AssertionError):
            side.run(AFTER, patience_s=left)
            return time.monotonic() - began, ", ".join(words)
        time.sleep(0.1)  # the kernel drops what was sent before it has taken the interrupt in
    return "never", f"{', '.join(words)}, the next one had not run after {patience_s:g} s"


def _replaced(side, ranks):
    """Seconds for what is left to a user of ipyparallel: a new cluster."""
    side.manager.interrupt_kernel()
    for _ in range(100):
        with contextlib.suppress(AssertionError):
            side.seconds("pass", patience_s=5)
            break
        time.sleep(0.1)
    took = side.seconds("cluster.stop_cluster_sync()") + side.start(ranks)
    return took + side.run(AFTER)
