"""How long a job lives on without a server, and whether another one has come that is to be dialled."""

from __future__ import annotations

import contextlib
import os
import time

from ..protocol import codec
from ..protocol.values import AgentFile, Link
from . import room

LOOK_S, SELDOM_S = 1.0, 5.0
FIRST_WORD_S = 60.0
"""For the server that has submitted the job to be heard, unless its kernel was kept on purpose."""


class Vigil:
    """Looks at the launch's file again, into which the next server writes where it listens.

    Parameters
    ----------
    path : str
        The launch's file.
    config : AgentFile
        What it said when the agent began.
    """

    def __init__(self, path: str, config: AgentFile) -> None:
        self._path, self._config = path, config
        self._busy_s, self._idle_s = config.orphan_seconds, config.orphan_idle_seconds
        self._began = self._last_look = self._idle_since = time.monotonic()
        self._busy = False
        self._known: object = None

    def link(self, *, alone: bool = False) -> Link:
        """Return where to dial, and the keys for that; it is looked up each second while the agent is ``alone``."""
        now = time.monotonic()
        if now - self._last_look >= (LOOK_S if alone else SELDOM_S):
            self._last_look = now
            self._read(alone=alone)
        return self._config.link

    def _read(self, *, alone: bool) -> None:
        # Opening a file has a network file system ask its server for it; a mere stat may be answered from memory.
        with contextlib.suppress(OSError, ValueError):  # removed with its directory, or not answered well
            found = os.stat(self._path)
            known = found.st_ino, found.st_mtime_ns
            if alone or known != self._known:
                self._config = codec.from_json(AgentFile, room.read_private(self._path))
                self._known = known

    def heard(self, *, busy: bool) -> None:
        """Note whether the kernel computes."""
        if self._busy and not busy:
            self._idle_since = time.monotonic()
        self._busy = busy

    def over(self, silent_s: float, *, heard: bool) -> str | None:
        """Return why the job is to end, None while it is not: nobody is there, or comes back.

        Parameters
        ----------
        silent_s : float
            Seconds since a server was last heard.
        heard : bool
            Whether one ever was.
        """
        now = time.monotonic()
        if not heard and now - self._began > FIRST_WORD_S and not self._config.kept:
            self._read(alone=True)
            if not self._config.kept:
                return f"the server that submitted this job was not there in {FIRST_WORD_S:g} s"
        patience = self._busy_s if self._busy else self._idle_s
        alone_s = silent_s if self._busy else min(silent_s, now - self._idle_since)
        return f"no server for {patience:g} s" if alone_s > patience else None
