"""One poller for all jobs of a process, however many kernels it has.

It asks at once when a job is new or something has happened, then after 1, 2, 4, 8 … 30 s while
something is pending, and at last every 60 s when all jobs run, because agents report by themselves.
A question that was not answered changes nothing: an unreachable controller is not a dead kernel.
A job that has ended is asked about for a minute more, because it may have been put back into the queue.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import Protocol

from ..core.job import Ending, JobId, JobState, JobStatus
from ..core.seams import Scheduler
from ..errors import SchedulerError
from .asking import Ask, carry_out

log = logging.getLogger(__name__)

FIRST_S, PENDING_MAX_S, RUNNING_MAX_S = 1.0, 30.0, 60.0
ENDED_S = 60.0


class Listener(Protocol):
    """Is told what is new of a job."""

    def __call__(self, status: JobStatus, *, requeued: bool) -> None:
        """Hear its status; ``requeued``: it had its nodes, and waits again."""


@dataclass(slots=True)
class _Watched:
    listener: Listener
    last: JobStatus | None = None
    missing: int = 0
    back: int = 0
    ended: float = 0.0


class Watch:
    """Tells each job's listener when its status changes. One per scheduler, in the edge loop."""

    def __init__(self, scheduler: Scheduler, ask: Ask) -> None:
        self._scheduler = scheduler
        self._question = ask
        self._jobs: dict[JobId, _Watched] = {}
        self._wake = asyncio.Event()
        self._delay = FIRST_S
        self._task = asyncio.create_task(self._run())
        self._complained = False

    def add(self, job: JobId, listener: Listener) -> None:
        """Watch a job, beginning with a question at once.

        Of one that the scheduler does not know its listener is told at each question that it is lost.
        """
        self._jobs[job] = _Watched(listener)
        self.poke()

    def runs(self, job: JobId) -> None:
        """The job itself was heard: an answer that says that it waits is about later, or is not worth anything."""
        watched = self._jobs.get(job)
        if watched is not None and (watched.last is None or watched.last.state is not JobState.RUNNING):
            watched.last, watched.ended, watched.back = JobStatus(job, JobState.RUNNING), 0.0, 0

    def remove(self, job: JobId) -> None:
        """Watch a job no more."""
        self._jobs.pop(job, None)

    def poke(self) -> None:
        """Ask soon: something is known to have happened."""
        self._delay = FIRST_S
        self._wake.set()

    async def close(self) -> None:
        """Stop asking."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def settle(self, job: JobId) -> JobStatus | None:
        """Ask how a job ended; None where the scheduler does not answer."""
        try:
            return await carry_out(self._scheduler.settle(job), self._question)
        except SchedulerError as error:
            log.warning("the end of job %s is not known: %s", job, error)
            return None

    async def _run(self) -> None:
        while True:
            await self._pause()
            try:
                await self._ask()
            except Exception:  # noqa: BLE001  (the only poller: it must outlive a fault in reading one answer)
                log.exception("the scheduler's answer could not be read; nothing is concluded from it")

    async def _pause(self) -> None:
        pending = any(w.last is None or w.last.state <= JobState.PENDING for w in self._jobs.values())
        seconds = self._delay
        self._delay = min(self._delay * 2, PENDING_MAX_S if pending else RUNNING_MAX_S)
        for job in [job for job, each in self._jobs.items() if each.ended and time.monotonic() > each.ended + ENDED_S]:
            self.remove(job)
        timeout = seconds * random.uniform(0.9, 1.1) if self._jobs else None  # noqa: S311  (jitter)
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except asyncio.TimeoutError:
            return
        self._wake.clear()

    async def _ask(self) -> None:
        asked = {job: each.last for job, each in self._jobs.items()}
        if not asked:
            return
        try:
            found = await carry_out(self._scheduler.query(asked), self._question)
        except SchedulerError as error:
            if not self._complained:
                log.warning("the scheduler does not answer; nothing is concluded from that: %s", error)
            self._complained = True
            return
        self._complained = False
        for job, last in asked.items():
            watched = self._jobs.get(job)
            if watched is None:
                continue
            if watched.last is last:
                await self._heard(job, watched, found.get(job))
            else:  # it was heard since the question
                self.poke()

    async def _heard(self, job: JobId, watched: _Watched, status: JobStatus | None) -> None:
        if status is not None and status.state is JobState.UNKNOWN:
            return  # a state that has no name here says nothing
        if status is None or status.state is JobState.ENDED:
            status = await self.settle(job) or status
        if status is None or status.state is JobState.UNKNOWN:
            # A job can be missing from one answer (a controller that has just restarted); not from three.
            watched.missing += 1
            if watched.missing < 3:
                await asyncio.sleep(0.5)
                self._wake.set()
                return
            watched.listener(JobStatus(job, JobState.ENDED, ending=Ending.LOST), requeued=False)
            return
        watched.missing = 0
        self._tell(watched, status)

    def _tell(self, watched: _Watched, status: JobStatus) -> None:
        last = watched.last
        if status == last:
            return
        back = last is not None and status.state < last.state
        if back and not status.requeued:
            watched.back += 1
            if watched.back < 2:  # a controller that has just restarted may say what was before
                self.poke()
                return
        watched.last, watched.back = status, 0
        watched.ended = time.monotonic() if status.state is JobState.ENDED else 0.0
        watched.listener(status, requeued=back and status.state is JobState.PENDING)
