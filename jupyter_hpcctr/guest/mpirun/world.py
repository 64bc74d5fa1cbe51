"""What is said about the ranks as a whole: one line after their start, a table for ``%mpirun status``."""

from __future__ import annotations

from .labels import label, ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    World = dict[str, Any]

ROWS = 32


def summary(world: World) -> str:
    """Return ``4 ranks on n1 (0–1), n2 (2–3), Open MPI 4.1.4 by srun --mpi=pmix``."""
    number = world.get("ranks") or 0
    nodes = world.get("nodes") or []
    if len(nodes) == 1:
        where = f" on {nodes[0]['name']}"
    else:
        where = " on " + ", ".join(f"{node['name']} ({ranges(node['ranks'])})" for node in nodes) if nodes else ""
    mpi = world.get("mpi")
    if mpi:
        family, version = mpi.get("implementation") or "MPI", mpi.get("version") or ""
        how = f", {family} {version}".rstrip()
    else:
        how = ", without MPI"
    launcher = world.get("launcher")
    return f"{number} rank{'' if number == 1 else 's'}{where}{how}{f' by {launcher}' if launcher else ''}"


def started(world: World) -> list[str]:
    """Return what is to be known after a start: the summary, what the check found, what was reduced and why."""
    checked = world.get("checked") or {}
    return [summary(world), *(checked.get("lines") or []), *(world.get("reasons") or [])]


def table(world: World) -> str:
    """Return the whole state, in lines."""
    state = world.get("state", "none")
    slots = world.get("slots")
    room = f"there is room for {slots}" if slots else "the next cell that begins with %%mpirun starts them"
    if state == "none":
        return f"no ranks run; {room}"
    if state == "starting":
        return "the ranks are being started"
    lines = started(world)
    lines[0] += f"; {room}" if slots else ""
    if state == "broken":
        lines.append("the ranks are broken: the next cell that begins with %%mpirun starts new ones")
    return "\n".join([*lines, "", *_rows(world)])


def _rows(world: World) -> list[str]:
    processes = {int(rank): each for rank, each in (world.get("processes") or {}).items()}
    if not processes:
        return []
    if len(processes) <= ROWS:
        cells = [["rank", "node", "process", "state"]]
        for rank, each in sorted(processes.items()):
            cells.append([str(rank), str(each.get("node")), str(each.get("pid")), _state(each)])
        return _aligned(cells)
    cells = [["node", "ranks", "state"]]
    for node in world.get("nodes") or []:
        busy = [rank for rank in node["ranks"] if processes.get(rank, {}).get("busy")]
        state = "idle" if not busy else "busy" if len(busy) == len(node["ranks"]) else f"busy: {label(busy)}"
        cells.append([str(node["name"]), ranges(node["ranks"]), state])
    return _aligned(cells)


def _state(process: dict[str, Any]) -> str:
    return "busy" if process.get("busy") else "idle"


def _aligned(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[number]) for row in cells) for number in range(len(cells[0]))]
    return ["  ".join(cell.ljust(widths[number]) for number, cell in enumerate(row)).rstrip() for row in cells]
