"""What one rank prints on one descriptor, with the marks that keep it in order with what it says otherwise."""

from __future__ import annotations

import codecs
import collections
import contextlib
import fcntl
import os

F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)  # named since Python 3.10
CAPACITY = 1024 * 1024
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
        self._length = len(self._begin) + _DIGITS + 1
        self._rest = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, most: int = READ_MOST) -> int:
        """Take what is there, at most ``most`` bytes; return how many bytes came."""
        taken = 0
        while taken < most and not self.ended:
            try:
                data = os.read(self.fd, CAPACITY)
            except BlockingIOError:
                break
            self.ended = not data
            taken += len(data)
            self._split(data)
        return taken

    def _split(self, data: bytes) -> None:
        data = self._rest + data
        self._rest = b""
        while (at := data.find(self._begin)) >= 0 and len(data) >= at + self._length:
            self._text(data[:at])
            self.pieces.append(int(data[at + len(self._begin) : at + self._length - 1]))
            data = data[at + self._length :]
        if at < 0:
            at = self._doubtful(data)
        if at >= 0 and not self.ended:
            data, self._rest = data[:at], data[at:]
        self._text(data)

    def _doubtful(self, data: bytes) -> int:
        """Where a mark may begin that is not all there yet; -1 for nowhere."""
        at = data.find(b"\0", max(0, len(data) - len(self._begin)))
        while at >= 0 and not self._begin.startswith(data[at:]):
            at = data.find(b"\0", at + 1)
        return at

    def _text(self, data: bytes) -> None:
        if text := self._decoder.decode(data, final=self.ended):
            self.pieces.append(text)

    def close(self) -> None:
        """Hang up; the rank would get EPIPE."""
        os.close(self.fd)
