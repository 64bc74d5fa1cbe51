"""What a job is, and a command with its answer."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NewType

from .quote import line

JobId = NewType("JobId", str)


class JobState(enum.IntEnum):
    """Where a job stands, in the order in which a job passes through it.

    A status whose state is lower than the last one known is stale news and is dropped, but for
    ``UNKNOWN``, which says nothing at all, and one that is ``JobStatus.requeued``.
    """

    UNKNOWN = 0
    PENDING = 1
    RUNNING = 2
    ENDED = 3


class Ending(enum.Enum):
    """How a job came to its end; the values are Slurm's own state names (squeue(1))."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NODE_FAIL = "NODE_FAIL"
    PREEMPTED = "PREEMPTED"
    LOST = "LOST"
    """The scheduler no longer knows the job, and nobody else does either."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What a scheduler says of one job at one moment.

    ``expected_start`` and ``end_time`` are local times as the scheduler prints them
    (``YYYY-MM-DDTHH:MM:SS``) or None; ``exit_code`` is the batch script's, None while unknown.

    ``reason`` is the scheduler's word for why a job waits, ``meaning`` the same for people, "" where the word says it.
    ``requeued``: it waits as a job does that was put back into the queue, which is news of one that had its nodes.
    """

    job_id: JobId
    state: JobState
    reason: str = ""
    nodes: str = ""
    expected_start: str | None = None
    end_time: str | None = None
    ending: Ending | None = None
    exit_code: int | None = None
    signal: int | None = None
    meaning: str = ""
    requeued: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """When and where a scheduler would start a job: a local time as it prints it, None where it does not know."""

    start: str | None
    nodes: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A program's words (without any shell) and what it gets on standard input."""

    argv: tuple[str, ...]
    stdin: str = ""

    @property
    def shown(self) -> str:
        """The words as one line for a shell; raises ``RequestError`` where one of them holds a NUL."""
        return line(self.argv)

    @property
    def carried(self) -> str:
        """What goes to standard input."""
        return self.stdin


@dataclass(frozen=True, slots=True)
class Output:
    """What a command answered."""

    returncode: int
    stdout: str
    stderr: str
