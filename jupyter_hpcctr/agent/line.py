"""The agent's end of the link: one outgoing, mutually authenticated, encrypted connection to the server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import zmq

BEAT_S = 10.0


class Line:
    """A DEALER with CURVE keys that dials again by itself when the connection drops.

    Messages are ``[channel, *frames]``, with ``event`` for our own news and ``command`` for orders.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], link: Mapping[str, Any]) -> None:
        dealer = context.socket(zmq.DEALER)
        dealer.curve_serverkey = str(link["server_key"]).encode()
        dealer.curve_publickey = str(link["public_key"]).encode()
        dealer.curve_secretkey = str(link["secret_key"]).encode()
        dealer.linger = 1000
        dealer.rcvhwm = dealer.sndhwm = 0
        dealer.reconnect_ivl, dealer.reconnect_ivl_max = 100, 5000
        dealer.heartbeat_ivl, dealer.heartbeat_timeout = 10_000, 30_000
        for address in link["addresses"]:
            dealer.connect(address)
        self.socket = dealer
        self._last_heard = self._last_beat = time.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the server was last heard."""
        return time.monotonic() - self._last_heard

    def say(self, event: str, **more: Any) -> None:
        """Tell the server what happened."""
        self.socket.send_multipart([b"event", json.dumps({"event": event, **more}).encode()])

    def beat(self, **more: Any) -> None:
        """Tell the server now and then that we are there, so that it has our address after a reconnection."""
        now = time.monotonic()
        if now - self._last_beat > BEAT_S:
            self._last_beat = now
            self.say("beat", **more)

    def send(self, channel: bytes, frames: Sequence[zmq.Frame]) -> None:
        """Pass on a kernel's message."""
        self.socket.send_multipart([channel, *frames], copy=False)

    def receive(self) -> Iterator[tuple[bytes, list[zmq.Frame]]]:
        """Yield what has arrived: (channel, frames)."""
        while True:
            try:
                channel, *frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            self._last_heard = time.monotonic()
            yield channel.bytes, frames

    def close(self) -> None:
        """Hang up; what was said last gets a second to leave."""
        self.socket.close()
