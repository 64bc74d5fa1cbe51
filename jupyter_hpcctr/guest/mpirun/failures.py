"""How an exception of a cell is told to the notebook: name, text, and a traceback of the user's own frames."""

from __future__ import annotations

import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any

    Failure = dict[str, Any]
    """``ename``, ``evalue``, ``traceback`` (lines with ANSI colours), as in Jupyter's messages."""

FIRST, LAST = 20, 20
"""Of a traceback of very many frames, how many are shown."""
TEXT_MOST, LINES_MOST = 10_000, 100_000
"""Characters of a text or of an entry of a traceback, and of all its entries."""
_COLOUR_BEGUN = re.compile(r"\x1b\[?[\d;]*\Z")
_COLOUR_ENDED = re.compile(r"\[?[\d;]*m")
_NO_COLOUR = "\x1b[0m"


def failure(error: BaseException, lines: list[str]) -> Failure:
    """Return an exception with the lines that show it."""
    return {"ename": type(error).__name__, "evalue": text(error), "traceback": lines}


def plain(error: BaseException, cells: Mapping[str, int]) -> Failure:
    """Describe an exception without IPython's help, from the first frame of a cell on."""
    import traceback

    try:
        lines = traceback.format_exception(type(error), error, from_cell(error.__traceback__, cells))
    except Exception as another:  # a __str__ of the user's that raises
        lines = [f"{type(error).__name__} (and {type(another).__name__} when it was to be shown)"]
    return failure(error, [line.rstrip("\n") for line in lines])


def from_cell(trace: TracebackType | None, cells: Mapping[str, int]) -> TracebackType | None:
    """Return the traceback from the first frame of a cell on; the whole where there is none."""
    each = trace
    while each is not None:
        if each.tb_frame.f_code.co_filename in cells:
            return each
        each = each.tb_next
    return trace


def in_cell(trace: TracebackType | None, cells: Mapping[str, int]) -> bool:
    """Whether the traceback begins in a cell."""
    return trace is not None and trace.tb_frame.f_code.co_filename in cells


def shorten(error: BaseException) -> int:
    """Take the middle out of a very long traceback, whose formatting takes seconds; return how many frames."""
    frames = []
    each = error.__traceback__
    while each is not None:
        frames.append(each)
        each = each.tb_next
    if len(frames) <= FIRST + LAST:
        return 0
    frames[FIRST - 1].tb_next = frames[-LAST]
    return len(frames) - FIRST - LAST


def cut(text: str, most: int = TEXT_MOST) -> str:
    """Return the text, with a note in the place of its middle where it is much longer than ``most``."""
    if len(text) <= most:
        return text
    first, last = most * 3 // 4, most // 4
    head, tail = text[:first], text[-last:]
    plain = _NO_COLOUR if "\x1b" in text else ""
    if _COLOUR_BEGUN.search(text[-last - 20 : -last]):
        tail = _COLOUR_ENDED.sub("", tail, count=1) if _COLOUR_ENDED.match(tail) else tail
    left_out = len(text) - first - last
    return f"{_COLOUR_BEGUN.sub('', head)}{plain} … {left_out:,} characters are left out … {tail}{plain}"


def bounded(failure: Failure) -> Failure:
    """Return a failure that a notebook can hold, whatever the exception says."""
    lines = [cut(line) for line in failure["traceback"]]
    head, tail = _fitting(lines), _fitting(lines[::-1])[::-1]
    middle = lines[len(head) : len(lines) - len(tail)]
    if middle:
        left_out = sum(map(len, middle))
        lines = [*head, f"… {len(middle)} entries with {left_out:,} characters are left out …", *tail]
    return {"ename": cut(failure["ename"]), "evalue": cut(failure["evalue"]), "traceback": lines}


def _fitting(lines: list[str]) -> list[str]:
    """Return the first lines that are half of what may be."""
    fitting, left = [], LINES_MOST // 2
    for line in lines:
        left -= len(line)
        if left < 0:
            break
        fitting.append(line)
    return fitting


def without_ours(error: BaseException) -> None:
    """Take our frames off the end of a traceback: the user's line is what asked for what we refuse."""
    directory = os.path.dirname(os.path.abspath(__file__)) + os.sep
    each = error.__traceback__
    while each is not None and each.tb_next is not None:
        if each.tb_next.tb_frame.f_code.co_filename.startswith(directory):
            each.tb_next = None
        each = each.tb_next


def text(error: BaseException) -> str:
    """Return what the exception says, whatever its class does when it is asked."""
    try:
        return str(error)
    except Exception as another:
        return f"({type(another).__name__} when it was asked for its text)"


def exit_text(error: SystemExit) -> str:
    """Say what sys.exit does in a cell. What becomes of its rank is the hub's to say: others may be stuck in MPI."""
    code = error.code
    called = "sys.exit()" if code is None else f"sys.exit({code!r})"
    status = code & 0xFF if isinstance(code, int) else int(code is not None)
    return f"{called} was called: it ends the cell here, as it would end a program, with status {status}"


def is_group(error: BaseException) -> bool:
    """Whether IPython would print it rather than hand over its lines."""
    kind = getattr(__import__("builtins"), "BaseExceptionGroup", None)  # since Python 3.11
    seen: BaseException | None = error
    while kind is not None and seen is not None:
        if isinstance(seen, kind):
            return True
        seen = seen.__context__
    return False


def current() -> BaseException | None:
    """Return the exception that is being handled."""
    return sys.exc_info()[1]
