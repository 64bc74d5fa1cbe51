"""The kernel's checkpoint: code that the user has registered in the kernel, run there before the job's end.

The kernel (``guest/checkpoint``) says by a socket file in its own directory what is registered, and is told there to
run it. No server is needed. The server is told of every change, for people, and says when the job's end has moved.

A request is a JSON object with ``op`` and, where an answer is wanted, ``id``; the answer has all of
``Checkpoint.view``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from ..protocol.values import JobPlan
from . import room
from .deadline import Deadline, first_end

log = logging.getLogger("hpcctr.agent")

ERROR_CHARS, RESTORE_CHARS = 1000, 8000
_IDLE = {"state": "none", "at": None, "error": ""}


class Checkpoint:
    """What is registered in the kernel that runs, and when it is to be run.

    Parameters
    ----------
    plan : JobPlan
        The launch's plan.
    before_s : float
        How long before the end, where the user does not say.
    tell : callable
        Tells the server.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        plan: JobPlan,
        before_s: float,
        tell: Callable[..., None],
    ) -> None:
        self._path, self._before_s, self._tell = f"{plan.run_dir}/kernel/checkpoint", before_s, tell
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self._deadline = Deadline(first_end(plan.time_minutes, os.environ, began=time.time() - room.age_s()))
        self._kernel: list[bytes] = []
        self._status: dict[str, Any] = dict(_IDLE)
        self._restore: str | None = None  # "" where it was taken back
        self._told: dict[str, Any] = {}
        self._signalled = False
        self._last_until: float | None = None

    @property
    def view(self) -> dict[str, Any]:
        """What is known, as JSON: moments are in seconds since 1970, ``runs`` is None where no clock will run it."""
        deadline = self._deadline
        known = {"end": deadline.end, "runs": deadline.runs, "before_s": deadline.before_s, "restore": self._restore}
        return {**self._status, **known}

    def open(self) -> None:
        """Listen; the kernel's directory is there now. Called again when that had to be made again."""
        self.socket.bind(f"ipc://{self._path}")

    def signal(self) -> None:
        """The scheduler has sent its signal; called in a signal handler."""
        self._signalled = True

    def move(self, end: float) -> None:
        """The server says when the job ends."""
        if self._deadline.move(end):
            self._report()

    def turn(self) -> None:
        """Hear what the kernel says, and have the checkpoint run when it is time."""
        self._read()
        now, signalled, self._signalled = time.time(), self._signalled, False
        if self._status["state"] == "running":
            return
        if self._deadline.is_due(now) or (signalled and self._deadline.is_due_on_signal(now)):
            self._run(" at the scheduler's signal" if signalled else "")

    def holds_up(self) -> bool:
        """The job would end now, for another reason than its time limit: whether its checkpoint still runs.

        At the first call it is told to run, whether it has run before or not. It has as long as before the
        job's time limit. Once a server is back, all this begins from the beginning.
        """
        now, before_s = time.time(), self._deadline.before_s
        if self._last_until is None and before_s is not None:
            self._last_until = now + before_s
            if self._status["state"] != "running":
                self._run(", for the job is to end")
        over = self._status["state"] not in ("due", "running")
        return not over and self._last_until is not None and now < self._last_until

    def _run(self, why: str) -> None:
        self._deadline.begin()
        self._become("due")
        log.info("the kernel is told to run its checkpoint%s", why)
        self.socket.send_multipart([*self._kernel, b'{"op":"run"}'])

    def greet(self) -> None:
        """Tell the server, which is a new one or has been away, what it may not know, if there is anything."""
        self._last_until = None
        self._report()

    def _report(self) -> None:
        if self._told or self._status["state"] != "none" or self._restore is not None:
            self._told = {name: value for name, value in self.view.items() if name != "end"}
            self._tell("checkpoint", **self._told)

    def end(self) -> None:
        """The kernel has ended, and what was registered with it."""
        self._kernel, self._restore = [], None
        self._deadline.set(None)
        self._become("none")

    def close(self) -> None:
        """Hear the kernel's last word, and listen no more."""
        self._read()
        self.socket.close()

    def _read(self) -> None:
        while True:
            try:
                *route, text = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            with contextlib.suppress(ValueError, KeyError, TypeError):  # not ours
                self._hear(route, json.loads(text))

    def _hear(self, route: list[bytes], said: Mapping[str, Any]) -> None:
        op = said["op"]
        if op == "register":
            self._kernel = route
            self._deadline.set(self._before_s if said["before_s"] is None else float(said["before_s"]))
            self._become("registered")
        elif op == "clear":
            self._deadline.set(None)
            self._become("none")
        elif op == "restore":
            self._restore = str(said["code"])[:RESTORE_CHARS]
            self._become(**self._status)
        elif op == "running":
            self._become("running")
        elif op == "ran":
            error = str(said["error"])[:ERROR_CHARS]
            log.info("the checkpoint has %s", f"failed: {error}" if error else "run")
            self._become("failed" if error else "done", at=time.time(), error=error)
        if "id" in said:
            self.socket.send_multipart([*route, json.dumps({"id": said["id"], **self.view}).encode()])

    def _become(self, state: str, **more: Any) -> None:
        self._status = {**_IDLE, **more, "state": state}
        if {name: value for name, value in self.view.items() if name != "end"} != self._told:
            self._report()
