"""One submitted job, the agent in it, and the way to both; in the edge loop.

A launch has one at a time. A restart after a job's end makes a new one, and what the old one's agent or
scheduler still say reaches nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import zmq

from ..core.job import JobId, JobState, JobStatus
from ..core.plan import LaunchPlan
from ..edge import files
from ..edge.loop import in_thread
from .hub import Hub
from .secret import entrust

FAREWELL_S = 3.0


class Listener(Protocol):
    """Who is told what becomes of the job: the launch."""

    def on_status(self, status: JobStatus) -> None:
        """The scheduler says something new of the job."""

    def on_event(self, event: Mapping[str, Any]) -> None:
        """The agent says something."""

    def from_kernel(self, channel: str, frames: list[zmq.Frame]) -> None:
        """The kernel says something."""


class Allocation:
    """A plan that is submitted, until it is ended and forgotten.

    ``connected`` is whether the agent is there: it has said hello and not goodbye. Messages for an agent
    whose connection has dropped wait until it is heard again.
    """

    def __init__(self, hub: Hub, plan: LaunchPlan, listener: Listener) -> None:
        self.plan = plan
        self.job: JobId | None = None
        self.connected = False
        self.over = False
        self._hub = hub
        self._listener: Listener | None = listener
        self._key = ""
        self._gone = asyncio.Event()

    async def submit(self, kernel_key: str) -> None:
        """Write what the agent must know, submit, and watch the job.

        A submission that is abandoned while the scheduler thinks is cancelled once its job is known.

        Raises
        ------
        SchedulerError, CommandError, OSError
            It was not submitted; nothing is left of it.
        """
        scheduler = self._hub.scheduler(self.plan.scheduler)
        try:
            self._key = await entrust(self._hub, self.plan, kernel_key, self._from_agent)
            asking = asyncio.ensure_future(self._hub.run(self.plan.scheduler, self.plan.submit))
            try:
                self.job = scheduler.submitted(await asyncio.shield(asking))
            except asyncio.CancelledError:
                self.job = scheduler.submitted(await asking)
                await self.end()
                raise
        except BaseException:
            if self.job is None and self.connected:
                self.command(command="end")  # it was submitted after all: its agent is there
            await self.forget()
            raise
        watch = self._hub.watch(self.plan.scheduler)
        watch.add(self.job, self._on_status, alive=lambda: self.connected and self._hub.link.hears(self._key))

    # -- to the agent

    def send(self, channel: bytes, frames: Sequence[bytes | zmq.Frame]) -> bool:
        """Send to the agent, now or when it is heard again; False where there is no room to keep more."""
        return self._hub.link.send(self._key, channel, frames)

    def command(self, **what: Any) -> None:
        """Tell the agent what to do."""
        self._hub.link.command(self._key, **what)

    # -- from the agent and the scheduler

    def _from_agent(self, channel: bytes, frames: list[zmq.Frame]) -> None:
        if channel == b"silence":
            self._hub.watch(self.plan.scheduler).poke()
            return
        if channel == b"event":
            self._on_event(json.loads(frames[0].bytes))
        elif self._listener is not None:
            self._listener.from_kernel(channel.decode(), frames)

    def _on_event(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "hello":
            self.connected = True
            if self.plan.resources.time_minutes is None or self.plan.resources.nodes > 1:
                self._hub.watch(self.plan.scheduler).poke()  # who else could say the nodes, and when the job ends
        elif event["event"] == "bye":
            self.connected = False
            self._gone.set()
            self._hub.watch(self.plan.scheduler).poke()
        if self._listener is not None:
            self._listener.on_event(event)

    def _on_status(self, status: JobStatus) -> None:
        if status.state is JobState.ENDED:
            self.connected, self.over = False, True
            self._gone.set()
            self._hub.watch(self.plan.scheduler).remove(status.job_id)
        if self._listener is not None:
            self._listener.on_status(status)

    # -- the end

    async def log_tail(self) -> str:
        """Return the last lines of the job's log."""
        return await in_thread(files.tail, Path(self.plan.log_file))

    async def end(self) -> None:
        """End the job, by its agent where that is there, else by the scheduler; told to nobody any more."""
        self._listener = None
        if self.job is None or self.over:
            return
        watch = self._hub.watch(self.plan.scheduler)
        watch.remove(self.job)
        if self.connected:
            self.command(command="end")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._gone.wait(), FAREWELL_S)
            for _ in range(10):
                status = await watch.settle(self.job)
                if status is not None and status.state is JobState.ENDED:
                    return
                await asyncio.sleep(0.1)
        await self._hub.cancel(self.plan.scheduler, self.job)

    async def forget(self) -> None:
        """Let the agent in no more, watch no more, and remove the files."""
        self._listener = None
        if self._key:
            self._hub.link.dismiss(self._key)
        if self.job is not None:
            self._hub.watch(self.plan.scheduler).remove(self.job)
        await in_thread(shutil.rmtree, self.plan.job_dir, ignore_errors=True)
