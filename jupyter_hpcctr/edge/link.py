"""One listening CURVE socket for all kernels of a process; each job's agent dials it.

Server and agents have a key pair each. A ZAP handler (ZeroMQ RFC 27) lets in the public keys of the
jobs that were submitted here and nobody else, and each message is attributed to the key with which
its connection was made, never to a name that the peer chose.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import zmq
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

log = logging.getLogger(__name__)

Receiver = Callable[[bytes, list[zmq.Frame]], None]
BEAT_SECONDS = 10.0
SILENCE_SECONDS = 35.0
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


class _AllowList:
    """Credentials provider of pyzmq's authenticator: the keys that are registered now."""

    def __init__(self) -> None:
        self.receivers: dict[str, Receiver] = {}

    def callback(self, domain: str, key: bytes) -> bool:
        known = key.decode() in self.receivers
        if not known:
            log.warning("a connection with an unknown key was refused")
        return known


class Link:
    """The server's end of every job's connection. Lives in the edge loop.

    Messages are ``[channel, *frames]``; ``channel`` is a Jupyter channel's name, ``event`` (from the
    agent) or ``command`` (to it), the last two one JSON frame. A receiver is told ``silence`` by the link
    itself when an agent has not been heard for ``SILENCE_SECONDS``.
    """

    def __init__(self) -> None:
        self._context = zmq.asyncio.Context()
        self._keys = KeyPair.new()
        self._allowed = _AllowList()
        self._routes: dict[str, bytes] = {}
        self._heard: dict[str, float] = {}
        self._addresses: dict[str, str] = {}
        self._auth = AsyncioAuthenticator(self._context)
        self._auth.start()
        self._auth.configure_curve_callback(_DOMAIN, credentials_provider=self._allowed)
        socket = self._context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey = self._keys.secret.encode()
        socket.curve_publickey = self._keys.public.encode()
        socket.zap_domain = _DOMAIN.encode()
        socket.router_mandatory = True
        socket.sndhwm = socket.rcvhwm = 0
        socket.heartbeat_ivl, socket.heartbeat_timeout = 5_000, 15_000
        socket.linger = 500
        self._socket = socket
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._beat())]

    @property
    def public_key(self) -> str:
        """The server's public key, which agents must be told."""
        return self._keys.public

    def listen(self, ip: str) -> str:
        """Listen on an address of this host, once, and return the endpoint that agents dial."""
        if ip not in self._addresses:
            host = f"[{ip}]" if ":" in ip else ip
            port = self._socket.bind_to_random_port(f"tcp://{host}")
            self._addresses[ip] = f"tcp://{host}:{port}"
        return self._addresses[ip]

    def admit(self, public_key: str, receiver: Receiver) -> None:
        """Let in the agent with this key; its messages go to ``receiver``."""
        self._allowed.receivers[public_key] = receiver

    def dismiss(self, public_key: str) -> None:
        """Let in this key no more."""
        self._allowed.receivers.pop(public_key, None)
        self._routes.pop(public_key, None)
        self._heard.pop(public_key, None)

    def hears(self, public_key: str) -> bool:
        """Whether an agent was heard within ``SILENCE_SECONDS``."""
        return time.monotonic() - self._heard.get(public_key, -math.inf) <= SILENCE_SECONDS

    def send(self, public_key: str, channel: bytes, frames: Sequence[bytes | zmq.Frame]) -> bool:
        """Send to an agent; False where it is not connected."""
        route = self._routes.get(public_key)
        if route is None:
            return False
        # High-water marks are off, so that this is done at once; EHOSTUNREACH says that the connection is gone.
        sent = cast("asyncio.Future[Any]", self._socket.send_multipart([route, channel, *frames], copy=False))
        if sent.done() and sent.exception() is not None:
            self._routes.pop(public_key, None)
            return False
        return True

    def command(self, public_key: str, **what: Any) -> bool:
        """Send an agent a command; False where it is not connected."""
        return self.send(public_key, b"command", [json.dumps(what).encode()])

    async def close(self) -> None:
        """Stop listening and let nobody in."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()
        self._auth.stop()
        self._context.term()

    async def _receive(self) -> None:
        while True:
            frames = await self._socket.recv_multipart(copy=False)
            if len(frames) < 3:
                continue
            key = str(frames[1].get("User-Id"))
            receiver = self._allowed.receivers.get(key)
            if receiver is None:
                continue
            self._routes[key] = frames[0].bytes
            self._heard[key] = time.monotonic()
            self._deliver(receiver, frames[1].bytes, frames[2:])

    @staticmethod
    def _deliver(receiver: Receiver, channel: bytes, frames: list[zmq.Frame]) -> None:
        try:
            receiver(channel, frames)
        except Exception:  # noqa: BLE001  (one bad message of one agent must not end all kernels' link)
            log.exception("a message of an agent could not be handled")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            for key in list(self._routes):
                self.command(key, command="beat")
                if time.monotonic() - self._heard[key] > SILENCE_SECONDS:
                    self._routes.pop(key, None)
                    self._deliver(self._allowed.receivers[key], b"silence", [])
