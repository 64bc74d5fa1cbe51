"""How the ranks of ``%%mpirun`` are started, as a value: the words of scheduler and engine, with gaps.

What is known at run time alone (how many ranks, on which nodes, of which MPI) stands in the words as
placeholders. A word whose placeholder has no value then is left out whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .devices import Devices
from .facts import Facts, ImageInfo, ImageKind, Policy
from .job import EngineCommand
from .resolve import Resolved

if TYPE_CHECKING:
    from .plan import Container
    from .seams import Engine, Scheduler

HOLDER_PID = "@HOLDER_PID@"
"""Stands in a joining command's words for the holder's process id, which is known on the node alone."""
NODE = "@NODE@"
"""Follows the run directory in every path: nothing on the kernel's node, ``.n2`` on a node that may share its disk."""
ARGV = "@ARGV@"
"""One word, for all the words of the program that a rank is."""
RANKS = "@RANKS@"
"""Number of processes of a step."""
NODES = "@NODES@"
"""Number of nodes of a step."""
NODELIST = "@NODELIST@"
"""Names of a step's nodes with commas between them, as the scheduler writes them."""
CPUS = "@CPUS@"
"""CPUs of each process of a step; no value where there are more processes than CPUs."""
PMI = "@PMI@"
"""What the scheduler is to offer to MPI: a name of its own, ``pmix`` or ``pmi2`` with Slurm."""
OVERCOMMIT = "@OVERCOMMIT@"
"""The scheduler's word for more processes than CPUs, ``Steps.overcommit``; else no value."""
DIRECTORY = "@DIRECTORY@"
"""Work directory of a step's processes, before they enter a container."""

Beyond = Literal["refuse", "reduce"]
_IMPLEMENTATION, _VERSION = "org.supercontainers.mpi.implementation", "org.supercontainers.mpi.version"
_PMI = "org.supercontainers.pmi.version"


@dataclass(frozen=True, slots=True)
class Steps:
    """A scheduler's words that start processes within a job; the program's own words follow them.

    ``ranks`` has each of the placeholders above but ``NODE`` and ``ARGV``; ``nodes`` starts one process
    on each node of ``NODELIST``, and hands its standard input to all of them. ``overcommit`` is
    the value for ``OVERCOMMIT``.
    """

    ranks: tuple[str, ...]
    nodes: tuple[str, ...]
    overcommit: str = ""


@dataclass(frozen=True, slots=True)
class ImageMpi:
    """What an image says of its MPI, "" where it does not: ``openmpi`` or ``mpich``, and versions.

    From the annotations ``org.supercontainers.mpi.implementation``, ``….mpi.version`` and
    ``org.supercontainers.pmi.version`` (Open Container annotations of the HPC containers group).
    """

    implementation: str = ""
    version: str = ""
    pmi: str = ""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What a node compares before it runs an image; field names are those of ``ImageInfo``."""

    path: str
    kind: ImageKind
    size_bytes: int
    owner: int | None


@dataclass(frozen=True, slots=True)
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
    ``python``, ``enter_script``
        The host's Python, and the host's path of ``enter.py``.
    ``mpi``, ``beyond``
        What the image says of its MPI; what to do with more ranks than slots.
    ``image``
        The file that ``hold`` mounts, as it was when this was planned; None without an image.
    ``devices``
        What a node adds to ``hold``.
    """

    step: tuple[str, ...] | None
    node_step: tuple[str, ...] | None
    overcommit: str
    enter: EngineCommand
    shares: bool
    hold: EngineCommand | None
    run_dir: str
    env_file: str
    directories: tuple[str, ...]
    rank_argv: tuple[str, ...]
    python: str
    enter_script: str
    guest_python: str
    guest_enter: str
    mpi: ImageMpi
    beyond: Beyond
    kernel_dir_host: str
    kernel_dir: str
    image: ImageFile | None = None
    devices: Devices | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What a launch has on one node, for one run directory; ``guest``, ``kernel_dir`` and ``python`` as seen inside.

    ``directories`` are to be made there, ``holder`` is the parked program.
    """

    run_dir: str
    container: Container
    directories: tuple[str, ...]
    python: str
    guest: str
    kernel_dir: str
    holder: tuple[str, ...]


def rank_plan(
    resolved: Resolved, facts: Facts, policy: Policy, place: Place, *, engine: Engine, scheduler: Scheduler
) -> RankPlan:
    """Lay out how ranks are started, on a ``place`` whose run directory ends with ``NODE``.

    Raises
    ------
    EngineError
        The engine cannot carry a name of the run directory.
    """
    engine.check(place.container)
    bare = resolved.image is None
    joined = None if bare else engine.join(place.container, HOLDER_PID, (ARGV,))
    steps = scheduler.steps()
    return RankPlan(
        step=None if steps is None else steps.ranks,
        node_step=None if steps is None else steps.nodes,
        overcommit="" if steps is None else steps.overcommit,
        enter=joined or engine.command(place.container, (ARGV,)),
        shares=bare or joined is not None,
        hold=None if joined is None else engine.hold(place.container, place.holder),
        run_dir=place.run_dir,
        env_file=place.container.env_file,
        directories=place.directories,
        rank_argv=(place.python, f"{place.guest}/mpirun/rank.py"),
        python=facts.host.python,
        enter_script=f"{facts.host.guest_dir}/mpirun/enter.py",
        guest_python=place.python,
        guest_enter=f"{place.guest}/mpirun/enter.py",
        mpi=image_mpi(resolved.image),
        beyond=_beyond(policy) if steps is None else "refuse",
        kernel_dir_host=f"{place.run_dir}/kernel",
        kernel_dir=place.kernel_dir,
        image=_image_file(resolved.image),
        devices=resolved.devices,
    )


def image_mpi(image: ImageInfo | None) -> ImageMpi:
    """Read an image's annotations; nothing is known without an image."""
    notes: Mapping[str, str] = {} if image is None else image.annotations
    return ImageMpi(notes.get(_IMPLEMENTATION, "").lower(), notes.get(_VERSION, ""), notes.get(_PMI, ""))


def _image_file(image: ImageInfo | None) -> ImageFile | None:
    return None if image is None else ImageFile(image.path, image.kind, image.size_bytes, image.owner)


def _beyond(policy: Policy) -> Beyond:
    return "refuse" if policy.ranks_beyond_machine == "refuse" else "reduce"
