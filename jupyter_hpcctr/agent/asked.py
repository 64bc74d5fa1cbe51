"""Which cells the kernel was asked to run: a server that goes on for another sends again what it does not know."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ..guest import wire

AGAIN = b"again"
"""The channel of requests that may have been sent before."""
MOST = 10_000


class Asked:
    """The execute requests that the kernel has got, the last ``MOST``.

    They are known by their whole header, which has the time: ids are not unique with all clients, some of which begin
    to count again.
    """

    def __init__(self) -> None:
        self._known: dict[int, None] = {}

    def way(self, channel: bytes, frames: Sequence[bytes]) -> str | None:
        """Return the kernel's channel for a client's message; None where the kernel has got it before."""
        if channel not in (b"shell", AGAIN):
            return channel.decode()
        known = self.note(frames)
        return None if known and channel == AGAIN else "shell"

    def note(self, frames: Sequence[bytes]) -> bool:
        """Note a message that the kernel is to get, where it is an execute request; return whether that was known."""
        header = _header(frames)
        if header is None:
            return False
        key = zlib.crc32(header) << 32 | zlib.adler32(header)
        if key in self._known:
            return True
        self._known[key] = None
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return False


def _header(frames: Sequence[bytes]) -> bytes | None:
    try:
        header = frames[frames.index(wire.DELIMITER) + 2]
    except (ValueError, IndexError):  # the kernel's to refuse
        return None
    return header if b'"execute_request"' in header else None
