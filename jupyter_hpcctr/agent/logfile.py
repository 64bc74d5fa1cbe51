"""A job's log with a bound: its first and its last megabyte, and how much is missing between them.

Run beside the agent as ``logfile.py LOG OUTPUT LIFE NEWS``, the last three being open file descriptors. The job's
programs print into the pipe OUTPUT, so that a full disk is met here and never by them. It ends when the agent
closes LIFE or has ended. What is wrong with the disk it writes to NEWS, a line of JSON each time.

Standard library alone: it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import select
import signal
import sys
import time
from collections.abc import Sequence

HEAD = TAIL = 1_000_000
"""Bytes that are kept at least, of the log's beginning and of its end. The file has up to HEAD + 2 * TAIL."""
RETRY_S = 1.0
LAST_READS = 16
WORTH = 8192  # bytes of a file that is written over when the disk is full
LINE = 4096  # within which a line's end is looked for
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_GAP = "\n[{:15d} bytes are missing here: this log keeps its beginning and its end]\n"
_FOUND = re.compile(rb"\n\[([ \d]{15}) bytes are missing here: this log keeps its beginning and its end\]\n")
GAP_BYTES = len(_GAP.format(0))


def gap(text: bytes) -> tuple[int, int] | None:
    """Return where in a log something is missing, and how many bytes; None where it is whole."""
    found = _FOUND.search(text)
    return None if found is None else (found.start(), int(found[1]))


class LogFile:
    """The log, to which others append too: a scheduler has its own words.

    Output waits in memory, ``tail`` bytes at most, until ``flush`` has written it.

    Parameters
    ----------
    path : str
        A file that is there; it is kept open, so that it may be removed.
    head, tail : int
        Bytes that are kept of its beginning and of its end.
    """

    def __init__(self, path: str, *, head: int = HEAD, tail: int = TAIL) -> None:
        self._path, self._head, self._tail = path, head, tail
        self._adding = self._changing = -1
        self._gap: int | None = None
        self._waiting = bytearray()
        self._dropped = 0
        self.missing = 0
        self.trouble = ""

    @property
    def waiting(self) -> bool:
        """Whether there is something to flush."""
        return bool(self._waiting)

    def add(self, text: bytes) -> None:
        """Take output; the oldest that waits is dropped when there is too much."""
        self._waiting += text
        if (over := len(self._waiting) - self._tail) > 0:
            del self._waiting[:over]
            self._dropped += over

    def flush(self, *, thorough: bool = True) -> bool:
        """Write what waits, as far as the disk lets us; ``trouble`` says what it refused.

        Returns
        -------
        bool
            Whether that was cheap: nothing but an append. Without ``thorough`` nothing else is tried.
        """
        try:
            size = self._size()
            if not self._dropped and size + len(self._waiting) <= self._most:
                self._extend()
                self.trouble = ""
                return True
            if thorough:
                self._shorten(size, in_place=False)
                self.trouble = ""
        except OSError as error:
            self.trouble = error.strerror or str(error)
            if error.errno in _FULL and thorough:
                with contextlib.suppress(OSError):
                    self._reuse()
        return False

    @property
    def _most(self) -> int:
        return (self._head if self._gap is None else self._gap) + 2 * self._tail

    def _size(self) -> int:
        if self._adding < 0:
            self._adding = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        if self._changing < 0:
            self._changing = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            found = gap(os.pread(self._changing, self._head + GAP_BYTES, 0))  # another one was here before
            self._gap, self.missing = (None, 0) if found is None else found
        size = os.fstat(self._changing).st_size
        if self._gap is not None and size < self._gap + GAP_BYTES:  # somebody has emptied it
            self._gap, self.missing = None, 0
        return size

    def _extend(self) -> None:
        while self._waiting:
            del self._waiting[: os.write(self._adding, bytes(self._waiting[:65_536]))]

    def _reuse(self) -> None:
        """The disk is full: put the newest in the place of what the file has in its second half."""
        if (size := self._size()) >= WORTH:
            self._shorten(size, in_place=True)

    def _shorten(self, size: int, *, in_place: bool) -> None:
        at = self._gap if self._gap is not None else self._cut(min(size // 2 if in_place else size, self._head))
        first = at if self._gap is None else at + GAP_BYTES
        room = min(self._tail, size - at - GAP_BYTES) if in_place else self._tail
        if room <= 0:
            return
        kept = bytes(self._waiting[-room:])
        if len(kept) < room and not self._dropped:
            begin = max(first, size - (room - len(kept)))
            kept = os.pread(self._changing, max(0, size - begin), begin) + kept
        kept = kept[kept.find(b"\n", 0, LINE) + 1 :]
        missing = self.missing + max(0, size - first) + self._dropped + len(self._waiting) - len(kept)
        _put(self._changing, _GAP.format(missing).encode() + kept, at)
        os.ftruncate(self._changing, at + GAP_BYTES + len(kept))
        self._gap, self.missing, self._dropped = at, missing, 0
        self._waiting.clear()

    def _cut(self, at: int) -> int:
        """Return the beginning of the line in which an offset is."""
        begin = max(0, at - LINE)
        line = os.pread(self._changing, at - begin, begin).rfind(b"\n")
        return at if line < 0 else begin + line + 1


def _put(fd: int, text: bytes, at: int) -> None:
    left = memoryview(text)
    while left:
        written = os.pwrite(fd, left, at)
        at, left = at + written, left[written:]


class Writer:
    """Reads the pipe, and writes the log."""

    def __init__(self, log: LogFile, output: int, life: int, news: int) -> None:
        self._log, self._output, self._life, self._news = log, output, life, news
        self._told, self._due = "", 0.0
        for fd in (output, news):
            os.set_blocking(fd, False)
        self._ready = select.poll()
        for fd in (output, life):
            self._ready.register(fd, select.POLLIN)

    def run(self) -> None:
        """Work until the agent has ended, and write what is there by then."""
        while not self._over():
            self._read()
            self._flush()
        for _ in range(LAST_READS):  # what is left of the job may print for ever
            if not self._read():
                break
        self._log.flush()

    def _over(self) -> bool:
        left_s = max(0.0, self._due - time.monotonic())
        events = self._ready.poll(left_s * 1000 + 1 if self._log.waiting else None)
        return any(fd == self._life for fd, _ in events)

    def _read(self) -> bool:
        try:
            text = os.read(self._output, 1_048_576)
        except BlockingIOError:
            return False
        self._log.add(text)
        return bool(text)

    def _flush(self) -> None:
        if not self._log.waiting:
            return
        thorough = time.monotonic() >= self._due
        if (thorough or not self._log.trouble) and not self._log.flush(thorough=thorough) and thorough:
            self._due = time.monotonic() + RETRY_S
        self._tell()

    def _tell(self) -> None:
        if self._log.trouble != self._told:
            self._told = self._log.trouble
            with contextlib.suppress(OSError):
                os.write(self._news, json.dumps({"trouble": self._told}).encode() + b"\n")


def main(argv: Sequence[str]) -> None:
    """Write the log until the agent has ended; signals that end a job are for the agent."""
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    Writer(LogFile(argv[1]), *map(int, argv[2:])).run()


if __name__ == "__main__":
    main(sys.argv)
