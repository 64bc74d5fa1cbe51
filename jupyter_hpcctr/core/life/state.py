"""Where a launch stands: values only. ``machine.advance`` is the one that makes new ones."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from ..job import JobId
from .words import Words


class Mode(enum.Enum):
    """Whose the launch is, and what for."""

    NEW = "new"
    """Nothing has happened yet."""
    WANTED = "wanted"
    """There is a kernel, or there will be one."""
    ENDED = "ended"
    """There is none: its job is over, was cancelled, or never came to be. A restart makes a new job."""
    STOPPING = "stopping"
    """Nobody wants it any more; its jobs are being ended."""
    GONE = "gone"
    """It is over for everybody; what could not be cancelled yet still is being cancelled."""
    DETACHED = "detached"
    """This server ends and leaves the kernel to the next one, by its record."""
    TAKEN = "taken"
    """Another server has taken it over: neither job nor record is ours."""


class Known(enum.Enum):
    """What the scheduler has said to a submission."""

    NOTHING = "nothing"
    """It was not asked yet, or has refused."""
    ASKED = "asked"
    """Its answer is awaited: there may be a job."""
    SEEKING = "seeking"
    """Its answer was lost: it is being asked for a job with our token."""
    JOB = "job"
    """There is a job, and its id is known."""


class At(enum.Enum):
    """How far a job and the kernel in it have come."""

    PREPARING = "preparing"
    WAITING = "waiting"
    STARTING = "starting"
    REATTACHING = "reattaching"
    """A new server has taken over a kernel that was running, and has not heard its agent yet."""
    READY = "ready"
    DEAD = "dead"
    """The kernel's process has ended, its job goes on."""
    PARTING = "parting"
    """The agent has said goodbye; the scheduler has not said yet how the job ended."""
    OVER = "over"
    """The job has ended; its files are still there, for its log."""
    UNSETTLED = "unsettled"
    """To be ended as soon as it is known whether it is there."""
    FAREWELL = "farewell"
    """To be ended: its agent was told."""
    CHECKING = "checking"
    """To be ended: its agent has said goodbye, the scheduler is asked whether the job has ended as well."""
    CANCELLING = "cancelling"
    """To be ended by the scheduler."""


class Line(enum.Enum):
    """Whether the agent is there: it has said hello and not goodbye."""

    NONE = "none"
    HEARD = "heard"
    SILENT = "silent"


class Wish(enum.Enum):
    """Whether the kernel was asked to end, and what for."""

    NONE = "none"
    RESTART = "restart"
    END = "end"


class Stage(enum.Enum):
    """One word for where a launch stands."""

    NEW = "new"
    CLEARING = "clearing"
    PREPARING = "preparing"
    SUBMITTING = "submitting"
    SEEKING = "seeking"
    PENDING = "pending"
    STARTING = "starting"
    REATTACHING = "reattaching"
    RUNNING = "running"
    DEAD = "dead"
    PARTING = "parting"
    ENDED = "ended"
    STOPPING = "stopping"
    GONE = "gone"
    DETACHED = "detached"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Job:
    """One submission, by its number in the launch; the token that it carries is made from that.

    ``start`` counts the kernels in the job. ``run`` names the agent that has said hello last: a job that was requeued
    has another. ``cause`` is what the agent said of its end. ``asking``: a question to the scheduler is out.
    ``tries`` counts answers that settled nothing, ``missing`` those that knew no such job; ``tried``: there was one
    since the job was to be ended. ``doubt``: the scheduler says that it was requeued, while its agent is heard.
    """

    number: int
    known: Known = Known.NOTHING
    at: At = At.PREPARING
    id: JobId | None = None
    line: Line = Line.NONE
    start: int = 1
    run: str = ""
    cause: Words | None = None
    asking: bool = False
    tries: int = 0
    missing: int = 0
    tried: bool = False
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Life:
    """A launch. ``job`` is the kernel's, ``leaving`` are those that are to be ended.

    ``exit_code`` is the kernel process's status while there is none, None while there is one or will be.
    ``jobs`` counts submissions. ``settled``: nothing is left to do, and the record is removed or no longer ours.
    """

    mode: Mode = Mode.NEW
    job: Job | None = None
    leaving: tuple[Job, ...] = ()
    wish: Wish = Wish.NONE
    exit_code: int | None = None
    jobs: int = 0
    settled: bool = False

    @property
    def stage(self) -> Stage:
        """One word for where it stands."""
        if self.mode is not Mode.WANTED:
            return Stage(self.mode.value)
        if self.job is None:
            return Stage.CLEARING
        if self.job.at is At.WAITING:
            return {Known.ASKED: Stage.SUBMITTING, Known.SEEKING: Stage.SEEKING}.get(self.job.known, Stage.PENDING)
        return Stage.RUNNING if self.job.at is At.READY else Stage(self.job.at.value)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time that the machine asked to be told of; equal only to itself, so that one that is late is known."""

    job: int
    at: At
    tries: int
    seconds: float


VERDICT_S = 20.0
"""For the scheduler to say how a job ended whose agent has said goodbye."""
FAREWELL_S = 3.0
"""For an agent to say goodbye that was told to end."""
CHECK_S = 2.0
"""For the scheduler to say that a job has ended whose agent has said goodbye when told to."""
SEEKS = 7
"""So often is a job not found by its token before it is believed that there is none: 63 s at least."""
_AGAIN_S, _AGAIN_MAX_S = 1.0, 60.0


def deadlines(life: Life) -> frozenset[Deadline]:
    """Return the times that a launch waits for; they follow from where it stands."""
    if life.settled or life.mode in (Mode.DETACHED, Mode.TAKEN):
        return frozenset()
    jobs = life.leaving if life.job is None else (*life.leaving, life.job)
    return frozenset(each for job in jobs for each in _deadlines(job))


def _deadlines(job: Job) -> tuple[Deadline, ...]:
    if job.at is At.OVER:
        return ()
    seconds = {At.PARTING: VERDICT_S, At.FAREWELL: FAREWELL_S, At.CHECKING: CHECK_S}.get(job.at)
    found = [] if seconds is None else [Deadline(job.number, job.at, 0, seconds)]
    if not job.asking and (job.known is Known.SEEKING or job.at is At.CANCELLING):
        again = min(_AGAIN_S * 2 ** min(job.tries - 1, 6), _AGAIN_MAX_S)
        at = At.UNSETTLED if job.known is Known.SEEKING else At.CANCELLING
        found.append(Deadline(job.number, at, job.tries, again))
    return tuple(found)


def kept(life: Life) -> Life:
    """Return what a record keeps: without what another server would learn by itself."""
    job = None if life.job is None else _kept(life.job)
    return replace(life, job=job, leaving=tuple(_kept(each) for each in life.leaving))


def _kept(job: Job) -> Job:
    return replace(job, line=Line.NONE, asking=False, tries=0, missing=0, tried=False, doubt=False)
