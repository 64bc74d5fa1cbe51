"""From the wish for ranks to ranks: ``%mpirun start``, ipyparallel's Cluster, and a fresh mpiexec as the reference."""

import subprocess
import sys
import time

from mpirun_sides import Mpirun, Px, use
from report import Row, goal, median

SIZES, SMALLEST = (2, 4, 8), (2,)
MODULES = "import mpi4py.MPI, IPython.core.interactiveshell, zmq"


def measure(place, effort):
    """Return the rows of the table; one more round than counted goes before, to warm the caches for all."""
    rounds, sizes, warms = effort.of(5, 2, 1), effort.of(SIZES, SIZES, SMALLEST), effort.warms
    launcher = use(place, effort)
    rows = []
    for ranks in sizes:
        found = {"fresh": [], "ours": [], "px": []}
        for number in range(rounds + (warms if ranks == sizes[0] else 0)):
            took = {
                "fresh": _fresh(launcher, ranks),
                "ours": _started(Mpirun(), ranks),
                "px": _started(Px(launcher), ranks),
            }
            if number >= warms or ranks != sizes[0]:
                for name, seconds in took.items():
                    found[name].append(seconds)
        rows += _rows(ranks, found, launcher)
    return rows


def _rows(ranks, found, launcher):
    fresh, ours, px = (median(found[name]) for name in ("fresh", "ours", "px"))
    words = f"{launcher[0].rpartition('/')[2]} -n {ranks} python -c 'import …'"
    note = "its hub was started by %load_ext, a cell before"
    return [
        Row(f"{ranks} ranks: {words}: the reference", fresh, "s", 1.0, None, "", found["fresh"]),
        Row(f"{ranks} ranks: %mpirun start", ours, "s", ours / fresh, goal(1.3), note, found["ours"]),
        Row(f"{ranks} ranks: ipyparallel's Cluster", px, "s", px / fresh, None, "engines='mpi'", found["px"]),
        Row(f"{ranks} ranks: %mpirun start to ipyparallel's", ours, "s", ours / px, goal(0.3), "", found["ours"]),
    ]


def _fresh(launcher, ranks):
    """The same modules, MPI_Init and MPI_Finalize, and the launcher's end."""
    began = time.perf_counter()
    subprocess.run([*launcher, "-n", str(ranks), sys.executable, "-c", MODULES], check=True, timeout=180)
    return time.perf_counter() - began


def _started(side, ranks):
    try:
        took = side.start(ranks)
    except BaseException:
        side.stop()
        raise
    side.leave()
    return took
