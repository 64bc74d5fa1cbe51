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

import zmq

from ..core.life import Life
from ..core.life import effects as do
from ..core.life import events as on
from ..core.life.state import Mode, Stage
from ..core.plan import LaunchPlan
from ..core.request import KernelRequest, Mount
from ..edge import files
from ..edge.front import Front
from ..edge.front import Owner as FrontOwner
from ..edge.loop import in_thread
from ..edge.sockets import Curve
from .allocation import Allocation
from .driver import Driver, Step
from .face import Face
from .gather import translated
from .hub import Hub
from .joblog import KEPT_BYTES
from .jobs import Jobs
from .jobs import Owner as JobsOwner
from .paths import resolve
from .progress import Progress
from .view import LaunchView

_NOT_SUBMITTED = (Stage.NEW, Stage.CLEARING, Stage.PREPARING, Stage.SUBMITTING)


class Launch(FrontOwner, JobsOwner):
    """A request, the jobs it becomes, and the front before them; ``id`` names it within this process.

    What happens is told to its life (``core.life``), and everything that is done follows from that. ``exit_code`` is
    the kernel process's status while there is none, None while there is one or will be. With ``curve`` clients talk to
    the front by CURVE. All but ``resolve_path`` is for the edge loop.
    """

    def __init__(self, hub: Hub, request: KernelRequest, *, cwd: str, curve: Curve | None = None) -> None:
        self.id = secrets.token_hex(6)
        self.exit_code: int | None = None
        self._hub, self._request = hub, request
        directory = files.private_dir(Path(tempfile.gettempdir()) / f"hpcctr-{secrets.token_hex(6)}")
        key = secrets.token_hex(32)
        self._front = Front(hub.edge.context, directory, key.encode(), self, curve)
        self._progress = Progress(hub.observers, self._front, self.id, request)
        self._jobs = Jobs(hub, request, cwd, self.id, key, self)
        self._face = Face(self._front, directory, self._progress.text, self._jobs.log_tail)
        self._driver = Driver(self._do)
        self._stopping: asyncio.Future[None] | None = None
        hub.launches.add(self)
        hub.unsettled.add(self)

    @property
    def kernel_id(self) -> str:
        """Jupyter's id of the kernel; set by the provisioner, in the edge loop."""
        return self._progress.view.kernel_id

    @kernel_id.setter
    def kernel_id(self, kernel_id: str) -> None:
        self._progress.tell(kernel_id=kernel_id)

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
        plan = self.plan
        if plan is None:
            return None
        home = str(Path.home())
        shown = (Mount(home, home),) if self._hub.policy.mount_home else ()
        return resolve(path, plan, (*self._request.mounts, *shown))

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
        if signum != signal.SIGINT or not ending or self._driver.life.stage is Stage.RUNNING:
            self.tell(on.Signal(int(signum)))

    def kill(self, signum: int, *, restart: bool) -> None:
        """End the kernel's process, not its job; ``restart``: another one follows."""
        self.tell(on.Kill(int(signum), restart=restart))

    async def cancel(self) -> None:
        """End the job, or the way to it, in any state; the notebook stays, is told, and can be restarted."""
        self.tell(on.Cancel())
        await self._driver.until(lambda life: all(job.tried for job in life.leaving))

    async def log(self, offset: int, limit: int = KEPT_BYTES) -> tuple[str, int]:
        """Return the job's log from a byte offset, and the offset to go on from.

        Offsets go on when a restart makes a new job. Of a log whose file is removed the last 64 KiB are kept.
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
        await self._driver.until(lambda life: life.mode is Mode.GONE)
        self._hub.launches.discard(self)

    # -- what clients ask for

    def to_kernel(self, channel: str, frames: Sequence[bytes]) -> bool:
        """Pass a client's message on; False where there is no room to keep it."""
        allocation = self._allocation
        return allocation is None or allocation.send(channel.encode(), frames)

    def interrupt(self) -> None:
        """Interrupt the running cell, or abort the waiting ones."""
        self.tell(on.Interrupt())

    def shutdown(self, *, restart: bool) -> None:
        """A shutdown was asked for; without a kernel it is done at once."""
        self.tell(on.Shutdown(restart=restart))

    # -- its life

    def tell(self, event: on.Event) -> None:
        """Something has happened."""
        self._driver.tell(event)

    def from_kernel(self, job: int, channel: str, frames: list[zmq.Frame]) -> None:
        """Pass a kernel's message to its clients."""
        own = self._driver.life.job
        if own is not None and own.number == job:
            self._front.from_kernel(channel, list(frames))

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
                self._remember()
            case do.Forget():
                self._forget()
            case _ if isinstance(effect, do.OnJob):
                return self._jobs.carry_out(effect)
            case _:
                return self._face.carry_out(effect)
        return None

    def _remember(self) -> None:
        """Write what another server would have to know."""

    def _forget(self) -> None:
        """Nothing of it is left."""
        self._hub.unsettled.discard(self)
