"""The ranks' hub: one loop that serves the kernel's magic, the nodes' relays and the launchers.

A request is a generator, a *flow*, that is resumed after each turn of the loop and yields where it has to
wait. One flow at a time works for the kernel; one more may start ranks anew behind it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Generator, Mapping
from typing import Any

import zmq

from . import flows
from .config import Config
from .conversation import Flow
from .failure import RankError
from .nodes import Node, OwnNode, Switchboard
from .relay import Relay
from .segments import Shelf, Traffic
from .site import Site

log = logging.getLogger("hpcctr.ranks")

TICK_MS, IDLE_MS = 20, 1000


class Hub:
    """Serves one kernel until that has ended, or SIGTERM comes."""

    def __init__(self, config: Config, looking: Generator[None, None, dict[str, str]] | None = None) -> None:
        self.config = config
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.poller = zmq.Poller()
        relay = Relay(self.context, self.poller, config.dir, enter=config.enter)
        self.own = OwnNode(config.node or os.uname().nodename, relay)
        self.switchboard: Switchboard | None = None
        self.shelf = Shelf(config.dir, config.dir_inside)
        self.traffic = Traffic(lambda name: self.node(name) is not None, self.shelf)
        self.site = Site(self, looking)
        self.interrupts = 0
        self._over = False
        self._client = b""
        self._request: dict[str, Any] = {}
        self._flow: Flow | None = None
        self._background: Flow | None = None
        self._socket = self.context.socket(zmq.ROUTER)
        self._socket.linger = 200
        self._socket.rcvhwm = self._socket.sndhwm = 0
        self.shelf.announce()
        self._socket.bind(f"ipc://{config.dir}/ranks")
        self._poller_sources()

    def _poller_sources(self) -> None:
        self.poller.register(self._socket, zmq.POLLIN)
        self._kernel = os.pidfd_open(self.config.kernel_pid)
        self.poller.register(self._kernel, zmq.POLLIN)
        self._wakeup, writing = os.pipe()
        for end in (self._wakeup, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: self._finish())
        self.poller.register(self._wakeup, zmq.POLLIN)

    def _finish(self) -> None:
        self._over = True

    # -- the loop

    def run(self) -> int:
        """Work until it is over."""
        try:
            while not self._over:
                self._turn()
        finally:
            self._leave()
        return 0

    def _turn(self) -> None:
        working = self._flow is not None or self._background is not None
        events = dict(self.poller.poll(self.own.relay.patience_ms(TICK_MS if working else IDLE_MS)))
        if self._wakeup in events:
            os.read(self._wakeup, 4096)
        if self._kernel in events:
            self._finish()
        if self._socket in events:
            self._from_kernel()
        self.own.relay.turn(events)
        for world, bundle in tuple(self.own.relay.bundles.items()):
            if bundle:
                self.site.receive(self.own.name, world, bundle.take())
        if self.switchboard is not None:
            if self.switchboard.socket in events:
                self.switchboard.turn()
            for name in self.switchboard.beat():
                self.site.lost(name)
        self._background = self._resume(self._background, answer=False)
        self._flow = self._resume(self._flow, answer=True)

    def _resume(self, flow: Flow | None, *, answer: bool) -> Flow | None:
        if flow is None:
            return None
        try:
            next(flow)
        except StopIteration as stop:
            result = stop.value
        except RankError as error:
            status = "interrupted" if error.etype == "Interrupted" else "refused"
            result = {"status": status, "etype": error.etype, "message": str(error), "hint": error.hint}
        except Exception as error:
            log.exception("a flow failed")
            result = {
                "status": "refused",
                "etype": "HubError",
                "message": f"{error!r}",
                "hint": "please report this bug",
            }
        else:
            return flow
        if answer:
            self.say("end", **result)
        elif result.get("status", "ok") != "ok":  # the next cell tries again, and tells
            log.warning("the ranks were not started again: %s", result["message"])
        return None

    def behind(self, flow: Flow) -> None:
        """Go on with a flow after its request has been answered."""
        self._background = flow

    @property
    def busy_behind(self) -> bool:
        """Whether something is still being done behind the requests."""
        return self._background is not None

    # -- the kernel

    def say(self, event: str, **what: Any) -> None:
        """Tell the kernel something about its request."""
        message = {"id": self._request.get("id"), "event": event, **what}
        self._socket.send_multipart((self._client, json.dumps(message).encode()))

    def notice(self, text: str, *, level: str = "info", fleeting: bool = False) -> None:
        """Have a line shown."""
        self.say("notice", text=text, level=level, fleeting=fleeting)

    def _from_kernel(self) -> None:
        while True:
            try:
                client, text, *_ = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            request = json.loads(text)
            if request["op"] == "interrupt":
                self.interrupts += self._flow is not None
            elif self._flow is not None and request["op"] != "status":
                self._answer(client, request, {"status": "refused", "etype": "Busy", "message": "another cell runs"})
            elif request["op"] == "status":
                self._answer(client, request, {"status": "ok", "world": self.site.described()})
            else:
                self._client, self._request, self.interrupts = client, request, 0
                self._flow = flows.begin(self, request)

    def _answer(self, client: bytes, request: Mapping[str, Any], result: dict[str, Any]) -> None:
        message = {"id": request.get("id"), "event": "end", **result}
        self._socket.send_multipart((client, json.dumps(message).encode()))

    # -- the nodes

    def node(self, name: str) -> Node | None:
        """Return a node that is there."""
        if name == self.own.name:
            return self.own
        return None if self.switchboard is None else self.switchboard.nodes.get(name)

    def open_switchboard(self, address: str) -> Switchboard:
        """Listen for other nodes at an address, from now on."""
        if self.switchboard is None:
            self.switchboard = Switchboard(self.context, self.poller, self.site.receive, address=address)
            self.switchboard.chunks = self.traffic.receive
        return self.switchboard

    # -- the end

    def _leave(self) -> None:
        began = time.monotonic()
        self.site.close()
        if self.switchboard is not None:
            self.switchboard.close()
        self.own.relay.close()
        self.shelf.clear()  # of a kernel that was killed while it moved values
        self._socket.close()
        for name in ("ranks", "world", "door", "owner"):
            path = f"{self.config.dir}/{name}"
            if os.path.lexists(path):
                os.unlink(path)
        self.context.term()
        if self.config.plain:  # else it is the agent's
            shutil.rmtree(self.config.run_dir, ignore_errors=True)
        log.info("the ranks have ended in %.1f s", time.monotonic() - began)
