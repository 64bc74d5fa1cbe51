"""Waiting for what real processes do, and looking at them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 60.0


def until(condition: Callable[[], object], what: object, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until a condition holds.

    Parameters
    ----------
    condition : callable
        Asked again and again.
    what : object
        What to say where it never holds; a callable is asked then.
    patience_s : float
        Seconds to wait.

    Raises
    ------
    AssertionError
        It does not hold in time.
    """
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(what() if callable(what) else what)
        time.sleep(0.02)


def content(path: Path, *, patience_s: float = PATIENCE_S) -> str:
    """Wait for a file with something in it, and return its text."""
    until(lambda: path.exists() and path.stat().st_size, f"{path} does not come", patience_s=patience_s)
    return path.read_text(encoding="utf-8")


def is_running(pid: int) -> bool:
    """Return whether a process is there that has not ended."""
    return stat_field(pid, 0) not in ("", "Z", "X")


def stat_field(pid: int, number: int) -> str:
    """Return a field of /proc/pid/stat behind the name (proc(5)): state, parent, group, session; "" without process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[number]
    except (FileNotFoundError, ProcessLookupError):
        return ""
