"""One kernel's launch, as the provisioner, clients and pages know it; its life is driven behind this."""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
from collections.abc import Awaitable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.life import Life
from ..core.life import effects as do
from ..core.life import events as on
from ..core.life.state import At, Mode, Stage, kept
from ..core.plan import LaunchPlan
from ..core.request import KernelRequest
from ..edge import files
from ..edge.behind import Owner as FrontOwner
from ..edge.front import Front
from ..edge.loop import in_thread
from ..edge.requests import Requests
from ..edge.sockets import Curve
from .allocation import Allocation
from .driver import Driver, Step
from .face import Face
from .gather import translated
from .handover import LEFT, Handover
from .hub import Hub
from .joblog import KEPT_BYTES
from .jobs import Jobs
from .jobs import Owner as JobsOwner
from .keeper import Claim
from .paths import home_mount, resolve
from .places import of_kernel
from .progress import Progress, first_view
from .record import Kernel, Record
from .replay import begin
from .view import LaunchView

_NOT_SUBMITTED = (Stage.NEW, Stage.CLEARING, Stage.PREPARING, Stage.SUBMITTING)


class Launch(FrontOwner, JobsOwner):
    """A request, the jobs it becomes, and the front before them; ``id`` names it, and its jobs' tokens begin with it.

    What happens is told to its life (``core.life``), and everything that is done follows from that. ``exit_code`` is
    the kernel process's status while there is none, None while there is one or will be. With ``curve`` clients talk to
    the front by CURVE. ``kernel`` is what Jupyter knows it by: with an id, a record of it is kept for another server.
    ``journal`` has what passed between cells and kernel, None where the site wants none. All but ``resolve_path`` is
    for the edge loop.
    """

    def __init__(
        self,
        hub: Hub,
        request: KernelRequest,
        *,
        cwd: str,
        curve: Curve | None = None,
        kernel: Kernel | None = None,
        was: Record | None = None,
    ) -> None:
        self.id = secrets.token_hex(6) if was is None else was.name
        self.exit_code: int | None = None
        self._hub, self._request, self._cwd, self._kernel = hub, request, cwd, kernel or Kernel()
        directory = files.private_dir(Path(tempfile.gettempdir()) / f"hpcctr-{secrets.token_hex(6)}")
        self._key = secrets.token_hex(32) if was is None else was.key
        self._front = Front(hub.edge.context, directory, self._key.encode(), self, curve)
        view = first_view(self.id, self._kernel.id, request) if was is None else was.view
        self._progress = Progress(hub.observers, self._front, view)
        self._jobs = Jobs(hub, request, cwd, self.id, self._key, self)
        self._face = Face(self._front, directory, self._progress.text, self._jobs.log_tail)
        self._driver = Driver(self._do)
        self.journal = self._front.sockets.journal = begin(hub.policy, self._kernel.id)
        requests = Requests(of_kernel(hub.policy.state_dir, self._kernel.id)) if self._kernel.id else None
        self._front.sockets.requests = requests
        self.handover = Handover(self._driver, self._jobs, self._record, was, (self.journal, requests), hub)
        self._stopping: asyncio.Future[None] | None = None
        hub.enter(self)

    @property
    def kernel_id(self) -> str:
        """Jupyter's id of the kernel, "" where it has none."""
        return self._kernel.id

    @property
    def view(self) -> LaunchView:
        """What is known of it now."""
        return self._progress.view

    @property
    def phases(self) -> Mapping[str, float]:
        """Seconds from the start of the launch to each stage that it has reached."""
        return self._progress.phases

    @property
    def connection_info(self) -> dict[str, Any]:
        """What clients connect to (Jupyter's connection file): ipc sockets in a private directory."""
        return self._front.connection_info

    @property
    def plan(self) -> LaunchPlan | None:
        """The plan that was submitted last, None before."""
        return None if (allocation := self._allocation) is None else allocation.plan

    @property
    def job(self) -> str | None:
        """The scheduler's id of the job, None before there is one."""
        return None if (allocation := self._allocation) is None else allocation.job

    @property
    def _allocation(self) -> Allocation | None:
        own = self._driver.life.job
        return self._jobs.get(None if own is None else own.number)

    def resolve_path(self, path: str) -> str | None:
        """Return the absolute path by which the kernel knows a file, None where it is not found; for any thread."""
        mounts = (*self._request.mounts, *home_mount(self._hub.policy))
        return None if self.plan is None else resolve(path, self.plan, mounts)

    @classmethod
    async def go_on(
        cls, hub: Hub, was: Record, claim: Claim, *, kernel: Kernel, curve: Curve | None = None
    ) -> Launch:
        """Go on with a launch whose process is gone, by its record; ``kernel`` says whose it is now.

        Raises
        ------
        HpcctrError
            Its agents cannot be told where to dial; the record is as before.
        """
        launch = cls(hub, was.request, cwd=was.cwd, curve=curve, kernel=kernel, was=was)
        try:
            await launch.handover.go_on(was, claim)
        except BaseException:
            await launch.stop()
            raise
        never_there = was.life.job is not None and was.life.job.at in (At.WAITING, At.STARTING)
        launch._front.restore(shown=never_there)
        return launch

    # -- what the provisioner and pages ask for

    async def start(self) -> None:
        """Listen for clients and submit; a missing image is fetched first, while clients wait at the front.

        Raises
        ------
        HpcctrError
            The request was refused, by us, the site or the scheduler; nothing is left behind.
        """
        try:
            with translated():
                self._front.open()
                await self.handover.keep(self._hub.policy.state_dir, self._kernel.id)
            self.tell(on.Start())
            await self._driver.until(self._is_submitted)
            if self._driver.life.mode is Mode.ENDED and self._jobs.refusal is not None:
                raise self._jobs.refusal
        except BaseException:
            await self.stop()
            raise

    async def start_again(self) -> None:
        """Start the kernel anew: in its job while there is one, else in a new job.

        A refusal is shown in the notebook, which stays as it is: the next restart asks again.
        """
        self.tell(on.Restart())
        await self._driver.until(self._is_submitted)

    def _is_submitted(self, life: Life) -> bool:
        """Whether a job is submitted, will be when its image is here, or will not be."""
        return life.stage not in _NOT_SUBMITTED or self.view.state == "fetching"

    def signal(self, signum: int, *, ending: bool = False) -> None:
        """Send the kernel's process group a signal; without a kernel, SIGINT aborts what waits.

        ``ending`` says that the kernel is about to be shut down or restarted: then that aborts what waits.
        """
        runs = self._driver.life.stage is Stage.RUNNING and not self.handover.is_leaving
        if signum != signal.SIGINT or runs or not ending:
            self.tell(on.Signal(int(signum)))

    def kill(self, signum: int, *, restart: bool) -> None:
        """End the kernel's process, not its job; ``restart``: another one follows."""
        self.tell(on.Kill(int(signum), restart=restart))

    async def cancel(self) -> None:
        """End the job, or the way to it, in any state; the notebook stays, is told, and can be restarted."""
        self.tell(on.Cancel())
        await self._driver.until(lambda life: all(job.tried for job in life.leaving))

    async def log(self, offset: int, limit: int = KEPT_BYTES) -> tuple[str, int]:
        """Return the job's log from a byte offset, and the offset to go on from, which grows across jobs.

        Of a log whose file is removed the last 64 KiB are kept.
        """
        return await in_thread(self._jobs.log.read, offset, limit)

    async def stop(self) -> None:
        """End the job and remove every file; a pending job is cancelled at once.

        It goes on when who waits for it is cancelled, and all who ask wait for the same end. A scheduler that cannot
        be told now is told later, for as long as this process lives.
        """
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        self.tell(on.Stop())
        await self._driver.until(lambda life: life.mode in LEFT)
        self._hub.launches.discard(self)

    # -- what clients ask for

    def to_kernel(self, channel: str, frames: Sequence[bytes]) -> bool:
        """Pass a client's message on; False where there is no room to keep it."""
        return (own := self._allocation) is None or own.send(channel.encode(), frames)

    def interrupt(self) -> None:
        """Interrupt the running cell, or abort the waiting ones."""
        self.tell(on.Interrupt())

    def shutdown(self, *, restart: bool) -> bool:
        """A shutdown was asked for; without a kernel it is done at once. False where the kernel must not hear of it."""
        if not self.handover.is_leaving:
            self.tell(on.Shutdown(restart=restart))
        return not self.handover.is_leaving

    # -- its life

    def tell(self, event: on.Event) -> None:
        """Something has happened."""
        self._driver.tell(event)

    def from_kernel(self, job: int, channel: str, frames: Sequence[bytes]) -> None:
        """Pass a kernel's message to its clients."""
        own = self._driver.life.job
        if own is not None and own.number == job:
            self._front.from_kernel(channel, frames)

    def checkpoint(self, job: int, known: Mapping[str, object] | None) -> None:
        """Tell observers what has become of the kernel's checkpoint."""
        own = self._driver.life.job
        if own is not None and own.number == job:
            self._progress.tell(checkpoint=known)

    def asked(self, engine: str, scheduler: str) -> None:
        """It is known which engine and which scheduler a new job is to have."""
        self._progress.asked(scheduler=scheduler, engine=engine)

    def planned(self, plan: LaunchPlan) -> None:
        """What will be submitted is known."""
        self._front.ipykernel = version("ipykernel") if plan.image is None else plan.image.ipykernel
        self._progress.planned(plan)

    def submitted(self, allocation: Allocation) -> None:
        """The job's id is known."""
        own = self._driver.life.job
        if own is not None and own.number == allocation.number and allocation.job is not None:
            self._progress.submitted(allocation.job)

    def _do(self, effect: Step) -> Awaitable[None] | None:
        match effect:
            case do.Say() | do.Facts() | do.Mark():
                self._progress.carry_out(effect)
            case do.SetExit():
                self.exit_code = effect.code
            case do.Remember():
                return self.handover.remember(before_submission=self._driver.life.stage is Stage.SUBMITTING)
            case do.Forget():
                self._hub.forget(self)
                return self.handover.forget()
            case _ if isinstance(effect, do.OnJob):
                return self._jobs.carry_out(effect)
            case _:
                return self._face.carry_out(effect)
        return None

    def _record(self) -> Record:
        return Record(
            kernel=self._kernel,
            name=self.id,
            cwd=self._cwd,
            key=self._key,
            request=self._request,
            life=kept(self._driver.life),
            jobs=self._jobs.submissions(),
            view=self._progress.left or self.view,
            session=self.handover.session,
        )
