"""What the jobs of a launch have written, as one text that goes on when a new job begins."""

from __future__ import annotations

import codecs
import threading
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..agent import logfile

KEPT_BYTES = 65_536
_GAP = "\n[{} bytes are missing here: the log keeps its beginning and its end]\n"
_TRIES = 5


class JobLog:
    """The log file of the present job behind what is kept of those before it.

    Offsets are in bytes and count over all jobs, so that a reader goes on where it was. They also count what a long
    log has left out (``agent.logfile``); there a reader gets a line that says how much.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._start = 0  # of the present file; what is kept ends there
        self._file: Path | None = None
        self._lock = threading.Lock()

    def begin(self, file: Path) -> None:
        """A new job writes into this file; the end of the one before is kept. Blocking."""
        with self._lock:
            self._keep()
            self._file = file

    def keep(self, file: Path) -> None:
        """A job's file is about to be removed: keep its end. Blocking."""
        with self._lock:
            if self._file == file:
                self._keep()

    def _keep(self) -> None:
        if self._file is not None:
            size, end = _end(self._file)
            self._kept = (self._kept + end)[-KEPT_BYTES:]
            self._start += size
            self._file = None

    def read(self, offset: int, limit: int) -> tuple[str, int]:
        """Return text from an offset, or from the first that is kept, and the offset to go on from. Blocking.

        A character that is not written whole is left for the next time.
        """
        with self._lock:
            first = self._start - len(self._kept)
            offset = max(offset, first)
            kept = self._kept[offset - first :][:limit]
            piece = self._from_file(max(offset, self._start), limit - len(kept))
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(kept + piece.before, final=bool(piece.note)) + piece.note + decoder.decode(piece.after)
        unfinished = len(decoder.getstate()[0])
        return text, offset + len(kept) + len(piece.before) + piece.skipped + len(piece.after) - unfinished

    def _from_file(self, offset: int, limit: int) -> _Piece:
        if self._file is None or limit <= 0:
            return _Piece(b"")
        try:
            with self._file.open("rb") as file:
                return _piece(file, offset - self._start, limit)
        except OSError:
            return _Piece(b"")


class _Piece(NamedTuple):
    """Text of a log, and a note where bytes are missing in it."""

    before: bytes
    note: str = ""
    skipped: int = 0
    after: bytes = b""


def _piece(file: BinaryIO, offset: int, limit: int) -> _Piece:
    found = _gap(file)
    for _ in range(_TRIES):
        piece = _read(file, offset, limit, found)
        now = _gap(file)
        if now == found:
            break
        found = now  # it was shortened while it was read
    return piece


def _read(file: BinaryIO, offset: int, limit: int, found: tuple[int, int] | None) -> _Piece:
    file.seek(offset)
    if found is None:
        return _Piece(file.read(limit))
    at, missing = found
    before = file.read(max(0, min(limit, at - offset)))
    if len(before) == limit:
        return _Piece(before)
    skipped = max(0, at + missing - offset - len(before))
    file.seek(offset + len(before) + skipped - missing + logfile.GAP_BYTES)
    return _Piece(before, _GAP.format(skipped) if skipped else "", skipped, file.read(limit - len(before)))


def _gap(file: BinaryIO) -> tuple[int, int] | None:
    file.seek(0)
    return logfile.gap(file.read(logfile.HEAD + logfile.GAP_BYTES))


def _end(path: Path) -> tuple[int, bytes]:
    """Return how long a log was, and its last bytes."""
    try:
        with path.open("rb") as file:
            found = _gap(file)
            size = file.seek(0, 2)
            start = file.seek(max(0, size - KEPT_BYTES))
            return size + (found[1] - logfile.GAP_BYTES if found else 0), file.read(size - start)
    except OSError:
        return 0, b""
