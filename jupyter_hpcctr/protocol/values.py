"""What the agent is given: the job's part of a launch, and how to reach the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from .ranks import RankPlan
from .shared import Rules


@dataclass(frozen=True)
class JobPlan(Rules):
    """The job's part of a launch: what the agent carries out. It holds no secret.

    ``kernel`` are the words of the kernel, as seen in its container. The container and its engine are the ranks'
    (``ranks``), without anything for ``NODE``. ``directories`` are made (0700) on the node first.

    ``run_dir``
        The private directory that the agent makes on its node.
    ``kernel_dir``
        The kernel's socket directory as the kernel sees it.
    ``workdir``
        Where programs without a container work.
    ``job_dir``, ``log_file``
        The job's directory on the file system that nodes and server share, and the job's log.
    ``time_minutes``
        The time limit that was asked for; None for the scheduler's own.
    ``ranks``
        The container, and how ``%%mpirun`` starts its ranks.
    """

    kernel: tuple[str, ...]
    directories: tuple[str, ...]
    run_dir: str
    kernel_dir: str
    workdir: str
    job_dir: str
    log_file: str
    time_minutes: Optional[int]
    ranks: RankPlan


@dataclass(frozen=True)
class Link:
    """Where the agent dials, and with which keys (CURVE, in Z85)."""

    addresses: tuple[str, ...]
    server_key: str
    public_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class AgentFile:
    """All that an agent is told, in a file that only its user can read: a plan, and the secrets.

    ``kernel_key`` signs the kernel's messages; ``keep_bytes`` is how much the agent keeps for a server that is away.
    ``kept`` says that there is no server for now, and that this is meant. ``scheduler`` and ``host`` are where the job
    was submitted. Times are in seconds: how long a job lives on without a server while its kernel computes, and while
    it does not; how long before its end a checkpoint runs.
    """

    link: Link
    kernel_key: str = field(repr=False)
    keep_bytes: int
    orphan_seconds: float
    orphan_idle_seconds: float
    checkpoint_seconds: float
    kept: bool
    scheduler: str
    host: str
    plan: JobPlan


