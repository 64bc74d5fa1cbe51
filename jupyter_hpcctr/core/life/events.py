"""What can happen to a launch. ``job`` is the number of the submission that is meant: news of an old one is old."""

from __future__ import annotations

from dataclasses import dataclass

from ..job import JobId, JobStatus
from .state import Deadline, Life
from .words import Failure

# -- the user, by way of Jupyter


@dataclass(frozen=True, slots=True)
class Start:
    """A kernel is wanted."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Jupyter starts the kernel again: the second half of a restart."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The running cell is to be interrupted, or those that wait."""


@dataclass(frozen=True, slots=True)
class Signal:
    """The kernel is to get a signal."""

    signum: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """A shutdown_request: the kernel, where there is one, has got it as well."""

    restart: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """The kernel's process is to be ended, its job is not."""

    signum: int
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """The user ends the job; the notebook stays."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody wants the kernel any more."""


@dataclass(frozen=True, slots=True)
class Detach:
    """This server ends, and the kernel is to be kept."""


# -- the image


@dataclass(frozen=True, slots=True)
class FetchStep:
    """The image is not there yet, and this is being done about it."""

    job: int
    step: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """The image is there, or none is needed; ``pulled``: it had to be fetched first."""

    job: int
    pulled: bool = False


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """The image cannot be had, or the request cannot be planned."""

    job: int
    failure: Failure


# -- the scheduler


@dataclass(frozen=True, slots=True)
class Submitted:
    """It has taken the job."""

    job: int
    id: JobId


@dataclass(frozen=True, slots=True)
class Refused:
    """It was asked, or could not be asked, and certainly has no job of ours."""

    job: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """It did not answer a submission in time: there may be a job."""

    job: int


@dataclass(frozen=True, slots=True)
class Found:
    """It has a job with our token."""

    job: int
    id: JobId


@dataclass(frozen=True, slots=True)
class NotFound:
    """It has answered, and has no job with our token now."""

    job: int


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """It did not answer when it was asked for our token."""

    job: int


@dataclass(frozen=True, slots=True)
class Pending:
    """The job waits."""

    job: int
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Running:
    """The job has its nodes."""

    job: int
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is over."""

    job: int
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Requeued:
    """The job had its nodes and waits again."""

    job: int
    status: JobStatus


@dataclass(frozen=True, slots=True)
class CancelDone:
    """It was told to cancel the job, and has heard."""

    job: int


@dataclass(frozen=True, slots=True)
class CancelFailed:
    """It could not be told to cancel the job."""

    job: int


# -- the agent


@dataclass(frozen=True, slots=True)
class Hello:
    """The agent is there, for the first time or again, and says what it is at.

    ``run`` names this run of the agent, "" where it does not say; ``start`` the kernel that it has begun last, 0
    where it does not say; ``ready`` whether that one answers.
    """

    job: int
    node: str = ""
    age_s: float = 0.0
    run: str = ""
    start: int = 0
    ready: bool = False


@dataclass(frozen=True, slots=True)
class ImageReady:
    """The container is there."""

    job: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The kernel answers."""

    job: int
    start: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The kernel's process has ended; ``ready``: after it had answered."""

    job: int
    start: int
    code: int
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """The agent cannot go on, and says why; its goodbye follows."""

    job: int
    why: str


@dataclass(frozen=True, slots=True)
class Bye:
    """The agent's last word."""

    job: int
    why: str


@dataclass(frozen=True, slots=True)
class Silent:
    """The agent has not been heard for a while."""

    job: int


@dataclass(frozen=True, slots=True)
class Heard:
    """The agent is heard, and says which kernel it has begun last (0: does not say)."""

    job: int
    start: int = 0


# -- the record, and the clock


@dataclass(frozen=True, slots=True)
class Adopt:
    """This server takes a launch over from one that is gone; ``was`` is what its record kept."""

    was: Life


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Another server has taken the launch over; ``by`` is what a person calls it."""

    by: str


@dataclass(frozen=True, slots=True)
class TimeUp:
    """A time has come that the machine asked for."""

    deadline: Deadline


OfUser = Start | Restart | Interrupt | Signal | Shutdown | Kill | Cancel | Stop | Detach
OfImage = FetchStep | Fetched | FetchFailed
OfScheduler = (
    Submitted | Refused | OutcomeUnknown | Found | NotFound | NoAnswer
    | Pending | Running | Ended | Requeued | CancelDone | CancelFailed
)  # fmt: skip
OfAgent = Hello | ImageReady | Ready | Exited | Failed | Bye | Silent | Heard
OfJob = OfImage | OfScheduler | OfAgent
Event = OfUser | OfJob | Adopt | TakenOver | TimeUp
