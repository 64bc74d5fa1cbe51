"""The kernel's door to its ranks: the agent starts the ranks' hub when ``%%mpirun`` first asks for it.

The door is a socket file in the kernel's own directory. A request is ``{"op": "ranks"}``; the answer is
``{"ok": true}`` when the hub has its own socket beside the door, else ``{"ok": false, "why": …}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import zmq

from ..protocol import codec
from ..protocol.values import JobPlan
from . import room
from .children import Child

if TYPE_CHECKING:
    from ..protocol.tasks import HubTask

START_S = 20.0
END_S = 2.0
TICK_MS = 10


class Ranks:
    """At most one hub, of the kernel that runs.

    Parameters
    ----------
    plan : JobPlan
        The launch's plan.
    output : int
        File descriptor into which the hub prints, and what it starts.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], plan: JobPlan, output: int) -> None:
        self._plan, self._output = plan, output
        self._dir = f"{plan.run_dir}/kernel"
        self._image_env: dict[str, str] = {}
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self._waiting: list[list[bytes]] = []
        self._hub: Child | None = None
        self._ready = False
        self._until = 0.0
        self._ending: list[tuple[Child, float]] = []

    @property
    def haste_ms(self) -> int | None:
        """After how long to be called again, for as long as somebody waits or a hub is to end."""
        return TICK_MS if self._waiting or self._ending else None

    def open(self, image_env: Mapping[str, str]) -> None:
        """Open the door; the kernel's directory is there now. Called again when that had to be made again."""
        self._image_env = dict(image_env)
        self.socket.bind(f"ipc://{self._dir}/agent")

    def turn(self, *, kernel: Child | None, holder_pid: str) -> None:
        """Read what is asked, start or look after the hub, and answer when it is there."""
        self._read()
        self._reap()
        if self._waiting and kernel is None:
            self._answer("the kernel is not there")
        elif self._waiting and self._hub is None and not self._ending:
            self._start(kernel_pid=0 if kernel is None else kernel.pid, holder_pid=holder_pid)
        if self._waiting and self._hub is not None:
            self._look()

    def end(self) -> None:
        """End the hub, whose kernel has ended, without waiting; it ends its ranks."""
        if self._hub is not None:
            self._hub.signal(signal.SIGTERM)
            self._ending.append((self._hub, time.monotonic() + END_S))
            self._hub = None

    def close(self) -> None:
        """End the hub and wait for that, ``END_S`` seconds at most; shut the door."""
        self.end()
        for hub, until in self._ending:
            hub.end(patience_s=max(0.1, until - time.monotonic()))
        self._ending.clear()
        self.socket.close()

    def _read(self) -> None:
        while True:
            try:
                *route, text = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            with contextlib.suppress(ValueError):
                if json.loads(text) == {"op": "ranks"}:
                    self._waiting.append(route)

    def _reap(self) -> None:
        now = time.monotonic()
        for each in tuple(self._ending):
            hub, until = each
            if hub.code is not None or now > until:
                hub.end(patience_s=0)  # what it has left behind in its group, too
                self._ending.remove(each)

    def _start(self, *, kernel_pid: int, holder_pid: str) -> None:
        file = f"{self._plan.run_dir}/ranks.json"
        try:
            for path in (file, f"{self._dir}/ranks"):  # of a hub that was killed
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            room.write(file, codec.to_json(self._task(kernel_pid, holder_pid)))
            words = (*self._plan.ranks.hub_argv, file)
            self._hub = Child(words, env=os.environ, cwd=self._plan.run_dir, output=self._output)
        except OSError as error:
            self._answer(f"the ranks' hub cannot be started: {error}")
            return
        self._ready, self._until = False, time.monotonic() + START_S

    def _task(self, kernel_pid: int, holder_pid: str) -> HubTask:
        from ..protocol.tasks import HubTask  # here: few kernels have ranks, and every agent is to start fast

        plan = self._plan
        return HubTask(
            env=plan.env,
            image_env=self._image_env,
            pass_env=plan.pass_env,
            drop_env=plan.drop_env,
            plan=plan.ranks,
            run_dir=plan.run_dir,
            workdir=plan.workdir,
            dir=self._dir,
            dir_inside=plan.kernel_dir,
            holder_pid=holder_pid,
            kernel_pid=kernel_pid,
            node=plan.ranks.node(os.environ),
            plain=False,
        )

    def _look(self) -> None:
        assert self._hub is not None  # noqa: S101  (turn)
        code = self._hub.code
        if code is not None:
            self._hub.end(patience_s=0)
            self._hub = None
            if not self._ready:  # else it served before, and the next turn starts another
                self._answer(f"the ranks' hub ended with status {code}; the job's log says why")
        elif os.path.exists(f"{self._dir}/ranks"):
            self._ready = True
            self._answer(None)
        elif time.monotonic() > self._until:
            self.end()
            self._answer(f"the ranks' hub did not start in {START_S:g} s; the job's log may say why")

    def _answer(self, why: str | None) -> None:
        said = {"ok": True} if why is None else {"ok": False, "why": why}
        for route in self._waiting:
            self.socket.send_multipart([*route, json.dumps(said).encode()])
        self._waiting.clear()
