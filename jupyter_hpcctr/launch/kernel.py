"""One kernel's launch, from the request to its last file; everything here runs in the edge loop."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core import story
from ..core.job import Ending
from ..core.plan import LaunchPlan
from ..core.pulling import figures
from ..core.request import ImageRef, KernelRequest, Mount
from ..core.resolve import precheck
from ..edge import files
from ..edge.front import Front, Phase
from ..edge.loop import in_own_thread, in_thread
from ..edge.sockets import Curve
from ..errors import HpcctrError, LaunchError, PullCancelled
from .allocation import Allocation
from .following import Following
from .gather import draw, gather, translated
from .hub import Hub
from .joblog import KEPT_BYTES, JobLog
from .paths import resolve
from .view import LaunchView


class Launch(Following):
    """A request, the job it became, and the front before it; ``id`` names it within this process.

    With ``curve`` clients talk to the front by CURVE.
    """

    def __init__(self, hub: Hub, request: KernelRequest, *, cwd: str, curve: Curve | None = None) -> None:
        self.id = secrets.token_hex(6)
        self._hub, self._request, self._cwd = hub, request, cwd
        self._directory = files.private_dir(Path(tempfile.gettempdir()) / f"hpcctr-{secrets.token_hex(6)}")
        self._key = secrets.token_hex(32)
        front = Front(hub.edge.context, self._directory, self._key.encode(), self, curve)
        super().__init__(hub.observers, front, self.id, request)
        self._stopped = False
        self._stopping: asyncio.Future[None] | None = None
        self._changing = asyncio.Lock()
        self._told_to_end: set[asyncio.Task[None]] = set()
        self._log = JobLog()
        hub.launches.add(self)

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
    def connection_info(self) -> dict[str, Any]:
        """What clients connect to (Jupyter's connection file): ipc sockets in a private directory."""
        return self._front.connection_info

    @property
    def plan(self) -> LaunchPlan | None:
        """The plan that was submitted last, None before."""
        return None if self.allocation is None else self.allocation.plan

    @property
    def job(self) -> str | None:
        """The scheduler's id of the job, None before there is one."""
        return None if self.allocation is None else self.allocation.job

    def resolve_path(self, path: str) -> str | None:
        """Return the absolute path by which the kernel knows a file, None where it is not found; for any thread."""
        plan = self.plan
        if plan is None:
            return None
        home = str(Path.home())
        shown = (Mount(home, home),) if self._hub.policy.mount_home else ()
        return resolve(path, plan, (*self._request.mounts, *shown))

    # -- starting

    async def start(self) -> None:
        """Listen for clients and submit; a missing image is fetched first, while clients wait at the front.

        Raises
        ------
        HpcctrError
            The request was refused, by us, the site or the scheduler; nothing is left behind.
        """
        try:
            async with self._changing:
                self._front.open()
                await self._set_out()
        except BaseException:
            await self.stop()
            raise

    async def start_again(self) -> None:
        """Start the kernel anew: in its job while there is one, else in a new job.

        A refusal is shown in the notebook, which stays as it is: the next restart asks again.
        """
        async with self._changing:
            if self._stopped:
                return
            if self._expected and not self._died:  # what waits after a death is for the next kernel
                self._front.abort("the kernel was restarted while this cell waited for it")
            self.exit_code, self._expected, self._died = None, False, False
            self._front.open()
            allocation = self.allocation
            if self._front.phase is Phase.ENDED or (allocation is not None and allocation.over):
                await self._replace()
            elif allocation is not None and allocation.connected:
                self._front.wait()
                self._progress.begin()
                self._progress.say("The kernel is starting again in the same job …", state="starting")
                self._starts += 1
                allocation.command(command="restart", start=self._starts)

    async def _replace(self) -> None:
        await self._drop()
        self._front.wait()
        try:
            await self._set_out()
        except HpcctrError as error:
            await self._give_up(error)

    async def _set_out(self) -> None:
        self._starts = 1
        with translated():
            engine, scheduler = precheck(self._request, self._hub.policy)
            self._progress.anew(engine=engine, scheduler=scheduler)
            image = self._request.image
            if image is None or await in_thread(self._hub.store.find, image) is not None:
                await self._submit()
                return
        self._progress.tell(state="fetching", digest="")
        self._spawn(self._fetch_and_submit(image))

    async def _fetch_and_submit(self, image: ImageRef) -> None:
        loop, over = asyncio.get_running_loop(), threading.Event()

        def say(step: str) -> None:
            if self._progress.view.state == "fetching":
                self._progress.say(f"Fetching the image {image.text}: {step} …", fetch=figures(step))

        def report(step: str) -> None:
            if over.is_set():
                raise PullCancelled(f"{image.text} is no longer fetched: its kernel was cancelled")
            loop.call_soon_threadsafe(say, step)

        try:
            with translated():
                say("asking its registry")
                await in_own_thread(self._hub.store.pull, image, report)
                self._progress.mark("fetched")
                async with self._changing:
                    if not self._stopped:
                        await self._submit()
        except HpcctrError as error:
            await self._give_up(error)
        except Exception as error:
            await self._give_up(LaunchError(f"the launch failed: {error!r}", hint="this is a bug: please report it"))
            raise
        finally:
            over.set()

    async def _submit(self) -> None:
        hub = self._hub
        facts = await in_thread(gather, self._request, hub.policy, hub.store, cwd=self._cwd)
        plan = draw(self._request, facts, hub.policy, engine=hub.engine, scheduler=hub.scheduler)
        self._front.ipykernel = version("ipykernel") if plan.image is None else plan.image.ipykernel
        self._cause = ""
        self._progress.planned(plan)
        self.allocation = Allocation(hub, plan, self)
        await self.allocation.submit(self._key)
        self._log.begin(Path(plan.log_file))
        self._progress.mark("submitted")
        self._progress.tell(job=self.job, submitted=time.time())
        if self._front.phase is Phase.READY:
            self._tell_running()  # with the job, which its agent could not know: it was quicker
        elif self._progress.view.state == "submitting":
            text = f"{plan.scheduler.capitalize()} job {self.job} is submitted."
            self._progress.say(text, state="pending")

    async def _give_up(self, error: HpcctrError) -> None:
        await self._drop()
        text = f"{error} {story.RESTART}"
        self._front.end(type(error).__name__, text)
        self._progress.failed(error, text)

    # -- what clients and the provisioner ask for

    def to_kernel(self, channel: str, frames: Sequence[bytes]) -> bool:
        """Pass a client's message on; False where there is no room to keep it."""
        return self.allocation is None or self.allocation.send(channel.encode(), frames)

    def interrupt(self) -> None:
        """Interrupt the running cell, or abort the waiting ones."""
        self.signal(signal.SIGINT)

    def signal(self, signum: int, *, ending: bool = False) -> None:
        """Send the kernel's process group a signal; without a kernel, SIGINT aborts what waits.

        ``ending`` says that the kernel is about to be shut down or restarted: then that aborts what waits.
        """
        if self._front.phase is Phase.READY and self.allocation is not None:
            self.allocation.command(command="signal", signum=int(signum))
        elif signum == signal.SIGINT and not ending:
            self._front.abort("interrupted while waiting for the kernel")

    def shutdown(self, *, restart: bool) -> None:
        """A shutdown was asked for; without a kernel it is done at once."""
        self._expected = True
        if self._front.phase is not Phase.READY:
            self.exit_code = 0

    async def kill(self, signum: int) -> None:
        """End the kernel's process, not its job."""
        self.shutdown(restart=False)
        self.signal(signum)

    async def cancel(self) -> None:
        """End the job, or the way to it, in any state; the notebook stays, is told, and can be restarted."""
        if self._is_over():
            return
        await self._end_tasks()
        async with self._changing:
            if self._is_over():
                return
            scheduler = "" if self.allocation is None else self.allocation.plan.scheduler
            text = story.cancelled(scheduler, self.job)
            self.exit_code = 0 if self._expected else None
            self._front.end("JobCancelled", text)
            self._progress.ended(text, Ending.CANCELLED)
            await self._drop()

    def _is_over(self) -> bool:
        return self._stopped or self._front.phase is Phase.ENDED

    async def log(self, offset: int, limit: int = KEPT_BYTES) -> tuple[str, int]:
        """Return the job's log from a byte offset, and the offset to go on from.

        Offsets go on when a restart makes a new job. Of a log whose file is removed the last 64 KiB are kept.
        """
        return await in_thread(self._log.read, offset, limit)

    async def stop(self) -> None:
        """End the job and remove every file; a pending job is cancelled at once.

        It goes on when who waits for it is cancelled, and all who ask wait for the same end.
        """
        if self._stopping is None:
            self._stopped = True
            self._stopping = asyncio.ensure_future(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        await self._end_tasks()
        async with self._changing:
            self.exit_code = self.exit_code if self.exit_code is not None else 0
            self._front.abort("the kernel was shut down while this cell waited for it")
            await self._drop()
            await self._front.close()
            await in_thread(shutil.rmtree, self._directory, ignore_errors=True)
        self._hub.launches.discard(self)
        self._progress.tell(state="gone", end_time=None)

    async def _end_tasks(self) -> None:
        # Each is told once, whoever else ends them: one that still has to cancel what it has submitted must get to it.
        tasks = tuple(self._tasks)
        for task in self._tasks - self._told_to_end:
            self._told_to_end.add(task)
            task.add_done_callback(self._told_to_end.discard)
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _drop(self) -> None:
        allocation, self.allocation = self.allocation, None
        if allocation is not None:
            await allocation.end()
            await in_thread(self._log.keep)
            await allocation.forget()
