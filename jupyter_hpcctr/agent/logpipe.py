"""Where the job's programs print: a pipe, from which a program of its own writes the job's log.

That program meets a full disk in place of those that print. A disk that hangs holds up what prints more than a
pipe holds, as it would without us, but never the agent.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable

from . import logfile, unpacked
from .children import Child

TURN_S = 1.0
END_S = 2.0
_TROUBLE = (
    "[The job's log cannot be written: {}. Cells are not held up by that. "
    "Of what programs print, the log keeps the newest that it has room for.]\n"
)


class LogPipe:
    """The pipe and the program behind it (``logfile``); it is started again when it has ended.

    ``output`` is what programs print into.

    Parameters
    ----------
    path : str
        The log's file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._reading, self.output = os.pipe()
        self._news, self._news_end = os.pipe()
        self._life_end, self._life = os.pipe()
        os.set_blocking(self._news, False)
        self._writer: Child | None = None
        self._next = 0.0

    def turn(self, tell: Callable[[str], None]) -> None:
        """Start the program where there is none, and tell of trouble with the disk; once a second is enough."""
        if (now := time.monotonic()) < self._next:
            return
        self._next = now + TURN_S
        if self._writer is None or self._writer.code is not None:
            self._start()
        if trouble := self._trouble():
            tell(_TROUBLE.format(trouble))

    def _start(self) -> None:
        fds = (self._reading, self._life_end, self._news_end)
        words = (sys.executable, "-I", "-S", _script(), self._path, *map(str, fds))
        with contextlib.suppress(OSError):  # no more processes: later, perhaps
            self._writer = Child(words, env=os.environ, cwd="/", fds=fds)

    def _trouble(self) -> str:
        try:
            lines = os.read(self._news, 65_536).splitlines()
        except BlockingIOError:
            return ""
        return str(json.loads(lines[-1])["trouble"])

    def close(self) -> None:
        """Let it write what is there, and end; two seconds at most, for the disk may be stuck."""
        os.close(self._life)
        if self._writer is not None and not self._writer.ended(patience_s=END_S):
            self._writer.signal(signal.SIGKILL)


def _script() -> str:
    """Return the path of the program, which lies beside the archive where this runs from one."""
    archive = unpacked.archive()
    return f"{os.path.dirname(archive)}/agent/logfile.py" if archive else logfile.__file__
