"""The hub's way to each node: its own relay, and those of other nodes by an encrypted connection."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import zmq

from ..protocol.tasks import Invitation
from .bundle import Item
from .relay import Relay
from .slots import Machine, this_machine

BEAT_S, LOST_S = 1.0, 10.0
AWAY_S = 2.0
"""A hub looks every second; one that has not looked for so long was stopped itself, as on a machine that was paused."""
Receive = Callable[[str, str, list[Item]], None]
"""Is told: node, world, items."""


class Node(Protocol):
    """A node of the allocation, as the hub uses it."""

    name: str
    machine: Machine | None

    def expect(self, spec: Mapping[str, Any]) -> None:
        """Write down what a world's ranks run."""

    def tell(self, world: str, message: Mapping[str, Any], ranks: Collection[int] | None) -> None:
        """Send a message to ranks of a world."""

    def kill(self, world: str) -> None:
        """End a world's processes."""

    def forget(self, world: str) -> None:
        """Close what is left of a world."""


class OwnNode:
    """The hub's own node: the relay is here."""

    def __init__(self, name: str, relay: Relay) -> None:
        self.name, self.relay = name, relay
        self.machine: Machine | None = this_machine()

    def expect(self, spec: Mapping[str, Any]) -> None:
        """Write down what a world's ranks run."""
        self.relay.expect(spec)

    def tell(self, world: str, message: Mapping[str, Any], ranks: Collection[int] | None) -> None:
        """Send a message to ranks of a world."""
        self.relay.tell(world, message, ranks=ranks)

    def kill(self, world: str) -> None:
        """End a world's processes."""
        self.relay.kill(world)

    def forget(self, world: str) -> None:
        """Close what is left of a world."""
        self.relay.forget(world)


class OtherNode:
    """A node whose relay has dialled the hub."""

    def __init__(
        self, name: str, send: Callable[[dict[str, Any], Any], None], machine: Machine | None = None
    ) -> None:
        self.name, self.machine = name, machine
        self.heard = time.monotonic()
        self.send = send

    def expect(self, spec: Mapping[str, Any]) -> None:
        """Write down what a world's ranks run."""
        self.send({"op": "expect", "spec": spec}, None)

    def tell(self, world: str, message: Mapping[str, Any], ranks: Collection[int] | None) -> None:
        """Send a message to ranks of a world."""
        wanted = None if ranks is None else sorted(ranks)
        self.send({"op": "tell", "world": world, "message": message, "ranks": wanted}, None)

    def kill(self, world: str) -> None:
        """End a world's processes."""
        self.send({"op": "kill", "world": world}, None)

    def forget(self, world: str) -> None:
        """Close what is left of a world."""
        self.send({"op": "forget", "world": world}, None)


class Switchboard:
    """Listens for the other nodes: CURVE (RFC 26 of ZeroMQ), and ZAP (RFC 27) for one key alone.

    Whoever has not that key gets nothing. The nodes are told it by their standard input. It listens at ``address``; at
    every one where that is ``*``.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], poller: zmq.Poller, receive: Receive, *, address: str
    ) -> None:
        self.nodes: dict[str, OtherNode] = {}
        self.chunks: Callable[[str, dict[str, Any], bytes], None] = lambda node, said, data: None
        self._receive = receive
        self._last_beat = 0.0
        self._looked = time.monotonic()
        from zmq.auth.thread import ThreadAuthenticator  # noqa: PLC0415  (brings in asyncio: for other nodes alone)

        public, secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
        self._allowed = client_public
        self._zap = ThreadAuthenticator(context)
        self._zap.start()
        self._zap.configure_curve_callback(credentials_provider=self)
        self.socket = context.socket(zmq.ROUTER)
        self.socket.curve_server, self.socket.curve_secretkey, self.socket.curve_publickey = True, secret, public
        self.socket.linger = 500
        self.socket.rcvhwm = self.socket.sndhwm = 0
        self.socket.router_handover = True
        port = self.socket.bind_to_random_port(f"tcp://{address}")
        poller.register(self.socket, zmq.POLLIN)
        self.invitation = Invitation(port, public.decode(), client_public.decode(), client_secret.decode())
        """What a node must know to come in; secret."""

    def callback(self, domain: str, key: bytes) -> bool:
        """Say whether a key may come in (pyzmq's credentials provider)."""
        return key == self._allowed

    def turn(self) -> None:
        """Take in what the nodes say."""
        while True:
            try:
                name, text, *data = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._on_said(name.decode(), json.loads(text), data)

    def _on_said(self, name: str, said: dict[str, Any], data: list[bytes]) -> None:
        if said["kind"] == "node":
            machine = Machine(**said["machine"]) if "machine" in said else None
            self.nodes[name] = OtherNode(name, lambda message, more: self._send(name, message, more), machine)
        node = self.nodes.get(name)
        if node is None:  # lost already, and forgotten
            return
        node.heard = time.monotonic()
        if said["kind"] == "items":
            self._receive(name, said["world"], said["items"])
        elif said["kind"] in ("chunk", "stored"):
            self.chunks(name, said, data[0] if data else b"")

    def _send(self, name: str, message: dict[str, Any], data: Any) -> None:
        frames = [name.encode(), json.dumps(message).encode(), *([] if data is None else [data])]
        self.socket.send_multipart(frames, copy=data is None)

    def drop(self, names: Collection[str]) -> None:
        """Forget nodes whose processes are being ended, also where one has only just come: it may come anew."""
        self.turn()
        for name in names:
            if (node := self.nodes.pop(name, None)) is not None:
                node.send({"op": "end"}, None)

    def beat(self) -> list[str]:
        """Tell the nodes that we are there; return those that are not heard any more, and forget them."""
        now = time.monotonic()
        away, self._looked = now - self._looked, now
        if away > AWAY_S:  # perhaps they were stopped with it, or have spoken and were not heard
            for node in self.nodes.values():
                node.heard += away
        if now - self._last_beat > BEAT_S:
            self._last_beat = now
            for node in self.nodes.values():
                node.send({"op": "beat"}, None)
        gone = [name for name, node in self.nodes.items() if now - node.heard > LOST_S]
        for name in gone:
            del self.nodes[name]
        return gone

    def close(self) -> None:
        """Let the nodes go."""
        for node in self.nodes.values():
            node.send({"op": "end"}, None)
        self.socket.close()
        self._zap.stop()
