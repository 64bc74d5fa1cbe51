"""One kernel's launch, from the request to its last file; everything here runs in the edge loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
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
from ..core.job import JobId, JobState, JobStatus
from ..core.plan import LaunchPlan
from ..core.request import KernelRequest
from ..edge import answers, files
from ..edge.front import Front, Phase
from ..edge.loop import in_thread
from ..errors import CommandError, HpcctrError
from .gather import draw, gather
from .hub import Hub
from .secret import entrust

log = logging.getLogger(__name__)

FAREWELL_S = 3.0


class Launch:
    """A request, the job it became, the agent in that job, and the front before it.

    ``exit_code`` is the kernel process's status while there is none, None while there is one or will be.
    ``phases`` holds the seconds from the start of the launch to each stage.
    """

    def __init__(self, hub: Hub, request: KernelRequest, *, cwd: str) -> None:
        self.exit_code: int | None = None
        self.phases: dict[str, float] = {}
        self.plan: LaunchPlan | None = None
        self.job: JobId | None = None
        self._hub, self._request, self._cwd = hub, request, cwd
        self._began = time.monotonic()
        self._directory = files.private_dir(Path(tempfile.gettempdir()) / f"hpcctr-{secrets.token_hex(6)}")
        self._key = secrets.token_hex(32)
        self._front = Front(self._directory, self._key.encode(), self)
        self._agent_key = ""
        self._connected = self._stopped = self._expected = False
        self._cause = ""
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        hub.launches.add(self)

    @property
    def connection_info(self) -> dict[str, Any]:
        """What clients connect to (Jupyter's connection file): ipc sockets in a private directory."""
        return self._front.connection_info

    # -- starting

    async def start(self) -> None:
        """Listen for clients and submit; a missing image is fetched first, while clients wait at the front.

        Raises
        ------
        HpcctrError
            The request was refused, by us, the site or the scheduler; nothing is left behind.
        """
        self._front.open()
        try:
            await self._set_out()
        except HpcctrError:
            await self.stop()
            raise

    async def start_again(self) -> None:
        """Start the kernel anew: in its job while there is one, else in a new job.

        A refusal is shown in the notebook, which stays as it is: the next restart asks again.
        """
        self.exit_code, self._expected = None, False
        self._front.open()
        if self._front.phase is Phase.ENDED or self._gone.is_set():
            await self._end_job()
            await self._forget_job()
            self._front.wait()
            try:
                await self._set_out()
            except HpcctrError as error:
                await self._give_up(error)
        elif self._connected:
            self._front.wait()
            self._front.say("The kernel is starting again in the same job …")
            self._began = time.monotonic()
            self.phases.clear()
            self._hub.link.command(self._agent_key, command="restart")

    async def _set_out(self) -> None:
        self._began = time.monotonic()
        self.phases.clear()
        if await self._must_fetch():
            self._task = asyncio.create_task(self._fetch_and_submit())
        else:
            await self._submit()

    async def _give_up(self, error: HpcctrError) -> None:
        await self._forget_job()
        self._front.end(type(error).__name__, f"{error} {story.RESTART}")

    async def _must_fetch(self) -> bool:
        image = self._request.image
        if image is None or self._request.engine == "bare":
            return False
        return await in_thread(self._hub.store.find, image) is None

    async def _fetch_and_submit(self) -> None:
        image = self._request.image
        if image is None:
            return
        loop = asyncio.get_running_loop()

        def report(step: str) -> None:
            loop.call_soon_threadsafe(self._front.say, f"Fetching the image {image.text}: {step} …")

        try:
            report("asking its registry")
            await in_thread(self._hub.store.pull, image, report)
            self._mark("fetched")
            await self._submit()
        except HpcctrError as error:
            await self._give_up(error)

    async def _submit(self) -> None:
        hub = self._hub
        facts = await in_thread(gather, self._request, hub.policy, hub.store, cwd=self._cwd)
        plan = self.plan = draw(self._request, facts, hub.policy, engine=hub.engine, scheduler=hub.scheduler)
        self._front.ipykernel = version("ipykernel") if plan.image is None else plan.image.ipykernel
        self._connected, self._cause = False, ""
        self._gone.clear()
        self._agent_key = await entrust(hub, plan, self._key, self._from_agent)
        output = await hub.run(plan.scheduler, plan.submit)
        self.job = hub.scheduler(plan.scheduler).submitted(output)
        self._mark("submitted")
        log.info("kernel submitted as %s job %s", plan.scheduler, self.job)
        self._front.say(f"{plan.scheduler.capitalize()} job {self.job} is submitted.")
        hub.watch(plan.scheduler).add(self.job, self._on_status)

    # -- what the scheduler and the agent say

    def _on_status(self, status: JobStatus) -> None:
        if self.plan is None or self._stopped:
            return
        if status.state is JobState.ENDED:
            self._end(status)
        elif self._front.phase is Phase.WAITING and not self._connected:
            self._front.say(story.waiting(self.plan.scheduler, status))

    def _end(self, status: JobStatus) -> None:
        plan = self.plan
        if plan is None:
            return
        text = story.ended(plan.scheduler, status, time_limit_minutes=plan.resources.time_minutes, cause=self._cause)
        log.info("%s", text)
        self._hub.watch(plan.scheduler).remove(status.job_id)
        self._hub.link.dismiss(self._agent_key)
        self._connected = False
        self._front.end("JobEnded", text, log_tail=files.tail(Path(plan.log_file)))
        self._gone.set()

    def _from_agent(self, channel: bytes, frames: list[zmq.Frame]) -> None:
        if channel == b"event":
            self._on_event(json.loads(frames[0].bytes))
        else:
            self._front.from_kernel(channel.decode(), list(frames))

    def _on_event(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "hello":
            self._connected = True
            self._mark("node up")
            self._front.say(f"The job runs on {event.get('node') or event.get('host')}; the kernel is starting …")
        elif kind == "image":
            self._mark("image ready")
        elif kind == "ready":
            self._mark("kernel ready")
            self.exit_code = None
            self._front.ready()
        elif kind == "failed":
            self._cause = str(event["why"])
        elif kind == "exited":
            self._on_exit(int(event["code"]), was_ready=bool(event["ready"]))
        elif kind == "bye":
            self._on_bye(str(event["why"]))

    def _on_exit(self, code: int, *, was_ready: bool) -> None:
        if not was_ready and not self._expected:
            self._cause = f"the kernel ended with status {code} before it was ready"
            return
        self.exit_code = code
        self._front.phase = Phase.WAITING
        if not self._expected:
            name = signal.Signals(-code).name if code < 0 else ""
            self._front.fail(answers.failure("KernelDied", story.died(code, name)))

    def _on_bye(self, why: str) -> None:
        self._connected = False
        self._gone.set()
        if not self._stopped and self.plan is not None:
            self._cause = self._cause or why
            self._front.phase = Phase.WAITING
            self._hub.watch(self.plan.scheduler).poke()

    # -- what clients and the provisioner ask for

    def to_kernel(self, channel: str, frames: Sequence[bytes]) -> None:
        """Pass a client's message on."""
        self._hub.link.send(self._agent_key, channel.encode(), frames)

    def interrupt(self) -> None:
        """Interrupt the running cell, or abort the waiting ones."""
        self.signal(signal.SIGINT)

    def signal(self, signum: int) -> None:
        """Send the kernel's process group a signal; without a kernel, SIGINT aborts what waits."""
        if self._front.phase is Phase.READY:
            self._hub.link.command(self._agent_key, command="signal", signum=int(signum))
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
        if self._front.phase is Phase.READY and not self._hub.link.command(
            self._agent_key, command="signal", signum=int(signum)
        ):
            self.exit_code = -int(signum)

    async def stop(self) -> None:
        """End the job and remove every file; a pending job is cancelled at once."""
        if self._stopped:
            return
        self._stopped = True
        self.exit_code = self.exit_code if self.exit_code is not None else 0
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end_job()
        await self._forget_job()
        await self._front.close()
        await in_thread(shutil.rmtree, self._directory, ignore_errors=True)
        self._hub.launches.discard(self)

    async def _end_job(self) -> None:
        plan, job = self.plan, self.job
        if plan is None or job is None or self._front.phase is Phase.ENDED:
            return
        watch = self._hub.watch(plan.scheduler)
        watch.remove(job)
        if self._connected and self._hub.link.command(self._agent_key, command="end"):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._gone.wait(), FAREWELL_S)
            for _ in range(10):
                status = await watch.settle(job)
                if status is not None and status.state is JobState.ENDED:
                    return
                await asyncio.sleep(0.1)
        try:
            await self._hub.run(plan.scheduler, self._hub.scheduler(plan.scheduler).cancel([job]))
        except CommandError as error:
            log.warning("%s job %s may still be there: %s", plan.scheduler, job, error)

    async def _forget_job(self) -> None:
        if self._agent_key:
            self._hub.link.dismiss(self._agent_key)
        if self.plan is not None:
            if self.job is not None:
                self._hub.watch(self.plan.scheduler).remove(self.job)
            await in_thread(shutil.rmtree, self.plan.job_dir, ignore_errors=True)
        self.plan = self.job = None
        self._connected = False

    def _mark(self, phase: str) -> None:
        self.phases[phase] = time.monotonic() - self._began
