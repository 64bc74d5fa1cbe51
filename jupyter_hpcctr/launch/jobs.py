"""What a launch's life wants done about its jobs: image and plan, submission, search, cancelling. In the edge loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol

from ..core.life import effects as do
from ..core.life import events as on
from ..core.plan import LaunchPlan
from ..core.request import ImageRef, KernelRequest
from ..core.resolve import precheck
from ..edge.loop import in_own_thread, in_thread
from ..errors import (
    HpcctrError,
    LaunchError,
    PullCancelled,
    SchedulerAway,
    SchedulerError,
    SchedulerUnreachable,
)
from .allocation import Allocation, Listener
from .gather import draw, gather, translated
from .hub import Hub
from .joblog import JobLog
from .news import failure
from .record import Submission

log = logging.getLogger(__name__)


class Owner(Listener, Protocol):
    """Whose jobs they are: the launch."""

    def asked(self, engine: str, scheduler: str) -> None:
        """It is known which engine and which scheduler a new job is to have."""

    def planned(self, plan: LaunchPlan) -> None:
        """What will be submitted is known."""

    def submitted(self, allocation: Allocation) -> None:
        """The job's id is known."""


class Jobs:
    """The submissions of a launch by their numbers. ``name`` is what their tokens are made from.

    ``refusal`` is why there is no job of the last submission, None where there is one or may be.
    """

    def __init__(self, hub: Hub, request: KernelRequest, cwd: str, name: str, key: str, owner: Owner) -> None:
        self.refusal: HpcctrError | None = None
        self.log = JobLog()
        self._hub, self._request, self._cwd = hub, request, cwd
        self._name, self._key, self._owner = name, key, owner
        self._all: dict[int, Allocation] = {}
        self._fetching: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ways: dict[type[Any], Callable[[Any], Awaitable[None] | None]] = {
            do.Fetch: self._fetch,
            do.StopFetch: self._stop_fetch,
            do.Submit: lambda effect: self._spawn(self._submit(self._all[effect.job])),
            do.Seek: lambda effect: self._spawn(self._seek(self._all[effect.job])),
            do.Follow: self._follow,
            do.AskScheduler: lambda effect: self._all[effect.job].ask(ended=effect.ended),
            do.CancelJob: lambda effect: self._spawn(self._cancel(self._all[effect.job])),
            do.TellAgent: lambda effect: self._all[effect.job].command(effect.command, effect.value),
            do.Discard: lambda effect: self._discard(effect.job),
            do.Release: lambda effect: self._all[effect.job].release(),
        }

    # -- the record

    def submissions(self) -> dict[int, Submission]:
        """Return what a record keeps of them."""
        return {number: each.submission for number, each in self._all.items()}

    async def restore(self, submissions: Mapping[int, Submission]) -> None:
        """Take over the submissions of a record, and let their agents in: they are told to dial this process.

        Raises
        ------
        SchedulerUnreachable, OSError, zmq.ZMQError
            It is not known which address agents could dial, or they cannot be told.
        """
        for number, was in submissions.items():
            allocation = Allocation(self._hub, was.plan, number, self._owner)
            await allocation.restore(was)
            self._all[number] = allocation
            await in_thread(self.log.begin, Path(was.plan.log_file))

    async def announce_absence(self) -> None:
        """Tell the agents of jobs that are kept that nobody listens for a while, and that this is meant."""
        for each in self._all.values():
            await each.announce_absence()

    def get(self, number: int | None) -> Allocation | None:
        """Return a submission, None where there is none (yet, or any more)."""
        return None if number is None else self._all.get(number)

    def carry_out(self, effect: do.OnJob) -> Awaitable[None] | None:
        """Carry out an effect, or begin to; return what is to be waited for."""
        return self._ways[type(effect)](effect)

    async def log_tail(self, number: int) -> str:
        """Return the last lines of a job's log, "" where there is none."""
        allocation = self.get(number)
        return "" if allocation is None else await allocation.log_tail()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.ensure_future(work))

    def _keep(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- the image and the plan

    def _fetch(self, effect: do.Fetch) -> None:
        self.refusal = None
        self._fetching[effect.job] = self._keep(asyncio.ensure_future(self._prepare(effect.job)))

    def _stop_fetch(self, effect: do.StopFetch) -> None:
        task = self._fetching.pop(effect.job, None)
        if task is not None:
            task.cancel()

    async def _prepare(self, number: int) -> None:
        try:
            with translated():
                plan, pulled = await self._plan(number)
        except Exception as error:  # noqa: BLE001  (whatever it is: it is told, and the launch ends)
            self._fetching.pop(number, None)
            self._owner.tell(on.FetchFailed(number, failure(self._refused(error))))
            return
        self._fetching.pop(number, None)
        self._all[number] = Allocation(self._hub, plan, number, self._owner)
        self._owner.planned(plan)
        self._owner.tell(on.Fetched(number, pulled))

    async def _plan(self, number: int) -> tuple[LaunchPlan, bool]:
        request, hub = self._request, self._hub
        self._owner.asked(*precheck(request, hub.policy))
        image = request.image
        missing = image is not None and await in_thread(hub.store.find, image) is None
        if image is not None and missing:
            await self._pull(number, image)
        token = f"{self._name}-{number}"
        facts = await in_thread(gather, request, hub.policy, hub.store, cwd=self._cwd, token=token)
        return draw(request, facts, hub.policy, engine=hub.engine, scheduler=hub.scheduler), missing

    async def _pull(self, number: int, image: ImageRef) -> None:
        loop, over = asyncio.get_running_loop(), threading.Event()

        def report(step: str) -> None:
            if over.is_set():
                raise PullCancelled(f"{image.text} is no longer fetched: its kernel was cancelled")
            loop.call_soon_threadsafe(self._owner.tell, on.FetchStep(number, step))

        self._owner.tell(on.FetchStep(number, "asking its registry"))
        try:
            await in_own_thread(self._hub.store.pull, image, report)
        finally:
            over.set()

    def _refused(self, error: Exception) -> HpcctrError:
        if not isinstance(error, HpcctrError):
            log.error("a launch failed", exc_info=error)
            error = LaunchError(f"the launch failed: {error!r}", hint="this is a bug: please report it")
        self.refusal = error
        return error

    # -- the submission

    async def _submit(self, allocation: Allocation) -> None:
        number, asked = allocation.number, False
        try:
            with translated():
                await allocation.entrust(self._key)
            await in_thread(self.log.begin, Path(allocation.plan.log_file))
            asked = True
            await allocation.submit()
        except Exception as error:  # noqa: BLE001  (whatever it is: it is told, and the launch ends)
            if asked and _may_have_been_heard(error):
                log.warning("it is not known whether a kernel was submitted: %s", error)
                self._owner.tell(on.OutcomeUnknown(number))
            else:
                self._owner.tell(on.Refused(number, failure(self._refused(error))))
        else:
            assert allocation.job is not None  # noqa: S101
            self._owner.tell(on.Submitted(number, allocation.job))

    async def _seek(self, allocation: Allocation) -> None:
        try:
            found = await allocation.seek()
        except SchedulerError as error:
            log.warning("it is still not known whether a kernel was submitted: %s", error)
            self._owner.tell(on.NoAnswer(allocation.number))
            return
        if found and allocation.job is not None:
            self._owner.tell(on.Found(allocation.number, allocation.job))
        else:
            self._owner.tell(on.NotFound(allocation.number))

    def _follow(self, effect: do.Follow) -> None:
        allocation = self._all[effect.job]
        allocation.follow()
        self._owner.submitted(allocation)

    # -- the end

    async def _cancel(self, allocation: Allocation) -> None:
        done = await allocation.cancel()
        self._owner.tell(on.CancelDone(allocation.number) if done else on.CancelFailed(allocation.number))

    async def _discard(self, number: int) -> None:
        allocation = self._all.pop(number, None)
        if allocation is not None:
            allocation.release()
            await in_thread(self.log.keep, Path(allocation.plan.log_file))
            await allocation.discard()


def _may_have_been_heard(error: Exception) -> bool:
    """Whether the scheduler may have taken a job, though its answer did not come."""
    return isinstance(error, SchedulerUnreachable) and not isinstance(error, SchedulerAway)
