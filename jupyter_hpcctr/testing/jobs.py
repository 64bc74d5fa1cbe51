"""Real jobs of a scheduler: all that the suite knows of schedulers. It does with one what a launch does."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ..core.job import JobId, JobState, JobStatus
from ..core.jobspec import JobSpec
from ..core.questions import Answer, Asking, Question
from ..core.request import Resources
from ..core.seams import Scheduler
from ..edge.asking import carry_out
from ..edge.transports import Transports
from . import waiting
from .waiting import PATIENCE_S

T = TypeVar("T")

BASE_ENV = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR")


@dataclass
class Jobs:
    """A scheduler, and what its questions need.

    Parameters
    ----------
    scheduler : Scheduler
        Whose jobs they are.
    env : mapping
        Variables for its commands, workers and endpoints; only those that its ``keep_env`` names reach them, as in a
        launch.
    resources : mapping
        What every job asks for, by the fields of ``Resources``: a partition, an account.
    patience_s : float
        Seconds to wait for a job's start or end.
    """

    scheduler: Scheduler
    env: dict[str, str] = field(default_factory=dict)
    resources: Mapping[str, object] = field(default_factory=dict)
    patience_s: float = PATIENCE_S
    started: list[JobId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._transports = Transports(self._whole_env, self.scheduler.services)

    def _whole_env(self) -> dict[str, str]:
        base = {name: os.environ[name] for name in BASE_ENV if name in os.environ}
        kept = {n: v for n, v in self.env.items() if any(fnmatch.fnmatchcase(n, p) for p in self.scheduler.keep_env)}
        return base | kept

    def run(self, asking: Asking[T], **more: str) -> T:
        """Carry out one of the scheduler's steps; with further variables, by transports of its own."""
        if not more:
            return asyncio.run(carry_out(asking, self._transports.ask))
        others = Transports(lambda: self._whole_env() | more, self.scheduler.services)
        try:
            return asyncio.run(carry_out(asking, others.ask))
        finally:
            others.close()

    def close(self) -> None:
        """Cancel what is left of its jobs, and end the scheduler's workers."""
        try:
            if self.started:
                self.run(self.scheduler.cancel(self.started))
        finally:
            self._transports.close()

    def spec(
        self,
        argv: Sequence[str],
        directory: Path,
        *,
        name: str = "a test",
        token: str = "",
        log_file: str | None = None,
        **resources: object,
    ) -> JobSpec:
        """Return what a job is to be; its work directory is ``directory``, its log is ``job.log`` in it."""
        wanted = Resources(**{**self.resources, **resources})  # type: ignore[arg-type]
        return JobSpec(name, tuple(argv), wanted, str(directory), log_file or f"{directory}/job.log", token)

    def submit(self, argv: Sequence[str], directory: Path, *, hasten: bool = False, **of_spec: object) -> JobId:
        """Submit a real job, as ``spec`` describes it; ``hasten`` says that its end will be wanted early."""
        asking = self.scheduler.submit(self.spec(argv, directory, **of_spec))  # type: ignore[arg-type]

        async def ask(question: Question) -> Answer:
            return await self._transports.ask(self.hastened(question) if hasten else question)

        job = asyncio.run(carry_out(asking, ask))
        self.started.append(job)
        return job

    def hastened(self, question: Question) -> Question:
        """Change a question of a submission so that the time limit, a minute, comes sooner; here, not at all."""
        return question

    def hasten(self, job: JobId) -> None:
        """Bring the time limit of a running job near. Nothing, unless a subclass can: then a case takes a minute."""

    def status(self, job: JobId) -> JobStatus:
        """Ask where a job stands, as a launch does: what has left the queue is asked how it ended."""
        return self.run(self.scheduler.query([job])).get(job) or self.settled(job)

    def settled(self, job: JobId) -> JobStatus:
        """Ask how a job has ended."""
        return self.run(self.scheduler.settle(job))

    def wait(self, job: JobId, state: JobState, *, timeout_s: float | None = None) -> JobStatus:
        """Return the first status at or past a state."""
        return self.until(job, lambda status: status.state >= state, timeout_s=timeout_s)

    def until(self, job: JobId, wanted: Callable[[JobStatus], object], *, timeout_s: float | None = None) -> JobStatus:
        """Return the first status of a kind; raises ``AssertionError`` where it does not come in time."""
        deadline = time.monotonic() + (timeout_s or self.patience_s)
        while not wanted(status := self.status(job)):
            if time.monotonic() > deadline:
                raise AssertionError(f"still {status}")
            time.sleep(0.1)
        return status

    def ended(self, job: JobId, *, timeout_s: float | None = None) -> JobStatus:
        """Wait for a job's end and return what is known of it."""
        self.wait(job, JobState.ENDED, timeout_s=timeout_s)
        return self.settled(job)

    def await_file(self, path: Path, job: JobId) -> None:
        """Wait for a file that a job writes."""
        waiting.until(path.exists, lambda: self.status(job), patience_s=self.patience_s)


@contextlib.contextmanager
def jobs_of(jobs: Jobs) -> Iterator[Jobs]:
    """Yield a ``Jobs``, and cancel what is left of them."""
    try:
        yield jobs
    finally:
        jobs.close()
