"""What the ranks of ``%%mpirun`` need: the plan, and what the hub and the other nodes' processes are told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from .shared import Devices, EngineCommand, ImageFile, Rules

Beyond = Literal["refuse", "reduce"]


@dataclass(frozen=True)
class ImageMpi:
    """What an image says of its MPI, "" where it does not: ``openmpi`` or ``mpich``, and versions.

    From the annotations ``org.supercontainers.mpi.implementation``, ``….mpi.version`` and
    ``org.supercontainers.pmi.version`` (Open Container annotations of the HPC containers group).
    """

    implementation: str = ""
    version: str = ""
    pmi: str = ""


@dataclass(frozen=True)
class RankPlan:
    """All that is needed to start ranks in a launch's job, but for what ``%%mpirun`` itself is asked.

    ``step``, ``node_step``, ``overcommit``
        The scheduler's ``Steps``; None (and "") where it has none, and mpiexec(1) starts the ranks.
    ``enter``
        Puts a program into the container of its node; ends with the word ``ARGV``, and has ``HOLDER_PID`` where it
        joins. ``shares`` says whether the ranks of a node are in the same namespaces.
    ``hold``
        Starts the parked container on another node; None where there is nothing to join.
    ``run_dir``, ``directories``, ``env_file``
        The node's private directory, what to make (0700) in it first, and the file that ``enter`` reads the
        environment from where it says so. These, ``kernel_dir_host``, ``kernel_dir`` and the words have ``NODE``
        behind the run directory.
    ``kernel_dir_host``, ``kernel_dir``
        The socket directory, as its node and as the programs in the container see it.
    ``rank_argv``, ``guest_python``, ``guest_enter``
        As seen in the container: the words of the rank program, the Python, the path of ``enter.py``.
    ``hub_argv``
        The host's words for the hub, which a file's name follows, and for other nodes' processes.
    ``python``, ``enter_script``
        The host's Python, and the host's path of ``enter.py``.
    ``mpi``, ``beyond``
        What the image says of its MPI; what to do with more ranks than slots.
    ``image``
        The file that ``hold`` mounts, as it was when this was planned; None without an image.
    ``devices``
        What a node adds to ``hold``.
    """

    step: Optional[tuple[str, ...]]
    node_step: Optional[tuple[str, ...]]
    overcommit: str
    enter: EngineCommand
    shares: bool
    hold: Optional[EngineCommand]
    run_dir: str
    env_file: str
    directories: tuple[str, ...]
    rank_argv: tuple[str, ...]
    hub_argv: tuple[str, ...]
    python: str
    enter_script: str
    guest_python: str
    guest_enter: str
    mpi: ImageMpi
    beyond: Beyond
    kernel_dir_host: str
    kernel_dir: str
    image: Optional[ImageFile] = None
    devices: Optional[Devices] = None


@dataclass(frozen=True)
class HubTask(Rules):
    """What the hub is told when it is started.

    ``dir`` is the kernel's directory for sockets on the host, and ``dir_inside`` the same as the kernel sees it.
    ``node`` is Slurm's name of this node, "" without Slurm. ``plain``: the kernel is not one that we have launched.
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
