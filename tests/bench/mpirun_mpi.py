"""MPI between two ranks: on the host, joined in one container as ``%%mpirun`` has them, and each in one of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from mpirun_sides import use
from place import by_hand, unpacked
from report import Row, goal, median
from support.images import build, image_cache

HERE = Path(__file__).resolve().parent
IMAGES = {"openmpi": "python-mpi", "mpich": "python-mpich"}
LIMIT_S = 40
UNITS = {"latency": "µs", "bandwidth": "GB/s", "allreduce": "µs"}
JOINED, APART, BY_COPY = "joined", "containers of their own", "containers of their own, single copy switched off"
# The image's settings, for the host as well: no libraries for networks that are not here.
SETTINGS = {
    "OMPI_MCA_pml": "^ucx",
    "OMPI_MCA_mtl": "^ofi",
    "OMPI_MCA_btl": "^uct,openib,ofi",
    "OMPI_MCA_osc": "^ucx,pt2pt",
}
NO_SINGLE_COPY = {"OMPI_MCA_btl_vader_single_copy_mechanism": "none", "MPIR_CVAR_CH4_CMA_ENABLE": "0"}


def measure(place, effort):
    """Return the rows of the table. A way that hangs once is not tried again."""
    launcher = use(place, effort)
    os.environ.update(SETTINGS)
    cache = image_cache()
    name = IMAGES[place["mpi"]]
    [digest] = build(cache, name).values()
    root = unpacked(cache, digest, name)
    program = shutil.copy(HERE / "mpirun_osu.py", place["directory"])
    with _holder(root) as pid:
        inside = ("python3", program)
        ways = {
            "native": ((sys.executable, program), {}),
            JOINED: (("ch-run", f"--join-pid={pid}", str(root), "--", *inside), {}),
            APART: (("ch-run", str(root), "--", *inside), {}),
            BY_COPY: (("ch-run", str(root), "--", *inside), NO_SINGLE_COPY),
        }
        found = {way: {} for way in ways}
        asked = effort.of(5, 2, 1) * effort.of([[each] for each in UNITS], [[each] for each in UNITS], [["--smallest"]])
        for wanted in asked:
            for way, (words, settings) in ways.items():
                hung = {each for (each, _), values in found[way].items() if values is None}
                if not hung & set(wanted):
                    _run([*launcher, "-n", "2", *words, *wanted], settings, found[way])
    return _rows(found)


@contextmanager
def _holder(root):
    """Yield the process that ranks join: it has the container's namespaces, and waits."""
    holder = subprocess.Popen(["ch-run", str(root), "--", "sleep", "3600"], env=by_hand())
    try:
        until = time.monotonic() + 30
        while Path(f"/proc/{holder.pid}/comm").read_text() != "sleep\n":
            assert holder.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


def _run(words, settings, found):
    """Add the values by what and size; None for the one that did not end."""
    env = {**by_hand(), **settings}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True)
    try:
        printed, _ = process.communicate(timeout=LIMIT_S)
        hung = False
        assert process.returncode == 0, (words, printed)
    except subprocess.TimeoutExpired:
        hung = True
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
    last = {}
    for line in printed.splitlines():
        last = json.loads(line)
        if "value" in last:
            found.setdefault((last["what"], last["bytes"]), []).append(last["value"])
    if hung:
        found[last["begun"], last["bytes"]] = None


def _rows(found):
    rows = []
    for what, size in found["native"]:
        limit = median(found["native"][what, size])
        label = f"{what}, {_short(size)}"
        for way, values in found.items():
            each = values.get((what, size), [])
            if each is None:
                rows.append(Row(f"{label}: {way}", "hung", "", note=f"ended after {LIMIT_S} s"))
            elif each:
                mark = goal(0.95 if (what, way) == ("bandwidth", JOINED) else None, at_least=True)
                rows.append(Row(f"{label}: {way}", median(each), UNITS[what], median(each) / limit, mark, "", each))
            else:
                rows.append(Row(f"{label}: {way}", "not reached", "", note="it hung before"))
    return rows


def _short(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB" if size >= 1024 else f"{size} B"
