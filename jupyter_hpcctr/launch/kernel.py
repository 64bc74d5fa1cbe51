"""One kernel's launch, from the request to its last file; everything here runs in the edge loop."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import zmq

from ..core import story
from ..core.job import JobState, JobStatus
from ..core.plan import LaunchPlan
from ..core.request import ImageRef, KernelRequest
from ..core.resolve import precheck
from ..edge import answers, files
from ..edge.front import Front, Phase
from ..edge.loop import in_own_thread, in_thread
from ..errors import HpcctrError, LaunchError
from .allocation import Allocation
from .gather import draw, gather, translated
from .hub import Hub

log = logging.getLogger(__name__)

VERDICT_S = 20.0  # for the scheduler to say how a job ended whose agent has said goodbye


class Launch:
    """A request, the job it became, and the front before it.

    ``exit_code`` is the kernel process's status while there is none, None while there is one or will be.
    ``phases`` holds the seconds from the start of the launch to each stage.
    """

    def __init__(self, hub: Hub, request: KernelRequest, *, cwd: str) -> None:
        self.exit_code: int | None = None
        self.phases: dict[str, float] = {}
        self.allocation: Allocation | None = None
        self._hub, self._request, self._cwd = hub, request, cwd
        self._began = time.monotonic()
        self._directory = files.private_dir(Path(tempfile.gettempdir()) / f"hpcctr-{secrets.token_hex(6)}")
        self._key = secrets.token_hex(32)
        self._front = Front(self._directory, self._key.encode(), self)
        self._stopped = self._expected = False
        self._starts = 1
        self._cause = ""
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        hub.launches.add(self)

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
            self.exit_code, self._expected = None, False
            self._front.open()
            allocation = self.allocation
            if self._front.phase is Phase.ENDED or (allocation is not None and allocation.over):
                await self._replace()
            elif allocation is not None and allocation.connected:
                self._front.wait()
                self._front.say("The kernel is starting again in the same job …")
                self._begin()
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
        self._begin()
        self._starts = 1
        with translated():
            precheck(self._request, self._hub.policy)
            image = self._request.image
            if image is None or await in_thread(self._hub.store.find, image) is not None:
                await self._submit()
                return
        self._spawn(self._fetch_and_submit(image))

    async def _fetch_and_submit(self, image: ImageRef) -> None:
        loop = asyncio.get_running_loop()

        def report(step: str) -> None:
            loop.call_soon_threadsafe(self._front.say, f"Fetching the image {image.text}: {step} …")

        try:
            with translated():
                report("asking its registry")
                await in_own_thread(self._hub.store.pull, image, report)
                self._mark("fetched")
                async with self._changing:
                    if not self._stopped:
                        await self._submit()
        except HpcctrError as error:
            await self._give_up(error)
        except Exception as error:
            await self._give_up(LaunchError(f"the launch failed: {error!r}", hint="this is a bug: please report it"))
            raise

    async def _submit(self) -> None:
        hub = self._hub
        facts = await in_thread(gather, self._request, hub.policy, hub.store, cwd=self._cwd)
        plan = draw(self._request, facts, hub.policy, engine=hub.engine, scheduler=hub.scheduler)
        self._front.ipykernel = version("ipykernel") if plan.image is None else plan.image.ipykernel
        self._cause = ""
        self.allocation = Allocation(hub, plan, self)
        await self.allocation.submit(self._key)
        self._mark("submitted")
        self._front.say(f"{plan.scheduler.capitalize()} job {self.job} is submitted.")

    async def _give_up(self, error: HpcctrError) -> None:
        await self._drop()
        self._front.end(type(error).__name__, f"{error} {story.RESTART}")

    # -- what the scheduler and the agent say

    def on_status(self, status: JobStatus) -> None:
        """Show why the kernel waits, or how its job ended."""
        allocation = self.allocation
        if allocation is None:
            return
        if status.state is JobState.ENDED:
            self._spawn(self._tell_end(allocation, status))
        elif self._front.phase is Phase.WAITING and not allocation.connected:
            self._front.say(story.waiting(allocation.plan.scheduler, status))

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

    def from_kernel(self, channel: str, frames: list[zmq.Frame]) -> None:
        """Pass a kernel's message to its clients."""
        self._front.from_kernel(channel, list(frames))

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Follow the agent; news of a start that is no longer the last one is old."""
        kind = event["event"]
        if kind == "hello":
            self._mark("queued", before=float(event["age_s"]))
            self._mark("node up")
            self._front.say(f"The job runs on {event.get('node') or event.get('host')}; the kernel is starting …")
        elif kind == "beat" and int(event["start"]) < self._starts and self.allocation is not None:
            self.allocation.command(command="restart", start=self._starts)  # it was lost with the connection
        elif kind == "image":
            self._mark("image ready")
        elif kind == "failed":
            self._cause = str(event["why"])
        elif kind == "bye":
            self._on_bye(str(event["why"]))
        elif event.get("start") != self._starts:
            return
        elif kind == "ready":
            self._mark("kernel ready")
            self.exit_code = None
            self._front.ready()
        elif kind == "exited":
            self._on_exit(int(event["code"]), was_ready=bool(event["ready"]))

    def _on_exit(self, code: int, *, was_ready: bool) -> None:
        if not was_ready and not self._expected:
            self._cause = f"the kernel ended with status {code} before it was ready"
            return
        self.exit_code = code
        self._front.phase = Phase.WAITING
        if not self._expected:
            self._front.fail(answers.failure("KernelDied", story.died(code)))

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

    # -- what clients and the provisioner ask for

    def to_kernel(self, channel: str, frames: Sequence[bytes]) -> None:
        """Pass a client's message on."""
        if self.allocation is not None:
            self.allocation.send(channel.encode(), frames)

    def interrupt(self) -> None:
        """Interrupt the running cell, or abort the waiting ones."""
        self.signal(signal.SIGINT)

    def signal(self, signum: int) -> None:
        """Send the kernel's process group a signal; without a kernel, SIGINT aborts what waits."""
        if self._front.phase is Phase.READY and self.allocation is not None:
            self.allocation.command(command="signal", signum=int(signum))
        elif signum == signal.SIGINT:
            self._front.abort("interrupted while waiting for the kernel; its job stays in the queue")

    def shutdown(self, *, restart: bool) -> None:
        """A shutdown was asked for; without a kernel it is done at once."""
        self._expected = True
        if self._front.phase is not Phase.READY:
            self.exit_code = 0

    async def kill(self, signum: int) -> None:
        """End the kernel's process, not its job."""
        self.shutdown(restart=False)
        self.signal(signum)

    async def stop(self) -> None:
        """End the job and remove every file; a pending job is cancelled at once."""
        if self._stopped:
            return
        self._stopped = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with self._changing:
            self.exit_code = self.exit_code if self.exit_code is not None else 0
            await self._drop()
            await self._front.close()
            await in_thread(shutil.rmtree, self._directory, ignore_errors=True)
        self._hub.launches.discard(self)

    async def _drop(self) -> None:
        allocation, self.allocation = self.allocation, None
        if allocation is not None:
            await allocation.end()
            await allocation.forget()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self.phases.clear()

    def _mark(self, phase: str, *, before: float = 0.0) -> None:
        self.phases[phase] = time.monotonic() - self._began - before

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
