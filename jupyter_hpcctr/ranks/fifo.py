"""What one rank prints on one descriptor, with the marks that keep it in order with what it says otherwise."""

from __future__ import annotations

import codecs
import collections
import contextlib
import fcntl
import os
import re

F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)  # named since Python 3.10
CAPACITY = 256 * 1024  # two a rank, of the 64 MiB that pipe-user-pages-soft gives a user
PIECE = 64 * 1024  # a buffer of CAPACITY would cost ten times what a short line does
READ_MOST = 4 * CAPACITY
_DIGITS = 8


class Fifo:
    """The reading end of a FIFO. ``pieces`` holds text, and an int for each mark, in order.

    A mark is a NUL, the rank's token, eight digits and a newline; nothing else that a program prints is
    taken for one.
    """

    def __init__(self, path: str, token: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # a user's pipes may have used up what pipe-user-pages-soft allows
            fcntl.fcntl(self.fd, F_SETPIPE_SZ, CAPACITY)
        self.pieces: collections.deque[str | int] = collections.deque()
        self.ended = False
        self._begin = b"\0" + token.encode()
        self._mark = re.compile(re.escape(self._begin) + b"([0-9]{%d})\n" % _DIGITS)
        self._length = len(self._begin) + _DIGITS + 1
        self._rest = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, most: int = READ_MOST) -> int:
        """Take what is there, at most ``most`` bytes; return how many bytes came."""
        taken = 0
        while taken < most and not self.ended:
            try:
                data = os.read(self.fd, PIECE)
            except BlockingIOError:
                break
            self.ended = not data
            taken += len(data)
            self._split(data)
            if len(data) < PIECE:  # that was all
                break
        return taken

    def _split(self, data: bytes) -> None:
        data = self._rest + data
        done = 0
        for mark in self._mark.finditer(data):
            self._text(data[done : mark.start()])
            self.pieces.append(int(mark[1]))
            done = mark.end()
        end = len(data) if self.ended else self._doubtful(data, done)
        self._text(data[done:end])
        self._rest = data[end:]

    def _doubtful(self, data: bytes, done: int) -> int:
        """Where a mark may begin that is not all there yet; the end for nowhere."""
        at = data.find(b"\0", max(done, len(data) - self._length + 1))
        while at >= 0 and not self._may_be_mark(data[at:]):
            at = data.find(b"\0", at + 1)
        return at if at >= 0 else len(data)

    def _may_be_mark(self, data: bytes) -> bool:
        begin, digits = data[: len(self._begin)], data[len(self._begin) :]
        return self._begin.startswith(begin) and not digits.strip(b"0123456789")

    def _text(self, data: bytes) -> None:
        if text := self._decoder.decode(data, final=self.ended):
            self.pieces.append(text)

    def close(self) -> None:
        """Hang up; the rank would get EPIPE."""
        os.close(self.fd)
