"""Runs a notebook by nbclient and tells it as text: cells, outputs, and when the kernel was where. Part of demo.py."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

MEANING = {
    "submitted": "the scheduler has taken the job",
    "queued": "it has waited, and the scheduler has started it",
    "node up": "its agent has called back",
    "image ready": "the container runs",
    "kernel ready": "the kernel in it answers",
}


def play(source: Path, target: Path, kernel: str) -> str:
    """Execute a notebook in the directory of ``target``, print each cell, and save it there with its outputs.

    Returns
    -------
    str
        The phases of the launch, as a table.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell failed; the cells before it are printed.
    """
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
    began = time.monotonic()
    first: dict[str, Any] = {}

    async def executed(cell: Any, cell_index: int, execute_reply: Any) -> None:
        if not first:
            first.update(await client.km.provisioner.get_provisioner_info(), seconds=time.monotonic() - began)
        print(f"\n{as_text(cell, target)}", flush=True)

    resources = {"metadata": {"path": str(target.parent)}}
    client = NotebookClient(notebook, timeout=300, kernel_name=kernel, resources=resources, on_cell_executed=executed)
    try:
        client.execute()
    finally:
        nbformat.write(notebook, target)
    print(flush=True)
    return table(first)


def as_text(cell: Any, saved: Path) -> str:
    """Return an executed cell as a terminal shows it; of a picture, where it is saved."""
    mark = f"In [{cell.execution_count}]: "
    lines = cell.source.splitlines()
    told = [(mark if n == 0 else " " * len(mark)) + line for n, line in enumerate(lines)]
    for output in cell.outputs:
        if output.output_type == "stream":
            told += output.text.splitlines()
        elif output.output_type == "error":
            told += [f"{output.ename}: {output.evalue}"]
        else:
            told += output.data.get("text/plain", "").splitlines()
            told += [f"[a picture, to be seen in {saved}]"] * has_picture(output.data)
    return "\n".join(told)


def has_picture(data: dict[str, Any]) -> bool:
    """Return whether an output has a picture, of the notebook's own or of ranks."""
    return any(mime.startswith("image/") for mime in data) or "data:image/" in data.get("text/html", "")


def table(info: dict[str, Any]) -> str:
    """Return the seconds from the start of the launch to each phase, and of each phase alone."""
    phases = dict(sorted({**info["phases"], "first cell done": info["seconds"]}.items(), key=lambda each: each[1]))
    lines, before = [f"Slurm job {info['job']}, in seconds:", f"  {'phase':<16}{'at':>7}{'took':>7}"], 0.0
    for name, at in phases.items():
        lines.append(f"  {name:<16}{at:7.2f}{at - before:7.2f}")
        before = at
    return "\n".join((*lines, *(f"{name}: {MEANING[name]}" for name in phases if name in MEANING)))
