"""One listening CURVE socket for all kernels of a process; each job's agent dials it.

Server and agents have a key pair each. A ZAP handler (ZeroMQ RFC 27) lets in the public keys of the
jobs that were submitted here and nobody else, and each message is attributed to the key with which
its connection was made, never to a name that the peer chose.

What is sent arrives once and in order, over as many connections as it takes (``delivery``). Nothing here
ends a connection: TCP may mend it, and an agent that hears nothing makes another one.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import zmq
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

from ..delivery import parcel
from ..delivery import session as delivery
from ..delivery.kept import Frames, Kept
from .ports import Port

log = logging.getLogger(__name__)

Receiver = Callable[[bytes, list[bytes]], None]
LOOK_SECONDS = 10.0
SILENCE_SECONDS = 35.0
ACK_SECONDS = 1.0
# A connection of which nothing is heard is given up by the system only after this: longer than any outage.
_KEEPALIVE = {"tcp_keepalive": 1, "tcp_keepalive_idle": 120, "tcp_keepalive_intvl": 60, "tcp_keepalive_cnt": 30}
_DOMAIN = "hpcctr"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair, Z85 text (40 characters each)."""

    public: str
    secret: str

    @staticmethod
    def new() -> KeyPair:
        """Make a new pair."""
        public, secret = zmq.curve_keypair()
        return KeyPair(public.decode(), secret.decode())


class Totals(NamedTuple):
    """What has gone over a link, in messages, and what waits now; over all agents, those that are gone among them."""

    sent: int = 0
    received: int = 0
    resent: int = 0
    lost: int = 0
    kept_bytes: int = 0


@dataclass(slots=True)
class _Peer:
    """An agent that may dial: who is told what it says, and what is on its way to and from it."""

    receiver: Receiver
    session: delivery.Session
    route: bytes = b""
    heard: float = -math.inf
    told: bool = True  # that it is silent
    ack: asyncio.TimerHandle | None = field(default=None)


class _AllowList:
    """Credentials provider of pyzmq's authenticator: the keys that are registered now."""

    def __init__(self) -> None:
        self.peers: dict[str, _Peer] = {}

    def callback(self, domain: str, key: bytes) -> bool:
        known = key.decode() in self.peers
        if not known:
            log.warning("a connection with an unknown key was refused")
        return known


class _Anybody:
    """Lets in all who know a socket's public key: for kernels' fronts, which are in this context and name no domain."""

    @staticmethod
    def callback(domain: str, key: bytes) -> bool:
        return True


class Link:
    """The server's end of every job's connection. Lives in the edge loop.

    Messages are ``[channel, *frames]``; ``channel`` is a Jupyter channel's name, ``event`` (from the
    agent) or ``command`` (to it), the last two one JSON frame. A receiver is told ``silence`` by the link
    itself when an agent has not been heard for ``SILENCE_SECONDS``, and ``heard`` when it is heard again after that.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._keys = KeyPair.new()
        self._allowed = _AllowList()
        self._addresses: dict[str, str] = {}
        self._auth = AsyncioAuthenticator(zmq.asyncio.Context(context))
        self._auth.start()
        self._auth.configure_curve_callback(_DOMAIN, credentials_provider=self._allowed)
        self._auth.configure_curve_callback("*", credentials_provider=_Anybody())
        socket = context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey = self._keys.secret.encode()
        socket.curve_publickey = self._keys.public.encode()
        socket.zap_domain = _DOMAIN.encode()
        socket.router_mandatory = True
        socket.sndhwm = socket.rcvhwm = 0
        for name, value in _KEEPALIVE.items():
            setattr(socket, name, value)
        socket.linger = 500
        self._port = Port(socket, self._receive)
        self._looking = asyncio.create_task(self._look_after())
        self._gone, self._counting = Totals(), threading.Lock()

    @property
    def public_key(self) -> str:
        """The server's public key, which agents must be told."""
        return self._keys.public

    def listen(self, ip: str) -> str:
        """Listen on an address of this host, once, and return the endpoint that agents dial."""
        if ip not in self._addresses:
            host = f"[{ip}]" if ":" in ip else ip
            port = self._port.socket.bind_to_random_port(f"tcp://{host}")
            self._port.look()
            self._addresses[ip] = f"tcp://{host}:{port}"
        return self._addresses[ip]

    def admit(self, public_key: str, receiver: Receiver, kept: Kept) -> None:
        """Let in the agent with this key; its messages go to ``receiver``, what waits for it is in ``kept``."""
        send = functools.partial(self._send, public_key)
        self._allowed.peers[public_key] = _Peer(receiver, delivery.Session(kept, send))

    def dismiss(self, public_key: str) -> None:
        """Let in this key no more, and forget what was still to be sent."""
        if (peer := self._allowed.peers.get(public_key)) is not None:
            self._acknowledge(peer)  # else the agent would send it again to another process
        with self._counting:
            peer = self._allowed.peers.pop(public_key, None)
            if peer is not None:
                self._gone = _sum(self._gone, _counted(peer.session))
        if peer is not None:
            peer.session.kept.close()
            if peer.ack is not None:
                peer.ack.cancel()

    def totals(self) -> Totals:
        """Return what has been counted; for any thread."""
        with self._counting:
            sessions = [peer.session for peer in tuple(self._allowed.peers.values())]
            waiting = Totals(kept_bytes=sum(each.kept.bytes for each in sessions))
            return _sum(self._gone, waiting, *map(_counted, sessions))

    def hears(self, public_key: str) -> bool:
        """Whether an agent was heard within ``SILENCE_SECONDS``."""
        peer = self._allowed.peers.get(public_key)
        return peer is not None and time.monotonic() - peer.heard <= SILENCE_SECONDS

    def send(self, public_key: str, channel: bytes, frames: Sequence[bytes], *, force: bool = False) -> bool:
        """Send to an agent, now or when it is there; False where there is no room to keep more (``Kept.put``)."""
        peer = self._allowed.peers.get(public_key)
        return peer is not None and peer.session.put(parcel.wrapped([channel, *frames]), force=force)

    def command(self, public_key: str, **what: Any) -> bool:
        """Send an agent a command."""
        return self.send(public_key, b"command", [json.dumps(what).encode()], force=True)

    async def close(self) -> None:
        """Stop listening and let nobody in."""
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        for key in tuple(self._allowed.peers):
            self.dismiss(key)
        self._port.close()
        self._auth.stop()

    # -- one message

    def _send(self, public_key: str, frames: Frames) -> bool:
        route = self._allowed.peers[public_key].route
        try:
            self._port.send([route, *parcel.sealed(frames)])
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:  # the connection is gone
                raise
            return False
        return True

    def _receive(self, message: list[zmq.Frame]) -> None:
        if len(message) < 2:
            return
        key = str(message[1].get("User-Id"))
        peer = self._allowed.peers.get(key)
        if peer is None:
            return
        try:
            delivered = self._taken(peer, message[0].bytes, *parcel.opened(message[1:]))
        except ValueError as error:
            log.warning("an agent's message could not be read: %s", error)
            return
        again = peer.told and peer.heard > -math.inf
        peer.heard, peer.told = time.monotonic(), False
        if again:
            self._deliver(peer.receiver, b"heard", [])
        if delivered:
            self._deliver(peer.receiver, delivered[0], delivered[1:])
        if self._allowed.peers.get(key) is peer:
            peer.session.settle()
            if peer.session.owes and peer.ack is None:
                peer.ack = asyncio.get_running_loop().call_later(ACK_SECONDS, self._acknowledge, peer)

    @staticmethod
    def _taken(peer: _Peer, route: bytes, head: bytes, frames: Frames) -> list[bytes]:
        """Return a message's frames where it is the next one, else none."""
        if delivery.is_sync(head):
            sync = delivery.read_sync(frames)
            if peer.session.is_old(sync):
                return []
            if peer.session.is_another(sync):
                peer.session.forget()  # what waits is for an agent whose job was requeued since
            peer.route = route
        return parcel.unwrapped(frames) if peer.session.receive(head, frames) is not None else []

    @staticmethod
    def _acknowledge(peer: _Peer) -> None:
        peer.ack = None
        if peer.session.owes:
            peer.session.acknowledge()

    @staticmethod
    def _deliver(receiver: Receiver, channel: bytes, frames: list[bytes]) -> None:
        try:
            receiver(channel, frames)
        except Exception:  # noqa: BLE001  (one bad message of one agent must not end all kernels' link)
            log.exception("a message of an agent could not be handled")

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for peer in tuple(self._allowed.peers.values()):
                if not peer.told and time.monotonic() - peer.heard > SILENCE_SECONDS:
                    peer.told = True
                    self._deliver(peer.receiver, b"silence", [])


def _counted(session: delivery.Session) -> Totals:
    lost = session.missed + session.kept.lost
    return Totals(sent=session.sent, received=session.taken, resent=session.resent, lost=lost)


def _sum(*parts: Totals) -> Totals:
    return Totals(*map(sum, zip(*parts, strict=True)))
