"""Resident memory that a kernel costs besides the kernel itself: agent, container, server."""

import os
from pathlib import Path

from place import Ours, end
from report import Row, goal, median

MB = 1_000_000


def measure(place, effort):
    """Return the rows of the table, for kernels that have run a cell."""
    number = effort.of(4, 2, 1)
    request = {"image": place["image"], "engine": "charliecloud", "scheduler": "slurm"}
    kernels = [_started(request)]
    try:
        first = resident(os.getpid())
        for _ in range(number):
            kernels.append(_started(request))
        server = (resident(os.getpid()) - first) / number
        parts = [_parts(kernel) for kernel in kernels]
    finally:
        for kernel in kernels:
            kernel.stop()
        end()
    agent, container = (median(each[name]["Rss"] for each in parts) for name in ("agent", "container"))
    own, shared = (median(each[name]["Pss"] for each in parts) for name in ("agent", "container"))
    return [
        Row("agent", agent, "MB", note=f"{own:.0f} MB of it by share (PSS)"),
        Row("server, for each further kernel (front)", server, "MB", note=f"mean of {number}"),
        Row("agent and front", agent + server, "MB", None, goal(120)),
        Row("holder and its ch-run, which serves the image", container, "MB", note=f"{shared:.0f} MB by share (PSS)"),
        Row("all of these", agent + server + container, "MB", None, goal(120)),
    ]


def resident(pid):
    return _memory(pid)["Rss"]


def _started(request):
    kernel = Ours(**request)
    kernel.first_result()
    return kernel


def _parts(kernel):
    """The processes of a kernel's job: agent, and what its holder needs; the kernel itself is the user's."""
    run_dir = kernel.manager.provisioner.launch.plan.run_dir
    holder = int(Path(run_dir, "kernel/holder.pid").read_text())
    agent = int(os.readlink(f"{run_dir}/agent"))
    found = {"agent": _memory(agent), "container": {"Rss": 0, "Pss": 0}}
    pid = holder
    while pid not in (agent, 1):
        for name, value in _memory(pid).items():
            found["container"][name] += value
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def _memory(pid):
    """Rss and Pss in MB (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    rows = {words[0].rstrip(":"): int(words[1]) * 1024 / MB for line in lines if len(words := line.split()) > 1}
    return {"Rss": rows["Rss"], "Pss": rows["Pss"]}
