"""One submission of a launch: its files, its key on the link, and the way to its job and agent. In the edge loop."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..core.job import Ending, JobId, JobState, JobStatus
from ..core.life import events as on
from ..core.plan import LaunchPlan
from ..edge import files
from ..edge.link import KeyPair
from ..edge.loop import in_thread
from . import news
from .hub import Hub
from .record import Submission
from .secret import announce_absence, entrust, readdress

ASKS, ASK_S = 10, 0.1


class Listener(Protocol):
    """Is told what becomes of jobs: the launch."""

    def tell(self, event: on.Event) -> None:
        """Something has happened."""

    def from_kernel(self, job: int, channel: str, frames: Sequence[bytes]) -> None:
        """A kernel says something."""

    def checkpoint(self, job: int, known: Mapping[str, object] | None) -> None:
        """A kernel's checkpoint is registered, has run, …; ``known`` is as ``news.of_checkpoint`` returns it."""


class Allocation:
    """A plan that is submitted; ``number`` is that of the submission in its launch, ``job`` the scheduler's id."""

    def __init__(self, hub: Hub, plan: LaunchPlan, number: int, listener: Listener) -> None:
        self.plan, self.number = plan, number
        self.job: JobId | None = None
        self._hub, self._listener = hub, listener
        self._scheduler = hub.scheduler(plan.scheduler)
        self._keys = KeyPair.new()  # before the submission, so that the record that is written then has the agent's
        self._key = self._keys.public
        self._heard = False
        self._ends: float | None = None
        self._asking: asyncio.Task[None] | None = None
        self._explaining: asyncio.Future[None] | None = None

    @property
    def token(self) -> str:
        """What its job can be found by."""
        return Path(self.plan.job_dir).name

    # -- the record

    @property
    def submission(self) -> Submission:
        """What a record keeps of it."""
        return Submission(self.plan, self.job, self._key)

    async def restore(self, was: Submission) -> None:
        """Take it over from a process that is gone, and let its agent in; raises as ``readdress``."""
        self.job, self._key = was.job, was.agent
        if self._key:
            await readdress(self._hub, self.plan, self._key, self._from_agent)

    async def announce_absence(self) -> None:
        """Tell the agent that nobody listens for a while, and that this is meant."""
        await announce_absence(self.plan)

    # -- the submission

    async def entrust(self, kernel_key: str) -> None:
        """Write what the agent must know, and let it in.

        Raises
        ------
        SchedulerUnreachable, OSError, zmq.ZMQError
            It cannot be told which address to dial; its files cannot be written.
        """
        await entrust(self._hub, self.plan, self._keys, kernel_key, self._from_agent)

    async def submit(self) -> None:
        """Submit, and note the job's id.

        Raises
        ------
        SchedulerUnreachable
            The scheduler did not answer: there may be a job.
        SubmitRefused, SchedulerAway
            It was not submitted.
        """
        self.job = await self._hub.run(self.plan.scheduler, self._scheduler.submit(self.plan.job))

    async def seek(self) -> bool:
        """Ask for the job by its token and note its id; return whether there is one.

        Raises
        ------
        SchedulerUnreachable
            The scheduler did not answer.
        """
        job = await self._hub.seek(self.plan.scheduler, self.token)
        self.job = job or self.job
        return job is not None

    # -- the job

    def follow(self) -> None:
        """Tell what the scheduler says of the job from now on."""
        if self.job is not None:
            self._watch.add(self.job, self._on_status)
            if self._heard:
                self._watch.runs(self.job)

    def ask(self, *, ended: bool = False) -> None:
        """Ask the scheduler soon; ``ended``: until it says how the job ended, for a second at least."""
        self._watch.poke()
        if ended and self.job is not None and self._asking is None:
            self._asking = asyncio.create_task(self._ask_for_the_end(self.job))

    async def _ask_for_the_end(self, job: JobId) -> None:
        for _ in range(ASKS):
            status = await self._watch.settle(job)
            if status is not None and status.state is JobState.ENDED:
                self._on_status(status, requeued=False)
                break
            await asyncio.sleep(ASK_S)
        self._asking = None

    async def cancel(self) -> bool:
        """Tell the scheduler once to end the job; return whether it has heard."""
        return self.job is not None and await self._hub.cancel(self.plan.scheduler, self.job)

    async def log_tail(self) -> str:
        """Return the last lines of the job's log."""
        return await in_thread(files.tail, Path(self.plan.log_file))

    @property
    def _watch(self) -> Any:
        return self._hub.watch(self.plan.scheduler)

    def _on_status(self, status: JobStatus, *, requeued: bool) -> None:
        self._tell_the_end(status)
        if status.ending is Ending.FAILED:
            self._explaining = asyncio.ensure_future(self._explain(status))
        else:
            self._tell(status, requeued=requeued)

    async def _explain(self, status: JobStatus) -> None:
        self._tell(self._scheduler.last_words(status, await self.log_tail()), requeued=False)

    def _tell(self, status: JobStatus, *, requeued: bool) -> None:
        self._listener.tell(news.of_scheduler(self.number, status, requeued=requeued))

    def _tell_the_end(self, status: JobStatus) -> None:
        """Tell the agent when the scheduler ends the job: a limit may have been changed since it began."""
        with contextlib.suppress(ValueError):  # Slurm writes "Unknown" where there is no limit
            if status.state is JobState.RUNNING and status.end_time is not None:
                ends = datetime.datetime.fromisoformat(status.end_time).timestamp()
                if ends != self._ends:
                    self._ends = ends
                    self._hub.link.command(self._key, command="ends", at=ends)

    # -- the agent

    def send(self, channel: bytes, frames: Sequence[bytes]) -> bool:
        """Send to the agent, now or when it is heard again; False where there is no room to keep more."""
        return self._hub.link.send(self._key, channel, frames)

    def command(self, command: str, value: int) -> None:
        """Tell the agent what to do; ``value`` is the start's or the signal's number."""
        name = {"restart": "start", "signal": "signum"}.get(command)
        self._hub.link.command(self._key, command=command, **({} if name is None else {name: value}))

    def _from_agent(self, channel: bytes, frames: Sequence[bytes]) -> None:
        if channel == b"silence":
            self._listener.tell(on.Silent(self.number))
        elif channel == b"heard":
            self._listener.tell(on.Heard(self.number))
        elif channel == b"event":
            self._on_event(json.loads(frames[0]))
        else:
            self._listener.from_kernel(self.number, channel.decode(), frames)

    def _on_event(self, said: Mapping[str, Any]) -> None:
        if said["event"] == "checkpoint":
            self._listener.checkpoint(self.number, news.of_checkpoint(said))
            return
        event = news.of_agent(self.number, said)
        if event is None:
            return
        if isinstance(event, on.Hello):
            self._heard = True
            if self.job is not None:
                self._watch.runs(self.job)
            if self.plan.resources.time_minutes is None or self.plan.resources.nodes > 1:
                self._watch.poke()  # who else could say the nodes, and when the job ends
        self._listener.tell(event)

    # -- the end

    def release(self) -> None:
        """Let the agent in no more, and watch the job no more; its files stay."""
        if self._asking is not None:
            self._asking.cancel()
        self._hub.link.dismiss(self._key)
        if self.job is not None:
            self._watch.remove(self.job)

    async def discard(self) -> None:
        """Release it, and remove its files."""
        self.release()
        await in_thread(shutil.rmtree, self.plan.job_dir, ignore_errors=True)
