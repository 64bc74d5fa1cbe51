"""The agent's end of the link: mutually authenticated, encrypted connections to the server, one after another.

A connection that is reset is replaced at once. One on which nothing is heard is kept, because TCP may
mend it, and another is tried beside it: whichever is heard first is the line.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Container, Iterator, Sequence
from typing import Any, Protocol

import zmq

from ..delivery import parcel, sockets
from ..delivery import session as delivery
from ..delivery.kept import Frames, Kept
from ..protocol.values import Link
from . import memory

log = logging.getLogger("hpcctr.agent")

BEAT_S = 5.0
SILENT_S = 11.0
DIAL_S, REDIAL_S = 5.0, 0.2  # the second grows up to the first while nobody answers
ACK_S = 0.5


class Look(Protocol):
    """Where to dial."""

    def __call__(self, *, alone: bool) -> Link:
        """Return it; ``alone``: nobody has been heard for a while."""


class _Connection:
    """A DEALER that has been told to dial, and a socket that tells when its connection is gone."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], link: Link) -> None:
        dealer = context.socket(zmq.DEALER)
        dealer.curve_serverkey = link.server_key.encode()
        dealer.curve_publickey = link.public_key.encode()
        dealer.curve_secretkey = link.secret_key.encode()
        dealer.linger = 0  # what was not acknowledged is sent by the next one
        dealer.rcvhwm = dealer.sndhwm = 0
        dealer.reconnect_ivl, dealer.reconnect_ivl_max = 100, 1000
        self.socket, self.since = dealer, time.monotonic()
        self.monitor = dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        for address in link.addresses:
            dealer.connect(address)

    def send(self, frames: Frames) -> bool:
        try:
            sockets.send(self.socket, parcel.sealed(frames))
        except zmq.Again:  # ZeroMQ has given the connection up, and would wait for another one here
            return False
        return True

    def close(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close()


class Line:
    """What the agent says arrives once and in order, as long as there is room to keep it.

    Messages are ``[channel, *frames]``, with ``event`` for our own news and ``command`` for orders.

    Parameters
    ----------
    poller : zmq.Poller
        Knows the sockets that are there now.
    link : Look
        Returns where to dial, and the keys for that. It is called often, and says something else where another server
        is to be dialled.
    kept : Kept
        For what cannot be sent yet.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        poller: zmq.Poller,
        link: Look,
        kept: Kept,
    ) -> None:
        self._context, self._poller, self._look, self._link = context, poller, link, link(alone=False)
        self._session = delivery.Session(kept, self._send)
        self._current: _Connection | None = None
        self._next: _Connection | None = None
        self._dialled, self._last_dial, self._redial_s = 0, 0.0, REDIAL_S
        self._last_heard = self._last_beat = self._last_ack = self._last_turn = time.monotonic()
        self._dial()

    @property
    def name(self) -> str:
        """What names this agent's life."""
        return self._session.name

    @property
    def server(self) -> str:
        """The name of the server's life that was heard last, "" before."""
        return self._session.peer

    @property
    def silent_s(self) -> float:
        """Seconds since the server was last heard, without those in which this process was stopped (SIGSTOP)."""
        return time.monotonic() - self._last_heard

    # -- sending

    def say(self, event: str, **more: Any) -> None:
        """Tell the server what happened."""
        self.send(b"event", [json.dumps({"event": event, **more}).encode()], force=True)

    def send(self, channel: bytes, frames: Sequence[bytes | zmq.Frame], *, force: bool = False) -> bool:
        """Pass on a kernel's message; False where there is no room to keep it (``Kept.put``)."""
        return self._session.put(parcel.wrapped([channel, *frames]), force=force)

    def _send(self, frames: Frames) -> bool:
        return self._current is not None and self._current.send(frames)

    # -- receiving

    def talking(self, ready: Container[object]) -> int:
        """Return on how many connections something is there, by what a poll has found (``turn``)."""
        current, other = self._current, self._next
        number = int(current is not None and current.socket in ready)
        return number if other is None else number + (other.socket in ready)

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield what has arrived: (channel, frames)."""
        for connection in (self._current, self._next):
            while connection is not None and not connection.socket.closed and sockets.is_there(connection.socket):
                head, frames = parcel.opened(sockets.received(connection.socket))
                self._last_heard = time.monotonic()
                if connection is self._next:
                    self._adopt(connection)
                if self._session.receive(head, frames) is not None:
                    channel, *message = parcel.unwrapped(frames)
                    yield channel, message
                    self._session.settle()

    def _adopt(self, connection: _Connection) -> None:
        """The server has answered on a new connection: the line is that one now."""
        if self._current is not None:
            self._close(self._current)
        self._current, self._next = connection, None
        self._redial_s = REDIAL_S

    # -- connections

    def turn(self, ready: Container[object]) -> None:
        """Look after connections and acknowledgements; call it after each poll, once a second at least.

        ``ready`` has the sockets on which something is there; a connection is gone when its monitor is among them.
        """
        now = time.monotonic()
        if now - self._last_turn > SILENT_S:
            self._last_heard = min(now, self._last_heard + now - self._last_turn)
        self._last_turn = now
        if self._current is not None and self._current.monitor in ready:
            self._close(self._current)
            self._current = None
            self._session.closed()
        if self._next is not None and (self._next.monitor in ready or now - self._next.since > DIAL_S):
            self._close(self._next)
            self._next = None
        self._look_for_another()
        silent = self._current is None or now - self._last_heard > SILENT_S
        if silent and self._next is None and now - self._last_dial > self._redial_s:
            self._redial_s = min(2 * self._redial_s, DIAL_S)
            self._dial()
        if self._current is not None and now - max(self._last_heard, self._last_beat) > BEAT_S:
            self._last_beat = now
            self._session.beat()
        if self._session.owes and now - self._last_ack > ACK_S:
            self._last_ack = now
            self._session.acknowledge()
        self._look_at_kept()

    def _look_for_another(self) -> None:
        alone = self._current is None or self.silent_s > ACK_S + BEAT_S
        link = self._look(alone=alone)
        if link is not self._link and link != self._link:  # whoever answers is the line, perhaps still the one before
            if self._next is not None:
                self._close(self._next)
            self._dial(link)
        self._link = link

    def _look_at_kept(self) -> None:
        kept = self._session.kept
        if kept.lost:
            log.error("messages of the kernel (%d) that were kept in a file cannot be read any more", kept.lost)
            kept.lost = 0
        if kept.drained:
            kept.drained = False
            memory.give_back()

    def _dial(self, link: Link | None = None) -> None:
        self._dialled, self._last_dial = self._dialled + 1, time.monotonic()
        self._next = _Connection(self._context, link or self._link)
        self._register(self._next)
        self._session.greet(self._next.send, connection=self._dialled)

    def _register(self, connection: _Connection) -> None:
        for each in (connection.socket, connection.monitor):
            self._poller.register(each, zmq.POLLIN)

    def _close(self, connection: _Connection) -> None:
        for each in (connection.socket, connection.monitor):
            self._poller.unregister(each)
        connection.close()

    def close(self, *, patience_s: float = 2.0) -> None:
        """Hang up, when everything has been acknowledged or ``patience_s`` seconds are over."""
        until = time.monotonic() + patience_s
        self._poller = zmq.Poller()  # nobody reads any more what else the agent's one knows
        for connection in (self._current, self._next):
            if connection is not None:
                self._register(connection)
        self._session.beat()  # what has arrived is acknowledged at once then
        while not self._session.clear and (left := until - time.monotonic()) > 0:
            ready = dict(self._poller.poll(int(min(left, 0.1) * 1000)))
            for _ in self.receive():
                pass
            self.turn(ready)
        for connection in (self._current, self._next):
            if connection is not None:
                self._close(connection)
        self._current = self._next = None
        self._session.kept.close()
