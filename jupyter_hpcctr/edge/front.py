"""The local face of a kernel that may still be queued: five sockets that speak the Jupyter protocol.

While there is no kernel it answers what can be answered, keeps execute requests in order and shows in
the first of them why they wait. When the kernel is there it hands them over and passes every message
through untouched. When the job has ended it says so, and stays.

A kernel that is awaited is *busy* while cells wait for it, and *idle* otherwise: clients that wait for a
kernel to be idle before they send anything get on, and none takes it for idle that has work. It says so
again and again, in messages that count as activity, so that no idle kernel's time limit ends its job in the queue.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import zmq

from ..guest import wire
from . import answers
from .behind import Owner, Phase
from .cells import Cell, Cells
from .sockets import CHANNELS, Curve, Sockets

STAY_S = 10.0
"""How often an awaited kernel shows activity: more often than anybody lets kernels be idle."""
DEATH_S = 5.0
"""How long a dead kernel's cells have no reply, so that whoever manages it sees that it is dead before a cell fails."""


class Front:
    """What clients find in a kernel's place, on ``sockets`` in a private directory. In the edge loop."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        directory: Path,
        key: bytes,
        owner: Owner,
        curve: Curve | None = None,
    ) -> None:
        self.key = key
        self._curve = curve
        self.phase = Phase.WAITING
        self.ipykernel: str | None = None
        self._owner = owner
        self._session = uuid.uuid4().hex
        self.sockets = Sockets(context, directory, self._receive, curve)
        self._staying: asyncio.Task[None] | None = None
        self._closed = False
        self._cells = Cells()
        self._dead: list[Cell] = []
        self._burying: asyncio.TimerHandle | None = None
        self._shown: Mapping[str, Any] | None = None
        self._text = ""
        self._failure: Mapping[str, Any] = answers.failure("JobEnded", "the job has ended")

    @property
    def connection_info(self) -> dict[str, Any]:
        """What clients connect to, as in Jupyter's connection file."""
        ports: dict[str, Any] = {f"{name}_port": port for name, port in CHANNELS.items()}
        if self._curve is not None:
            ports["curve_publickey"] = self._curve.public.decode()
            ports["curve_secretkey"] = self._curve.secret.decode()
        return ports | {"transport": "ipc", "ip": self.sockets.ip, "key": self.key, "signature_scheme": "hmac-sha256"}

    def open(self) -> None:
        """Listen. Called again for a restart, as ``Sockets.open``."""
        self._opened = datetime.now(timezone.utc)
        self.sockets.open()
        if self._staying is None:
            self._staying = asyncio.create_task(self._stay())

    async def close(self) -> None:
        """Stop listening, at once: a server that leaves its kernel asks it to shut down. What is said here gets out."""
        self._closed = True
        self._answer_dead()
        if self._staying is not None:
            self._staying.cancel()
            await asyncio.gather(self._staying, return_exceptions=True)
        self.sockets.close()

    def restore(self, *, shown: bool) -> None:
        """Take over the cells of another process: its clients wait for their replies.

        ``shown``: the kernel was never there, and the first cell shows why it waits.
        """
        for frames in () if self.sockets.requests is None else self.sockets.requests.open():
            message = wire.unpack(self.key, frames)
            if message is None or self._cells.hold("again", frames, message) is None:
                continue
            if shown and self._shown is None and not message.content.get("silent"):
                self._shown = message.header

    # -- what the launch tells

    def say(self, text: str) -> None:
        """Show in the waiting cell, in place, why it waits."""
        self._text = text
        if self._shown is not None:
            self._publish("update_display_data", self._display(), self._shown)

    def ready(self) -> None:
        """The kernel is there: hand over what waits, in order."""
        self.phase = Phase.READY
        self.sockets.complete()
        if self._shown is not None:
            self._publish("clear_output", {"wait": False}, self._shown)
            self._shown = None
        if self._cells.first is None:
            self._status("idle", {})
        for channel, frames in self._cells.take_messages():
            self._forward(channel, frames)

    def hold(self) -> None:
        """Keep what clients send; the cells that run are still open."""
        self.phase = Phase.WAITING

    def wait(self, name: str, why: str) -> None:
        """There is no kernel (any more) but there will be one: end the running cells with the reason."""
        self.phase = Phase.WAITING
        self._answer_dead()
        self._end_cells(self._cells.take_running(), answers.failure(name, why))

    def died(self, failure: Mapping[str, Any]) -> None:
        """The kernel's process has ended by itself: show it at once in the cell that ran.

        The cells' replies come when the kernel is started again, or after ``DEATH_S``: until then whoever manages the
        kernel sees that it is dead, as with a kernel on its own machine. nbclient raises ``DeadKernelError`` then.
        """
        self.phase = Phase.WAITING
        self._answer_dead()
        self._failure = failure
        self._dead = self._cells.take_running()
        if self._dead:
            self._publish("error", failure, self._dead[0].header)
            self._burying = asyncio.get_running_loop().call_later(DEATH_S, self._answer_dead)

    def end(self, name: str, value: str, *, log_tail: str = "") -> None:
        """The job is over: end the running and the waiting cells with the reason, and keep saying it."""
        self.phase = Phase.ENDED
        self._answer_dead()
        self._failure = answers.failure(name, value, log_tail=log_tail)
        self._end_cells(self._cells.take_running() + self._cells.take_waiting(), self._failure)

    def abort(self, why: str) -> None:
        """Abort the waiting cells; the first says why."""
        self._end_cells(self._cells.take_waiting(), answers.failure("KeyboardInterrupt", why))

    def from_kernel(self, channel: str, frames: Sequence[bytes]) -> None:
        """Pass a kernel's message to its client, or on iopub to all."""
        if self._closed or (channel == "iopub" and self.phase is Phase.WAITING and answers.are_given_here(frames)):
            return  # the latter are between kernel and agent
        if channel == "shell":
            self._cells.answered(frames)
        self.sockets.send(channel, frames)

    # -- what clients send

    def _receive(self, name: str, frames: list[bytes]) -> None:
        if self._closed:
            return
        if name == "hb":
            self.sockets.send(name, frames)
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
            if self.phase is not Phase.READY:
                self._hold(channel, frames, message)
                return
        self._forward(channel, frames)

    def _handled(self, channel: str, message: wire.Message) -> bool:
        kind, ready = message.kind, self.phase is Phase.READY
        if kind == "shutdown_request":
            restart = bool(message.content.get("restart"))
            passes = ready
            if ready or not message.is_older(self._opened):  # else its manager has gone on without it
                passes = self._owner.shutdown(restart=restart) and ready
            if not ready:
                self._reply(channel, message, {"status": "ok", "restart": restart})
            return not passes
        if kind == "interrupt_request":
            self._owner.interrupt()
            self._reply(channel, message, {"status": "ok"})
            return True
        if ready:
            return False
        if kind == "execute_request" and self.phase is Phase.ENDED:
            self._status("busy", message.header)
            self._finish(Cell(list(message.idents), message.header), self._failure)
            return True
        content = answers.stand_in(kind, message.content, self.ipykernel)
        if content is None:
            return self.phase is Phase.ENDED
        self._reply(channel, message, content)
        return True

    def _hold(self, channel: str, frames: list[bytes], message: wire.Message) -> None:
        if self._cells.hold(channel, frames, message) is None:
            return
        self._status("busy", message.header)
        if self._shown is None and not message.content.get("silent"):
            self._shown = message.header
            self._publish("display_data", self._display(), message.header)

    def _forward(self, channel: str, frames: list[bytes]) -> None:
        cell = self._cells.passed_on(frames) if channel in ("shell", "again") else None
        if not self._owner.to_kernel(channel, frames) and cell is not None:
            self._cells.refuse(cell)
            self._finish(cell, answers.failure("KernelUnreachable", answers.UNREACHABLE))

    # -- what the front itself sends

    async def _stay(self) -> None:
        while True:
            await asyncio.sleep(STAY_S)
            if self.phase is Phase.WAITING:
                self._rest()

    def _rest(self) -> None:
        """Say for everybody whether there is work. This counts as activity, unlike what concerns one request alone.

        Idle only with the request that was answered, a kernel would seem idle while cells wait for it; JupyterLab
        does not listen at all to a status that concerns a ``kernel_info_request``.
        """
        cell = next(iter(self._dead), None) or self._cells.first
        self._status("idle", {}) if cell is None else self._status("busy", cell.header)

    def _answer_dead(self) -> None:
        if self._burying is not None:
            self._burying.cancel()
        dead, self._dead = self._dead, []
        self._end_cells(dead, self._failure, shown=True)

    def _end_cells(self, cells: Sequence[Cell], failure: Mapping[str, Any], *, shown: bool = False) -> None:
        """End cells with an error: the first shows it unless that is done, the others are aborted."""
        for number, cell in enumerate(cells):
            self._finish(cell, None if number else failure, shown=shown)

    def _finish(self, cell: Cell, failure: Mapping[str, Any] | None, *, shown: bool = False) -> None:
        idents, header = cell
        if self._shown is not None and self._shown.get("msg_id") == header.get("msg_id"):
            self._publish("clear_output", {"wait": True}, header)
            self._shown = None
        content: dict[str, Any] = {"status": "aborted"}
        if failure is not None:
            if not shown:
                self._publish("error", failure, header)
            content = {"status": "error", "execution_count": 0, "user_expressions": {}, "payload": [], **failure}
        self._send("shell", "execute_reply", content, header, idents)
        self._status("idle", header)

    def _reply(self, channel: str, message: wire.Message, content: Mapping[str, Any]) -> None:
        self._status("busy", message.header)
        self._send(channel, message.kind.replace("_request", "_reply"), content, message.header, message.idents)
        self._status("idle", message.header)
        if self.phase is not Phase.READY:
            self._rest()

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
        self.sockets.send(channel, frames)
