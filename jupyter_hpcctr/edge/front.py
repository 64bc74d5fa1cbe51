"""The local face of a kernel that may still be queued: five sockets that speak the Jupyter protocol.

While there is no kernel it answers what can be answered, keeps execute requests in order and shows in
the first of them why they wait. When the kernel is there it hands them over and passes every message
through untouched. When the job has ended it says so, and stays.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import zmq
import zmq.asyncio

from ..guest import wire
from . import answers
from .loop import in_thread

log = logging.getLogger(__name__)

CHANNELS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
_Cell = tuple[list[bytes], Mapping[str, Any]]
_KINDS = {"shell": zmq.ROUTER, "iopub": zmq.XPUB, "stdin": zmq.ROUTER, "control": zmq.ROUTER, "hb": zmq.REP}


class Phase(Enum):
    """What stands behind the front."""

    WAITING = "waiting"
    READY = "ready"
    ENDED = "ended"


class Owner(Protocol):
    """Whom the front serves: the launch."""

    def to_kernel(self, channel: str, frames: Sequence[bytes]) -> None:
        """Pass a client's message to the kernel. Called in phase READY only."""

    def interrupt(self) -> None:
        """A client asked by message to interrupt."""

    def shutdown(self, *, restart: bool) -> None:
        """A client asked by message to shut down; called in every phase, before it is passed on."""


class Front:
    """Five ipc sockets in a private directory, and what is waiting behind them. In the edge loop."""

    def __init__(self, directory: Path, key: bytes, owner: Owner) -> None:
        self.ip = str(directory / "front")
        self._directory = directory
        self.key = key
        self.phase = Phase.WAITING
        self.ipykernel: str | None = None
        self._owner = owner
        self._session = uuid.uuid4().hex
        self._context = zmq.asyncio.Context()
        self._sockets: dict[str, zmq.asyncio.Socket] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._held: list[tuple[str, list[bytes]]] = []
        self._running: dict[str, _Cell] = {}
        self._shown: Mapping[str, Any] | None = None
        self._text = ""
        self._failure = answers.failure("JobEnded", "the job has ended")

    @property
    def connection_info(self) -> dict[str, Any]:
        """What clients connect to, as in Jupyter's connection file."""
        ports: dict[str, Any] = {f"{name}_port": port for name, port in CHANNELS.items()}
        return ports | {"transport": "ipc", "ip": self.ip, "key": self.key, "signature_scheme": "hmac-sha256"}

    def open(self) -> None:
        """Listen. Called again for a restart, because jupyter_client removes the ipc files then.

        The directory is left without write permission (0500), so that it cannot: a socket that is bound twice
        keeps a descriptor more. Where it could all the same, as root can, the files are made anew.
        """
        self._opened = datetime.now(timezone.utc)
        self._directory.chmod(0o700)
        for name, kind in _KINDS.items():
            path = f"{self.ip}-{CHANNELS[name]}"
            if name not in self._sockets:
                socket = self._context.socket(kind)
                socket.linger = 500
                socket.sndhwm = socket.rcvhwm = 0
                if kind == zmq.XPUB:
                    socket.xpub_verbose = True  # tell of every subscriber, not of the first alone
                self._sockets[name] = socket
                self._tasks.append(asyncio.create_task(self._serve(name, socket)))
            if not Path(path).exists():
                self._sockets[name].bind(f"ipc://{path}")
        self._directory.chmod(0o500)

    async def close(self) -> None:
        """Stop listening; messages on their way out get half a second."""
        self._directory.chmod(0o700)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in self._sockets.values():
            socket.close()
        await in_thread(self._context.term)

    # -- what the launch tells

    def say(self, text: str) -> None:
        """Show in the waiting cell, in place, why it waits."""
        self._text = text
        if self._shown is not None:
            self._publish("update_display_data", self._display(), self._shown)

    def ready(self) -> None:
        """The kernel is there: hand over what waits, in order."""
        self.phase = Phase.READY
        if self._shown is not None:
            self._publish("clear_output", {"wait": False}, self._shown)
            self._shown = None
        held, self._held = self._held, []
        for channel, frames in held:
            self._forward(channel, frames)

    def wait(self) -> None:
        """There is no kernel (any more) but there will be one: a restart, or a new job."""
        self.phase = Phase.WAITING
        self._end_cells(self._take_running(), answers.failure("KeyboardInterrupt", "the kernel was restarted"))

    def end(self, name: str, value: str, *, log_tail: str = "") -> None:
        """The job is over: end the running and the waiting cells with the reason, and keep saying it."""
        self.phase = Phase.ENDED
        self._failure = answers.failure(name, value, log_tail=log_tail)
        self.fail(self._failure)

    def fail(self, failure: Mapping[str, Any]) -> None:
        """End every running and waiting cell with an error: the first shows it, the others are aborted."""
        self._end_cells(self._take_running() + self._take_held(), failure)

    def abort(self, why: str) -> None:
        """Abort the waiting cells; the first says why."""
        self._end_cells(self._take_held(), answers.failure("KeyboardInterrupt", why))

    def from_kernel(self, channel: str, frames: list[bytes | zmq.Frame]) -> None:
        """Pass a kernel's message to its client, or on iopub to all."""
        if channel == "iopub" and self.phase is Phase.WAITING and _welcomes(frames):
            return  # the agent's subscription is none of the clients'; each of theirs has been welcomed here
        if channel == "shell" and self._running:
            self._note_reply([f.bytes if isinstance(f, zmq.Frame) else f for f in frames[:5]])
        self._sockets[channel].send_multipart(frames, copy=False)

    # -- what clients send

    async def _serve(self, name: str, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            try:
                self._receive(name, frames)
            except (ValueError, KeyError, TypeError, IndexError):  # of one bad message, not of the channel
                log.exception("a message on %s could not be read", name)

    def _receive(self, name: str, frames: list[bytes]) -> None:
        if name == "hb":
            self._sockets[name].send_multipart(frames)
        elif name == "iopub":
            self._welcome(frames[0])
        else:
            self._on_client(name, frames)

    def _welcome(self, frame: bytes) -> None:
        # JEP 65: a subscriber is told when its subscription has arrived.
        if frame[:1] == b"\x01":
            self._publish("iopub_welcome", {"subscription": frame[1:].decode(errors="replace")}, {}, topic=frame[1:])

    def _on_client(self, channel: str, frames: list[bytes]) -> None:
        if channel == "control" or self.phase is not Phase.READY:
            message = wire.unpack(self.key, frames)
            if message is None or self._handled(channel, message):
                return
        self._forward(channel, frames) if self.phase is Phase.READY else self._hold(channel, frames)

    def _handled(self, channel: str, message: wire.Message) -> bool:
        kind, ready = message.kind, self.phase is Phase.READY
        if kind == "shutdown_request":
            restart = bool(message.content.get("restart"))
            if ready or not message.is_older(self._opened):  # else its manager has gone on without it
                self._owner.shutdown(restart=restart)
            if not ready:
                self._reply(channel, message, {"status": "ok", "restart": restart})
            return not ready
        if kind == "interrupt_request":
            self._owner.interrupt()
            self._reply(channel, message, {"status": "ok"})
            return True
        if ready:
            return False
        if kind == "execute_request" and self.phase is Phase.ENDED:
            self._status("busy", message.header)
            self._finish(list(message.idents), message.header, self._failure)
            return True
        content = answers.stand_in(kind, message.content, self.ipykernel)
        if content is None:
            return self.phase is Phase.ENDED
        self._reply(channel, message, content)
        return True

    def _hold(self, channel: str, frames: list[bytes]) -> None:
        self._held.append((channel, frames))
        message = wire.unpack(self.key, frames)
        if message is None or message.kind != "execute_request":
            return
        self._status("busy", message.header)
        if self._shown is None and not message.content.get("silent"):
            self._shown = message.header
            self._publish("display_data", self._display(), message.header)

    def _forward(self, channel: str, frames: list[bytes]) -> None:
        if channel == "shell":
            at = frames.index(wire.DELIMITER) if wire.DELIMITER in frames else 0
            if b'"execute_request"' in frames[at + 2]:
                header = json.loads(frames[at + 2])
                self._running[header["msg_id"]] = (frames[:at], header)
        self._owner.to_kernel(channel, frames)

    # -- what the front itself sends

    def _note_reply(self, frames: list[bytes]) -> None:
        at = frames.index(wire.DELIMITER) if wire.DELIMITER in frames else 0
        if len(frames) > at + 3 and b'"execute_reply"' in frames[at + 2]:
            self._running.pop(json.loads(frames[at + 3]).get("msg_id", ""), None)

    def _take_running(self) -> list[_Cell]:
        running = list(self._running.values())
        self._running.clear()
        return running

    def _take_held(self) -> list[_Cell]:
        held, self._held = self._held, []
        messages = [wire.unpack(self.key, frames) for _, frames in held]
        return [(list(m.idents), m.header) for m in messages if m is not None and m.kind == "execute_request"]

    def _end_cells(self, cells: Sequence[_Cell], failure: Mapping[str, Any]) -> None:
        for number, (idents, header) in enumerate(cells):
            self._finish(idents, header, None if number else failure)

    def _finish(self, idents: list[bytes], header: Mapping[str, Any], failure: Mapping[str, Any] | None) -> None:
        if self._shown is not None and self._shown.get("msg_id") == header.get("msg_id"):
            self._publish("clear_output", {"wait": True}, header)
            self._shown = None
        content: dict[str, Any] = {"status": "aborted"}
        if failure is not None:
            self._publish("error", failure, header)
            content = {"status": "error", "execution_count": 0, "user_expressions": {}, "payload": [], **failure}
        self._send("shell", "execute_reply", content, header, idents)
        self._status("idle", header)

    def _reply(self, channel: str, message: wire.Message, content: Mapping[str, Any]) -> None:
        self._status("busy", message.header)
        self._send(channel, message.kind.replace("_request", "_reply"), content, message.header, message.idents)
        self._status("idle", message.header)
        if self.phase is Phase.WAITING:
            # With a parent: jupyter_server keeps a WebSocket back while it has heard "starting" without one.
            self._status("starting", message.header)

    def _display(self) -> dict[str, Any]:
        shown = self._shown or {}
        return {
            "data": answers.notice(self._text),
            "metadata": {},
            "transient": {"display_id": f"hpcctr-{shown.get('msg_id', '')}"},
        }

    def _status(self, state: str, parent: Mapping[str, Any]) -> None:
        self._publish("status", {"execution_state": state}, parent)

    def _publish(self, kind: str, content: Mapping[str, Any], parent: Mapping[str, Any], *, topic: bytes = b"") -> None:
        self._send("iopub", kind, content, parent, [topic or f"kernel.{self._session}.{kind}".encode()])

    def _send(
        self, channel: str, kind: str, content: Mapping[str, Any], parent: Mapping[str, Any], idents: Sequence[bytes]
    ) -> None:
        frames = wire.pack(self.key, kind, content, session=self._session, parent=parent, idents=idents)
        self._sockets[channel].send_multipart(frames)


def _welcomes(frames: Sequence[bytes | zmq.Frame]) -> bool:
    head = [frame.bytes if isinstance(frame, zmq.Frame) else frame for frame in frames[:4]]
    return wire.DELIMITER in head[:-2] and b'"iopub_welcome"' in head[head.index(wire.DELIMITER) + 2]
