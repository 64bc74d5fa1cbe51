"""What all kernels of a process share: the edge loop, the link, one poller a scheduler, the store."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import fnmatch
import functools
import logging
import os
from collections.abc import Callable, Coroutine
from typing import TypeVar

from ..core.facts import Changed, Policy, Site
from ..core.job import JobId
from ..core.questions import Asking
from ..core.request import KernelRequest
from ..core.seams import Engine, ImageStore, Scheduler
from ..edge.asking import carry_out
from ..edge.link import Link, Totals
from ..edge.loop import EdgeLoop, in_thread
from ..edge.net import address_towards
from ..edge.transports import Transports
from ..edge.watch import Watch
from ..errors import SchedulerError
from . import calls
from .keeper import Claim
from .listed import Listed
from .observers import Observers
from .preview import Preview, preview
from .record import Record
from .recorder import Recorder
from .sites import Sites
from .view import LaunchView

log = logging.getLogger(__name__)
T = TypeVar("T")

_KEEP_ENV = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_*",
    "TZ",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
)


class Hub:
    """One per process; made by ``compose``. All of its kernels go by the one policy that it was made with.

    ``claimed`` are kernels of processes that are gone, which their provisioners are about to go on with.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        engine: Callable[[str], Engine],
        scheduler: Callable[[str], Scheduler],
        store: ImageStore,
    ) -> None:
        self.policy = policy
        self.changed: Callable[[], Changed | None] = lambda: None
        """Says whether the site's configuration is another one by now; looks at files."""
        self.engine = functools.cache(engine)
        self.scheduler = functools.cache(scheduler)
        self.store = store
        self.edge = EdgeLoop()
        self.launches: set[Listed] = set()
        self.unsettled: set[Listed] = set()
        self.claimed: dict[str, tuple[Record, Claim]] = {}
        self.leaving = False
        """Whether this process is about to leave its kernels to the next one. From any thread."""
        self._tasks: set[asyncio.Task[object]] = set()
        self._listening: asyncio.Task[None] | None = None
        self.observers = Observers()
        self.recorder = Recorder()
        self.observe(self.recorder.hear)
        self._sites = Sites(self.scheduler, self.run)
        self._link: Link | None = None
        self._watches: dict[str, Watch] = {}
        self._transports: dict[str, Transports] = {}
        self._controllers: dict[str, str] = {}

    def observe(self, listener: Callable[[LaunchView], None]) -> Callable[[], None]:
        """Tell a listener of each change of a launch, in the edge thread; call what is returned to end it."""
        return self.observers.observe(listener)

    def views(self) -> tuple[LaunchView, ...]:
        """Return what is known of each launch, from memory; for any thread."""
        return self.observers.views()

    def launch(self, launch_id: str) -> Listed | None:
        """Return a launch by its id, None where there is none (any more)."""
        return next((each for each in tuple(self.launches) if each.id == launch_id), None)

    async def site(self, name: str, *, max_age_s: float = 30.0) -> Site:
        """Return what a scheduler says of itself, asked at most ``max_age_s`` ago; raises ``SchedulerUnreachable``."""
        return await self._sites.site(name, max_age_s=max_age_s)

    def asked(self, name: str) -> float:
        """Return when a scheduler's last answer to ``site`` was asked for (``time.monotonic``), now if never."""
        return self._sites.asked(name)

    async def preview(self, request: KernelRequest, *, cwd: str, ask_scheduler: bool = True) -> Preview:
        """Say what a request would come to; what is wrong with it is in the answer."""
        return await preview(self, request, cwd=cwd, ask_scheduler=ask_scheduler)

    @property
    def link(self) -> Link:
        """The one listening socket; made at first use, in the edge loop."""
        if self._link is None:
            self._link = Link(self.edge.context)
        return self._link

    def totals(self) -> Totals:
        """Return what has gone over the link; for any thread."""
        return Totals() if self._link is None else self._link.totals()

    def watch(self, name: str) -> Watch:
        """The poller of a scheduler; made at first use, in the edge loop."""
        if name not in self._watches:
            self._watches[name] = Watch(self.scheduler(name), self._transport(name).ask)
        return self._watches[name]

    def env(self, name: str) -> dict[str, str]:
        """The environment for a scheduler's commands and workers, and so for its jobs: allow-listed, no token in it."""
        patterns = (*_KEEP_ENV, *self.scheduler(name).keep_env)
        return {k: v for k, v in os.environ.items() if any(fnmatch.fnmatchcase(k, p) for p in patterns)}

    def _transport(self, name: str) -> Transports:
        if name not in self._transports:
            services = {**self.scheduler(name).services, **dict(self.policy.endpoints)}
            self._transports[name] = Transports(lambda: self.env(name), services)
        return self._transports[name]

    async def run(self, name: str, asking: Asking[T]) -> T:
        """Carry out a step of a scheduler, in the edge loop; raises as ``edge.asking.carry_out``."""
        return await carry_out(asking, self._transport(name).ask)

    async def seek(self, name: str, token: str) -> JobId | None:
        """Ask a scheduler once for the job with a token; None where it has none.

        Raises
        ------
        SchedulerUnreachable
            It did not answer.
        """
        return (await self.run(name, self.scheduler(name).find([token]))).get(token)

    async def cancel(self, name: str, job: JobId) -> bool:
        """Tell a scheduler once to cancel a job; return whether it has heard."""
        try:
            await self.run(name, self.scheduler(name).cancel([job]))
        except SchedulerError as error:
            log.warning("%s job %s is still to be cancelled: %s", name, job, error)
            return False
        return True

    async def endpoint(self, name: str) -> str:
        """Listen where a scheduler's nodes can reach us, and return what they dial."""
        address = self.policy.link_address
        if not address:
            if name not in self._controllers:
                self._controllers[name] = await self._sites.controller(name)
            address = await in_thread(address_towards, self._controllers[name])
        return self.link.listen(address)

    def leave(self) -> None:
        """Leave all kernels to the next process that goes on with their records; from any thread, or a signal handler.

        ``close`` waits until everything is written.
        """
        self.leaving = True  # at once: what Jupyter then asks of its kernels may be read before what is posted here
        self.edge.post(self._leave)

    def _leave(self) -> None:
        for launch in tuple(self.launches):
            self._begin(launch.handover.leave())

    def _begin(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def enter(self, launch: Listed) -> None:
        """Know a launch, and hear from now on what other processes of this user ask of kernels. In the edge loop."""
        self.launches.add(launch)
        self.unsettled.add(launch)
        if self._listening is None:
            self._listening = asyncio.ensure_future(calls.listen(self.policy.state_dir, self._ours, self._called))

    def forget(self, launch: Listed) -> None:
        """Know a launch no more: nothing of it is left to do. In the edge loop."""
        self.launches.discard(launch)
        self.unsettled.discard(launch)

    def _ours(self) -> list[str]:
        return [launch.kernel_id for launch in self.launches if launch.kernel_id and launch.handover.is_ours]

    def _called(self, kernel_id: str, what: calls.What, by: str) -> None:
        for launch in [each for each in self.launches if each.kernel_id == kernel_id and each.handover.is_ours]:
            self._begin(launch.handover.give_up(by) if what == "give" else launch.cancel())

    def close(self) -> None:
        """End every launch of this process and everything that runs for them."""
        if self.edge.loop.is_closed():
            return
        with contextlib.suppress(concurrent.futures.TimeoutError):
            self.edge.wait(self._close(), timeout_s=15)
        self.edge.stop()

    async def _close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        stops = (launch.stop() for launch in tuple(self.launches))
        try:
            for failed in await asyncio.gather(*stops, return_exceptions=True):
                if failed is not None:
                    log.error("a launch could not be ended: %r", failed)
            for watch in self._watches.values():
                await watch.close()
            for transport in self._transports.values():
                await in_thread(transport.close)
        finally:  # even where a scheduler lets us wait too long
            if self._link is not None:
                await self._link.close()
