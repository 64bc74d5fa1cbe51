"""How the ranks of ``%%mpirun`` are started in a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

from .container import Container
from .shared import Devices, ImageFile

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
    ``engine``
        The engine's class, ``package.module:Class``, which makes the ``container``; "" where programs run as they are.
        ``shares`` says whether the ranks of a node are in the same namespaces.
    ``holder``
        The words, as seen inside, of the program that is parked in a container for others to enter; empty where each
        program gets a container of its own.
    ``run_dir``, ``directories``
        The node's private directory, and what to make (0700) in it first. These, the container's name and paths,
        ``kernel_dir_host`` and ``kernel_dir`` have ``NODE`` behind the run directory.
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
        The image's file, as it was when this was planned; None without an image.
    ``devices``
        What a node adds to the container.
    """

    step: Optional[tuple[str, ...]]
    node_step: Optional[tuple[str, ...]]
    overcommit: str
    engine: str
    container: Container
    shares: bool
    holder: tuple[str, ...]
    run_dir: str
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
