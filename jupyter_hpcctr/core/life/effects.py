"""What is to be done about an event, in this order. None of them fails: what comes of one is an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..job import JobStatus
from .state import Deadline
from .words import Failure, Words

View = Literal["fetching", "submitting", "pending", "starting", "running", "ended", "gone"]


# -- image, scheduler, agent


@dataclass(frozen=True, slots=True)
class Fetch:
    """See to the image and the plan. Comes to FetchStep, and Fetched or FetchFailed."""

    job: int


@dataclass(frozen=True, slots=True)
class StopFetch:
    """Nobody waits for the image any more."""

    job: int


@dataclass(frozen=True, slots=True)
class Submit:
    """Write what the agent must know, and submit with the token. Comes to Submitted, Refused or OutcomeUnknown."""

    job: int


@dataclass(frozen=True, slots=True)
class Seek:
    """Let the job's agent in, and ask the scheduler for a job with the token. Comes to Found, NotFound or NoAnswer."""

    job: int


@dataclass(frozen=True, slots=True)
class Follow:
    """Ask for the job's status from now on, and let its agent in."""

    job: int


@dataclass(frozen=True, slots=True)
class AskScheduler:
    """Ask for the job's status at once; ``ended``: ask how it ended."""

    job: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Tell the scheduler to end the job. Comes to CancelDone or CancelFailed."""

    job: int


@dataclass(frozen=True, slots=True)
class TellAgent:
    """Tell the agent, now or when it is heard again; ``value`` is the start's or the signal's number."""

    job: int
    command: Literal["restart", "signal", "end"]
    value: int = 0


@dataclass(frozen=True, slots=True)
class Discard:
    """The job is over: keep the end of its log, let its agent in no more, remove its files."""

    job: int


@dataclass(frozen=True, slots=True)
class Release:
    """The job goes on without this server: watch it no more, hang up, leave its files."""

    job: int


# -- the front


@dataclass(frozen=True, slots=True)
class FrontOpen:
    """Listen; again after a restart, for Jupyter removes the sockets' files."""


@dataclass(frozen=True, slots=True)
class FrontHold:
    """Keep what clients send; what runs is still open."""


@dataclass(frozen=True, slots=True)
class FrontWait:
    """There will be another kernel: end the running cells with the reason, keep those that wait."""

    name: str
    why: Words


@dataclass(frozen=True, slots=True)
class FrontReady:
    """The kernel is there: hand over what waits, in order."""


@dataclass(frozen=True, slots=True)
class FrontFail:
    """End the running and the waiting cells with the reason; those to come wait."""

    name: str
    why: Words


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """End the running and the waiting cells with the reason, and those to come; ``log``: with the job's last lines."""

    name: str
    why: Words
    log: int = 0


@dataclass(frozen=True, slots=True)
class FrontAbort:
    """End the waiting cells with the reason."""

    why: Words


@dataclass(frozen=True, slots=True)
class FrontClose:
    """Stop listening, and remove the sockets' directory."""


# -- what is shown


@dataclass(frozen=True, slots=True)
class Say:
    """Show a sentence in the waiting cell and to observers; ``status`` and ``failure`` have more for the latter."""

    state: View
    what: Words
    status: JobStatus | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Show observers what the scheduler says of the running job."""

    status: JobStatus


@dataclass(frozen=True, slots=True)
class Mark:
    """A phase is reached, or was ``before_s`` ago; "begin" starts the count again."""

    phase: str
    before_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SetExit:
    """The kernel's exit status for Jupyter: None while there is a kernel or will be."""

    code: int | None


# -- the record, and the clock


@dataclass(frozen=True, slots=True)
class Remember:
    """Write the record, before anything that comes after this."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove the record: nothing of the launch is left."""


@dataclass(frozen=True, slots=True)
class StartDeadline:
    """Say TimeUp in so many seconds."""

    deadline: Deadline


@dataclass(frozen=True, slots=True)
class StopDeadline:
    """It need not be said any more."""

    deadline: Deadline


OnJob = Fetch | StopFetch | Submit | Seek | Follow | AskScheduler | CancelJob | TellAgent | Discard | Release
OnFront = FrontOpen | FrontHold | FrontWait | FrontReady | FrontFail | FrontEnd | FrontAbort | FrontClose
Effect = OnJob | OnFront | Say | Facts | Mark | SetExit | Remember | Forget | StartDeadline | StopDeadline
