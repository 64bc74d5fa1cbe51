"""Where the main thread of a rank stands, in the lines that its user has written."""

from __future__ import annotations

import linecache
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType
    from typing import Any

FIRST, LAST = 6, 14
"""Of a deep recursion, as many frames from the cell on, and as many from where it stands."""


def where(thread: int, cells: Mapping[str, int]) -> list[str]:
    """Return a line for each frame of a thread from the user's cell on, the cell's first.

    Parameters
    ----------
    thread
        Its identifier (``threading.get_ident``).
    cells
        The cells' numbers by the names of their code.

    Returns
    -------
    list of str
        Empty where no frame of the user's is on the stack.
    """
    frames: list[FrameType] = []
    frame = sys._current_frames().get(thread)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    first = next((n for n, each in enumerate(frames) if each.f_code.co_filename in cells), len(frames))
    return shortened([line(each, cells) for each in frames[first:] if not _is_ours(each)])


def waiting(tasks: Any, cells: Mapping[str, int]) -> list[str]:
    """Return where the tasks of an event loop wait that run code of cells; for a cell that awaits."""
    lines: list[str] = []
    for task in tasks:
        awaited = task.get_coro()
        while awaited is not None:
            frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
            if frame is not None and frame.f_code.co_filename in cells:
                lines.append(f"{line(frame, cells)} (awaits)")
            awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return shortened(lines)


def line(frame: FrameType, cells: Mapping[str, int]) -> str:
    """Return one line: "cell 7, line 3, in exchange: comm.Barrier()"."""
    code, number = frame.f_code, frame.f_lineno or 0
    cell = cells.get(code.co_filename)
    place = code.co_filename if cell is None else f"cell {cell}"
    inside = "" if code.co_name.startswith(("<module>", "<cell line")) else f", in {code.co_name}"
    text = linecache.getline(code.co_filename, number).strip()
    return f"{place}, line {number}{inside}" + (f": {text}" if text else "")


def shortened(lines: list[str]) -> list[str]:
    """Return the lines without the middle of a long list."""
    if len(lines) <= FIRST + LAST + 1:
        return lines
    return [*lines[:FIRST], f"… {len(lines) - FIRST - LAST} calls more …", *lines[-LAST:]]


def _is_ours(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    shell = sys.modules.get("IPython")
    ipython = os.path.dirname(getattr(shell, "__file__", None) or "/none/")
    return file.startswith((f"{ipython}/", f"{os.path.dirname(os.path.abspath(__file__))}/"))
