"""Replies to clients that are not connected: a server that goes on with a kernel may be quicker than its pages."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import zmq

from .ports import Port

MOST = 1000
"""So many replies wait, of all clients together; the oldest go first."""

Frames = Sequence[bytes]


class Replies:
    """Sends on a ROUTER with ``router_mandatory``; what cannot be delivered waits for its client to say something."""

    def __init__(self) -> None:
        self._waiting: collections.deque[tuple[bytes, Frames]] = collections.deque(maxlen=MOST)

    def send(self, port: Port, frames: Frames) -> None:
        """Send a reply, now or when its client is there."""
        try:
            port.send(frames)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._waiting.append((frames[0], frames))

    def came(self, port: Port, identity: bytes) -> None:
        """A client has said something: send what waits for it, in order."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, collections.deque(maxlen=MOST)
        for whose, frames in waiting:
            if whose == identity:
                self.send(port, frames)
            else:
                self._waiting.append((whose, frames))
