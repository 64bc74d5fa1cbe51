"""What is said about the ranks as a whole: one line after their start, tables for ``%mpirun status`` and ``panel``."""

from __future__ import annotations

import html

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


def page(world: World) -> str:
    """Return the state of the ranks as HTML: a sentence, and a table of ranks, or of nodes where they are many."""
    state = world.get("state", "none")
    if state == "none":
        return "<p>No ranks run. Start starts them, and so does the first cell that begins with %%mpirun.</p>"
    if state == "starting":
        return "<p>The ranks are being started.</p>"
    slots = world.get("slots")
    lines = [html.escape(line) for line in started(world)]
    lines[0] = f"<b>{lines[0]}</b>" + (f"; there is room for {slots}" if slots else "")
    if state == "broken":
        lines.append("The ranks are broken: the next cell that begins with %%mpirun starts new ones.")
    return f"<p>{'<br>'.join(lines)}</p>{_html_table(world)}"


def _html_table(world: World) -> str:
    processes = {int(rank): each for rank, each in (world.get("processes") or {}).items()}
    places = {rank: str(node["name"]) for node in world.get("nodes") or [] for rank in node["ranks"]}
    if int(world.get("ranks") or 0) <= ROWS:
        head = ("Rank", "Node", "Process", "State")
        rows = [
            (str(rank), places.get(rank, ""), str(processes.get(rank, {}).get("pid", "")), _doing([rank], processes))
            for rank in range(int(world.get("ranks") or 0))
        ]
    else:
        head = ("Node", "Ranks", "Processes", "State")
        rows = [
            (str(node["name"]), ranges(node["ranks"]), str(len(node["ranks"])), _doing(node["ranks"], processes))
            for node in world.get("nodes") or []
        ]
    cells = "".join(f"<th scope='col' style='text-align:left;padding-right:1.5em'>{each}</th>" for each in head)
    body = "".join(
        "<tr>" + "".join(f"<td style='padding-right:1.5em'>{html.escape(each)}</td>" for each in row) + "</tr>"
        for row in rows
    )
    return f"<table aria-label='Ranks'><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _doing(ranks: list[int], processes: dict[int, Any]) -> str:
    """Say in words what ranks of one row do."""
    ended = [rank for rank in ranks if rank not in processes]
    busy = [rank for rank in ranks if processes.get(rank, {}).get("busy")]
    idle = [rank for rank in ranks if rank not in ended and rank not in busy]
    words = (("ended", ended), ("busy in the running cell", busy), ("idle", idle))
    there = [(word, group) for word, group in words if group]
    if len(there) == 1:
        return there[0][0]
    return "; ".join(f"{label(group)}: {word}" for word, group in there)
