"""How the ranks of ``%%mpirun`` are started in a job."""

from __future__ import annotations

from collections.abc import Mapping
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
class Probe:
    """Words that are run in a job, and what to look for in what they print.

    ``pattern`` is one of ``re``, in which ``^`` and ``$`` are a line's; its first group is an answer each time.
    """

    words: tuple[str, ...]
    pattern: str


@dataclass(frozen=True)
class JobVariables:
    """Which variables say what to a job's processes; a name of "" where none does.

    ``job``
        The job's id: those of another job that a rank has submitted are not the rank's.
    ``node``, ``nodes``
        The node's name, as the scheduler's words take it, and how many nodes the job has.
    ``tasks``
        How many processes each of the job's nodes has room for, in the order of ``Steps.names``: numbers with commas
        between them, where ``2(x3)`` is three times a 2.
    ``cpus``
        How many CPUs were asked for each process, unset where that was not said.
    ``rank``
        In a step that starts ranks: the process's number.
    ``hub``
        In a step that starts one process a node: the address of the node that has started the step.
    """

    job: str
    node: str
    nodes: str
    tasks: str
    cpus: str
    rank: str
    hub: str


@dataclass(frozen=True)
class Steps:
    """A scheduler's words that start processes within a job, and how these know their place.

    ``ranks``, ``nodes``
        Words that the program's own follow. ``ranks`` has the placeholders of ``protocol.words`` from ``RANKS`` to
        ``DIRECTORY``; ``nodes`` starts one process on each node of ``NODELIST``, and hands its standard input to all.
    ``overcommit``
        The value for ``OVERCOMMIT``.
    ``names``, ``addresses``
        Ask for the names of the job's nodes; and for the addresses of those of ``NODELIST``.
    ``pmi``
        Asks what the scheduler can offer to MPI: values for ``PMI``. None where it offers one thing only.
    """

    ranks: tuple[str, ...]
    nodes: tuple[str, ...]
    overcommit: str
    variables: JobVariables
    names: Probe
    addresses: Probe
    pmi: Optional[Probe] = None


@dataclass(frozen=True)
class RankPlan:
    """All that is needed to start ranks in a launch's job, but for what ``%%mpirun`` itself is asked.

    ``steps``, ``job_env``
        The scheduler's ``Steps``, None where it has none and mpiexec(1) starts the ranks; and patterns of the variables
        by which such an mpiexec would take itself for a part of the scheduler's job.
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

    steps: Optional[Steps]
    job_env: tuple[str, ...]
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

    def node(self, environ: Mapping[str, str]) -> str:
        """Return the scheduler's name of the node whose environment this is, "" without steps or such a variable."""
        return "" if self.steps is None else environ.get(self.steps.variables.node, "")
