"""One peer's two directions: numbers, acknowledgements, resending. It sends nothing itself and knows no clock.

Each message has a head before its frames: what it is, its number, and the number up to which its sender
has received. Whoever sends keeps a message until it is acknowledged. The first message on each new
connection is a ``sync``, in which both say where they are: what is missing is then sent again, and what
comes twice is dropped.
"""

from __future__ import annotations

import collections
import json
import os
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from .kept import Frames, Kept, size_of

WINDOW_BYTES = 16_000_000
ACK_MESSAGES = 200
_HEAD = struct.Struct(">BQQ")
HEAD_BYTES = _HEAD.size
_DATA, _ACK, _SYNC, _BEAT = 1, 2, 3, 4
_SYNC_BYTE = bytes([_SYNC])

Send = Callable[[Frames], bool]


class Sync(NamedTuple):
    """What both say of themselves on a new connection."""

    name: str  # of this end's life: another one begins to count again
    first: int  # number of the oldest message that may still be sent
    known: str  # name of the other end that is known here, "" for none
    received: int  # of that one's messages, up to this number
    connection: int  # counted by who dials
    asks: bool  # whether the other end is to answer with its own


class Session:
    """Numbered messages to and from one peer.

    Parameters
    ----------
    kept : Kept
        For what cannot be sent yet.
    send : callable
        Sends frames on the connection there is; False where there is none any more.
    window : int
        Bytes that may be on their way, not acknowledged yet.
    """

    def __init__(self, kept: Kept, send: Send, *, window: int = WINDOW_BYTES) -> None:
        self.name = os.urandom(8).hex()
        self.kept = kept
        self._send, self._window = send, window
        self._flying: collections.deque[tuple[int, Frames, int]] = collections.deque()
        self._flying_bytes = 0
        self._last_sent = 0
        self._open = self._asked = False
        self._peer = ""
        self._received = self._acknowledged = 0
        self._unacknowledged_bytes = 0
        self._connection = 0
        self.missed = 0
        self.resent = 0
        self.taken = 0

    @property
    def sent(self) -> int:
        """How many messages have been sent, each counted once."""
        return self._last_sent

    @property
    def owes(self) -> bool:
        """Whether something has been received that is not acknowledged yet."""
        return self._received != self._acknowledged

    @property
    def peer(self) -> str:
        """The name of the other end that was heard last, "" before."""
        return self._peer

    @property
    def clear(self) -> bool:
        """Whether everything that was put has been acknowledged."""
        return not self._flying and not self.kept

    # -- sending

    def put(self, frames: Frames, *, force: bool = False) -> bool:
        """Send a message now or later; False where there is no room to keep it (``Kept.put``)."""
        if self._open and not self.kept and self._flying_bytes < self._window:
            self._launch(frames)
            return True
        return self.kept.put(frames, force=force)

    def _launch(self, frames: Frames) -> None:
        size = size_of(frames)
        self._last_sent += 1
        self._flying.append((self._last_sent, frames, size))
        self._flying_bytes += size
        self._transmit(self._last_sent, frames)

    def _transmit(self, number: int, frames: Frames) -> None:
        if self._open and not self._send([self._head(_DATA, number), *frames]):
            self.closed()

    def _head(self, kind: int, number: int = 0) -> bytes:
        self._acknowledged, self._unacknowledged_bytes = self._received, 0
        return _HEAD.pack(kind, number, self._received)

    def _refill(self) -> None:
        while self._open and self._flying_bytes < self._window:
            frames = self.kept.pop()
            if frames is None:
                return
            self._launch(frames)

    def acknowledge(self) -> None:
        """Say what has been received."""
        if not self._send([self._head(_ACK)]):
            self.closed()

    def beat(self) -> None:
        """Ask the other end to say that it is there."""
        if not self._send([self._head(_BEAT)]):
            self.closed()

    # -- connections

    def greet(self, send: Send | None = None, *, connection: int = 0, asks: bool = True) -> bool:
        """Send a ``sync`` on the connection there is; who dials, by ``send`` on one that may become it."""
        first = self._flying[0][0] if self._flying else self._last_sent + 1
        sync = Sync(self.name, first, self._peer, self._received, connection or self._connection, asks)
        return (send or self._send)([self._head(_SYNC), json.dumps(sync._asdict()).encode()])

    def closed(self) -> None:
        """The connection is gone: nothing is sent before the next ``sync``."""
        self._open = False

    def is_old(self, sync: Sync) -> bool:
        """Whether a ``sync`` is of a connection that has been replaced by a newer one."""
        return sync.name == self._peer and sync.connection < self._connection

    def is_another(self, sync: Sync) -> bool:
        """Whether a ``sync`` is another peer's than the one that was known before."""
        return self._peer not in ("", sync.name)

    def forget(self) -> None:
        """Drop all that is still to arrive."""
        self._flying.clear()
        self._flying_bytes = 0
        self.kept.close()

    def _synced(self, sync: Sync) -> None:
        self._connection = sync.connection
        if sync.name != self._peer:
            self._peer, self._received, self._acknowledged = sync.name, sync.first - 1, sync.first - 1
        elif sync.first - 1 > self._received:
            self.missed += sync.first - 1 - self._received
            self._received = sync.first - 1
        self._open, self._asked = True, False
        if sync.known == self.name:
            self._landed(sync.received)
        if sync.asks:
            self.greet(asks=False)
        self.resent += len(self._flying)
        for number, frames, _ in tuple(self._flying):
            self._transmit(number, frames)
        self._refill()

    # -- receiving

    def receive(self, head: bytes, frames: Frames) -> Frames | None:
        """Take a message from the connection; return it where it is the next one, else None.

        Raises
        ------
        ValueError
            It is no message of this protocol.
        """
        try:
            kind, number, received = _HEAD.unpack(head)
        except struct.error as error:
            raise ValueError(f"no head of a message: {error}") from None
        if kind == _SYNC:
            self._synced(read_sync(frames))
            return None
        if self._flying or self.kept:
            self._landed(received)
        if kind == _DATA:
            return self._taken(number, frames)
        if kind == _BEAT:
            self.acknowledge()
        return None

    def _taken(self, number: int, frames: Frames) -> Frames | None:
        if number != self._received + 1:
            if number > self._received and not self._asked:  # what is before it went with a connection
                self._asked = True
                self.greet()
            return None
        self._received = number
        self.taken += 1
        self._unacknowledged_bytes += size_of(frames)
        return frames

    def settle(self) -> None:
        """Acknowledge at once where much has come since the last time. Call it when a message has been handled."""
        if self._unacknowledged_bytes > self._window // 4 or self._received - self._acknowledged >= ACK_MESSAGES:
            self.acknowledge()

    def _landed(self, number: int) -> None:
        while self._flying and self._flying[0][0] <= number:
            self._flying_bytes -= self._flying.popleft()[2]
        if self.kept:
            self._refill()


def is_sync(head: bytes) -> bool:
    """Whether a message with this head is a ``sync``."""
    return head[:1] == _SYNC_BYTE


def read_sync(frames: Frames) -> Sync:
    """Read what a ``sync`` says; raises ValueError where it is none."""
    try:
        found: dict[str, Any] = json.loads(bytes(frames[0]))
        return Sync(**found)
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"no sync: {error}") from None
