"""Another node of the allocation: ``python agent.zip ranks --node``, with the invitation on standard input.

It holds the node's container, has its relay, and ends when the hub is silent.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import zmq

from ..agent import removal, room, unpacked
from ..agent.children import Child
from ..agent.container import NodeContainer
from ..agent.devices import DevicesMissing
from ..agent.image import ImageChanged
from ..errors import EngineError
from ..protocol.container import EngineCommand
from ..protocol.tasks import Invitation, NodeTask
from ..protocol.words import NODE
from .relay import Relay
from .segments import Copies, Shelf
from .slots import this_machine

SILENCE_S = 20.0
HOLD_PATIENCE_S = 60.0
BEAT_S = 1.0
TOGETHER_S = 0.02


def settle(run_dir: str, directories: Sequence[str], patience_s: float = SILENCE_S + 5) -> None:
    """Make this node's directory; that of a hub which was killed goes when its own process here misses it.

    Raises
    ------
    FileExistsError
        It is still there after ``patience_s`` seconds.
    """
    until = time.monotonic() + patience_s
    while os.path.lexists(run_dir) and time.monotonic() < until:
        time.sleep(0.1)
    room.make(run_dir, directories, removal.carry_out)
    unpacked.lay_holder(run_dir)
    unpacked.lay_early(run_dir)
    unpacked.lay_later(run_dir)


class NodeProcess:
    """Carries out what the hub says, for the ranks of this node."""

    def __init__(self, told: NodeTask) -> None:
        plan = told.plan
        self._name = plan.node(os.environ) or socket.gethostname()
        suffix = f".{self._name}"
        self._run_dir = plan.run_dir.replace(NODE, suffix)
        settle(self._run_dir, [each.replace(NODE, suffix) for each in plan.directories])
        own = self._run_dir
        self._container = NodeContainer(told, plan, run_dir=own, workdir=own, suffix=suffix)
        self._holder: Child | None = None
        self._over = False
        try:
            self._container.prepare()
        except (ImageChanged, DevicesMissing, EngineError) as fault:
            shutil.rmtree(self._run_dir, ignore_errors=True)
            raise SystemExit(f"{self._name}: {fault}") from fault
        if plan.holder:
            self._holder = self._container.hold()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._relay = Relay(self._context, self._poller, f"{own}/kernel", enter=self._enter)
        address = "" if plan.steps is None else os.environ.get(plan.steps.variables.hub, "")
        self._hub = self._dial(told.invitation, address or "127.0.0.1")
        directory = f"{self._run_dir}/kernel"
        self._copies = Copies(self._say, Shelf(directory, told.dir_inside or directory))
        self._heard = time.monotonic()
        self._last_beat = self._last_items = 0.0

    def _enter(self, program: Sequence[str], env_file: str) -> EngineCommand:
        pid = ""
        if self._holder is not None:
            with open(f"{self._run_dir}/kernel/holder.pid", encoding="ascii") as file:
                pid = file.read().strip()
        return self._container.enter(program, env_file, pid)

    def _dial(self, invitation: Invitation, address: str) -> zmq.Socket[bytes]:
        dealer = self._context.socket(zmq.DEALER)
        dealer.identity = self._name.encode()
        dealer.curve_serverkey = invitation.server_key.encode()
        dealer.curve_publickey = invitation.public_key.encode()
        dealer.curve_secretkey = invitation.secret_key.encode()
        dealer.linger = 500
        dealer.rcvhwm = dealer.sndhwm = 0
        dealer.connect(f"tcp://{address}:{invitation.port}")
        self._poller.register(dealer, zmq.POLLIN)
        return dealer

    def run(self) -> int:
        """Work until the hub ends it, or is gone."""
        signal.signal(signal.SIGTERM, lambda *_: self._finish())
        try:
            self._await_holder()
            self._heard = time.monotonic()  # the hub speaks to those that have come: silence counts from here
            if not self._over:
                self._say({"kind": "node", "machine": asdict(this_machine())})
            while not self._over and time.monotonic() - self._heard < SILENCE_S:
                self._turn()
        finally:
            self._leave()
        return 0

    def _finish(self) -> None:
        self._over = True

    def _await_holder(self) -> None:
        until = time.monotonic() + HOLD_PATIENCE_S
        while self._holder is not None and not os.path.exists(f"{self._run_dir}/kernel/holder.pid"):
            if self._holder.code is not None or time.monotonic() > until or self._over:
                raise SystemExit(f"{self._name}: the container did not start (status {self._holder.code})")
            time.sleep(0.005)
        if why := self._container.fault():
            raise SystemExit(f"{self._name}: {why}")

    def _turn(self) -> None:
        pending = any(self._relay.bundles.values())
        events = dict(self._poller.poll(self._relay.patience_ms(20 if pending else 500)))
        if self._hub in events:
            self._from_hub()
        self._relay.turn(events)
        now = time.monotonic()
        if now - self._last_items >= TOGETHER_S or self._urgent():
            self._last_items = now
            for world, bundle in tuple(self._relay.bundles.items()):
                if bundle:
                    self._say({"kind": "items", "world": world, "items": bundle.take()})
        if now - self._last_beat > BEAT_S:
            self._last_beat = now
            self._say({"kind": "beat"})
        if self._holder is not None and self._holder.code is not None:
            self._over = True

    def _urgent(self) -> bool:
        """Whether there is news that somebody waits for, and not just output."""
        return any(bundle.urgent for bundle in self._relay.bundles.values())

    def _say(self, what: dict[str, Any], data: Any = None) -> None:
        self._hub.send_multipart([json.dumps(what).encode(), *([] if data is None else [data])], copy=data is None)

    def _from_hub(self) -> None:
        while True:
            try:
                text, *data = self._hub.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._heard = time.monotonic()
            self._obey(json.loads(text), data)

    def _obey(self, order: dict[str, Any], data: list[bytes]) -> None:
        op, world = order["op"], order.get("world", "")
        if op == "tell":
            message = self._copies.here(order["message"])
            self._relay.tell(world, message, ranks=order["ranks"])
        elif op == "expect":
            self._relay.expect(order["spec"])
        elif op == "kill":
            self._relay.kill(world)
        elif op == "forget":
            self._relay.forget(world)
        elif op in ("store", "fetch", "drop"):
            self._copies.obey(order, data[0] if data else b"")
        elif op == "end":
            self._finish()

    def _leave(self) -> None:
        self._relay.close()
        self._copies.close()
        if self._holder is not None:
            self._holder.end(patience_s=0.2)
        self._container.remove()
        shutil.rmtree(self._run_dir, ignore_errors=True)
        self._hub.close()
        self._context.term()
