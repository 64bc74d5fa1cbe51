"""What the jobs of a launch have written, as one text that goes on when a new job begins."""

from __future__ import annotations

import codecs
import threading
from pathlib import Path

KEPT_BYTES = 65_536


class JobLog:
    """The log file of the present job behind what is kept of those before it.

    Offsets are in bytes and count over all jobs, so that a reader goes on where it was.
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
            raw = kept + self._from_file(max(offset, self._start), limit - len(kept))
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(raw)
        unfinished = len(decoder.getstate()[0])
        return text, offset + len(raw) - unfinished

    def _from_file(self, offset: int, limit: int) -> bytes:
        if self._file is None or limit <= 0:
            return b""
        try:
            with self._file.open("rb") as file:
                file.seek(offset - self._start)
                return file.read(limit)
        except OSError:
            return b""


def _end(path: Path) -> tuple[int, bytes]:
    """Return a file's size and its last bytes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = file.seek(max(0, size - KEPT_BYTES))
            return size, file.read(size - start)
    except OSError:
        return 0, b""
