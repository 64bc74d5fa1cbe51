"""One poller for all jobs of a process, however many kernels it has.

It asks at once when a job is new or something has happened, then after 1, 2, 4, 8 … 30 s while
something is pending, and at last every 60 s when all jobs run, because agents report by themselves.
A question that was not answered changes nothing: an unreachable controller is not a dead kernel.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..core.job import Command, Ending, JobId, JobState, JobStatus
from ..core.seams import Scheduler
from ..errors import CommandError, SchedulerUnreachable
from . import process
from .loop import in_thread

log = logging.getLogger(__name__)

Listener = Callable[[JobStatus], None]
FIRST_S, PENDING_MAX_S, RUNNING_MAX_S = 1.0, 30.0, 60.0


@dataclass(slots=True)
class _Watched:
    listener: Listener
    alive: Callable[[], bool]
    last: JobStatus | None = None
    missing: int = 0


class Watch:
    """Tells each job's listener when its status changes. One per scheduler, in the edge loop."""

    def __init__(self, scheduler: Scheduler, env: Callable[[], Mapping[str, str]]) -> None:
        self._scheduler = scheduler
        self._env = env
        self._jobs: dict[JobId, _Watched] = {}
        self._wake = asyncio.Event()
        self._delay = FIRST_S
        self._task = asyncio.create_task(self._run())
        self._complained = False

    def add(self, job: JobId, listener: Listener, *, alive: Callable[[], bool] = lambda: False) -> None:
        """Watch a job, beginning with a question at once.

        While ``alive`` says that the job itself is heard, it is never taken for lost.
        """
        self._jobs[job] = _Watched(listener, alive)
        self.poke()

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
            status = await self._settled(self._scheduler.settle(job), job)
            again = self._scheduler.recall(job) if status.state is JobState.UNKNOWN else None
            return status if again is None else await self._settled(again, job)
        except (SchedulerUnreachable, CommandError) as error:
            log.warning("the end of job %s is not known: %s", job, error)
            return None

    async def _settled(self, command: Command, job: JobId) -> JobStatus:
        return self._scheduler.settled(await in_thread(process.run, command, env=self._env()), job)

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
        timeout = seconds * random.uniform(0.9, 1.1) if self._jobs else None  # noqa: S311  (jitter)
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except asyncio.TimeoutError:
            return
        self._wake.clear()

    async def _ask(self) -> None:
        asked = tuple(self._jobs)
        if not asked:
            return
        try:
            output = await in_thread(process.run, self._scheduler.query(asked), env=self._env())
            found = self._scheduler.statuses(output)
        except (SchedulerUnreachable, CommandError) as error:
            if not self._complained:
                log.warning("the scheduler does not answer; nothing is concluded from that: %s", error)
            self._complained = True
            return
        self._complained = False
        for job in asked:
            await self._heard(job, found.get(job))

    async def _heard(self, job: JobId, status: JobStatus | None) -> None:
        watched = self._jobs.get(job)
        if watched is None:
            return
        if status is not None and status.state is JobState.UNKNOWN:
            return  # a state that has no name here says nothing
        if status is None or status.state is JobState.ENDED:
            status = await self.settle(job) or status
        if status is None or status.state is JobState.UNKNOWN:
            # A job can be missing from one answer (a controller that has just restarted); not from three.
            watched.missing += 1
            if watched.missing < 3 or watched.alive():
                await asyncio.sleep(0.5)
                if watched.missing < 3:
                    self._wake.set()
                return
            status = JobStatus(job, JobState.ENDED, ending=Ending.LOST)
        watched.missing = 0
        self._tell(watched, status)

    @staticmethod
    def _tell(watched: _Watched, status: JobStatus) -> None:
        last = watched.last
        stale = last is not None and status.state < last.state and not _requeued(status)
        if stale or status == last:
            return
        watched.last = status
        watched.listener(status)


def _requeued(status: JobStatus) -> bool:
    return status.state is JobState.PENDING and status.reason.lower().startswith(("begin", "requeue"))
