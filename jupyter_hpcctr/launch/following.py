"""The half of a launch that listens: what the scheduler and the agent say, and what follows from it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import zmq

from ..core import story
from ..core.job import JobState, JobStatus
from ..core.request import KernelRequest
from ..edge import answers
from ..edge.front import Front, Owner, Phase
from .allocation import Allocation
from .observers import Observers
from .progress import Progress

log = logging.getLogger(__name__)

VERDICT_S = 20.0  # for the scheduler to say how a job ended whose agent has said goodbye


class Following(Owner):
    """Follows one allocation at a time; what is said of any other is old.

    ``exit_code`` is the kernel process's status while there is none, None while there is one or will be.
    """

    def __init__(self, observers: Observers, front: Front, launch: str, request: KernelRequest) -> None:
        self.exit_code: int | None = None
        self.allocation: Allocation | None = None
        self._front = front
        self._progress = Progress(observers, self._front, launch, request)
        self._starts = 1
        self._expected = self._died = False
        self._cause = ""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def phases(self) -> Mapping[str, float]:
        """Seconds from the start of the launch to each stage that it has reached."""
        return self._progress.phases

    # -- the scheduler

    def on_status(self, status: JobStatus) -> None:
        """Show why the kernel waits, or how its job ended."""
        allocation = self.allocation
        if allocation is None:
            return
        if status.state is JobState.ENDED:
            self._spawn(self._tell_end(allocation, status))
            return
        known = {"reason": status.reason, "expected_start": status.expected_start, "end_time": status.end_time}
        nodes = {"nodes": status.nodes} if status.nodes else {}
        if self._front.phase is Phase.WAITING and not allocation.connected:
            state = "starting" if status.state is JobState.RUNNING else "pending"
            text = story.waiting(allocation.plan.scheduler, status)
            self._progress.say(text, state=state, **known, **nodes)
        elif status.state is JobState.RUNNING:  # else it is old: the agent is there
            self._progress.tell(**known, **nodes)

    async def _tell_end(self, allocation: Allocation, status: JobStatus) -> None:
        tail = await allocation.log_tail()
        if allocation is not self.allocation or self._front.phase is Phase.ENDED:
            return
        plan = allocation.plan
        text = story.ended(plan.scheduler, status, time_limit_minutes=plan.resources.time_minutes, cause=self._cause)
        log.info("%s", text)
        # A job's end is no crash of a kernel, even if that died first: nothing may start it by itself.
        self.exit_code = 0 if self._expected else None
        self._front.end("JobEnded", text, log_tail=tail)
        self._progress.ended(text, status.ending)

    # -- the agent

    def from_kernel(self, channel: str, frames: list[zmq.Frame]) -> None:
        """Pass a kernel's message to its clients."""
        self._front.from_kernel(channel, list(frames))

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Follow the agent; news of a start that is no longer the last one is old."""
        kind = event["event"]
        if kind == "hello":
            self._on_hello(event)
        elif kind == "image":
            self._progress.mark("image ready")
        elif kind == "failed":
            self._cause = str(event["why"])
        elif kind == "bye":
            self._on_bye(str(event["why"]))
        elif event.get("start") != self._starts:
            return
        elif kind == "ready":
            self._on_ready()
        elif kind == "exited":
            self._on_exit(int(event["code"]), was_ready=bool(event["ready"]))

    def _on_hello(self, event: Mapping[str, Any]) -> None:
        age_s = float(event["age_s"])
        self._progress.mark("queued", before=age_s)
        self._progress.mark("node up")
        node = str(event.get("node") or event.get("host"))
        known: dict[str, Any] = {"reason": "", "expected_start": None}
        if not self._progress.view.nodes:
            known["nodes"] = node
        if self._progress.view.end_time is None:
            known["end_time"] = self._end_time(age_s)
        text = f"The job runs on {node}; the kernel is starting …"
        self._progress.say(text, state="starting", **known)

    def _end_time(self, age_s: float) -> str | None:
        """Reckon when the time limit ends the job, until the scheduler says it."""
        limit = None if self.allocation is None else self.allocation.plan.resources.time_minutes
        if limit is None:
            return None
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - age_s + limit * 60))

    def _on_ready(self) -> None:
        if self._expected:
            return  # it was asked to end meanwhile, and is taken to have done so
        self._progress.mark("kernel ready")
        self.exit_code = None
        self._front.ready()
        self._tell_running()

    def _tell_running(self) -> None:
        allocation, view = self.allocation, self._progress.view
        if allocation is not None:
            text = story.running(allocation.plan.scheduler, allocation.job or "", view.nodes)
            self._progress.tell(state="running", message=text)

    def _on_exit(self, code: int, *, was_ready: bool) -> None:
        if not was_ready and not self._expected:
            self._cause = f"the kernel ended with status {code} before it was ready"
            return
        self.exit_code = code
        if self._expected:
            self._front.phase = Phase.WAITING
        else:
            self._died = True
            self._front.died(answers.failure("KernelDied", story.died(code)))
            self._progress.tell(state="running", message=story.died(code))

    def _on_bye(self, why: str) -> None:
        self._cause = self._cause or why
        if self._front.phase is Phase.READY:
            self._front.phase = Phase.WAITING
        if self.allocation is not None:
            self._spawn(self._await_verdict(self.allocation))

    async def _await_verdict(self, allocation: Allocation) -> None:
        await asyncio.sleep(VERDICT_S)
        if allocation.job is not None and not allocation.over:
            allocation.over = True
            await self._tell_end(allocation, JobStatus(allocation.job, JobState.ENDED))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
