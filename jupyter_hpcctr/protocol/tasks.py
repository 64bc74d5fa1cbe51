"""What the hub of the ranks is told when it is started, and the processes on other nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .ranks import RankPlan
from .shared import Rules


@dataclass(frozen=True)
class HubTask(Rules):
    """What the hub is told when it is started.

    ``dir`` is the kernel's directory for sockets on the host, and ``dir_inside`` the same as the kernel sees it.
    ``node`` is the scheduler's name of this node, "" without its steps. ``plain``: the kernel is not one that we have
    launched.
    """

    plan: RankPlan
    run_dir: str
    workdir: str
    dir: str
    dir_inside: str
    holder_pid: str
    kernel_pid: int
    node: str
    plain: bool


@dataclass(frozen=True)
class Invitation:
    """How another node's process reaches the hub: a port, and keys (CURVE, in Z85)."""

    port: int
    server_key: str
    public_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class NodeTask(Rules):
    """What another node's process is told. ``dir_inside`` is "" where the node's directory has no other name inside."""

    plan: RankPlan
    dir_inside: str
    invitation: Invitation
