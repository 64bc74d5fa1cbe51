"""How the ranks of ``%%mpirun`` are started, as a value: the scheduler's words with gaps, the container, the engine.

What is known at run time alone (how many ranks, on which nodes, of which MPI) stands in the words as
placeholders (``protocol.words``). A word whose placeholder has no value then is left out whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..protocol.container import Container
from ..protocol.ranks import Beyond, ImageMpi, RankPlan
from ..protocol.shared import ImageFile
from .facts import ARCHIVE, Facts, ImageInfo, Policy
from .resolve import Resolved
from .seams import Engine, Scheduler

_IMPLEMENTATION, _VERSION = "org.supercontainers.mpi.implementation", "org.supercontainers.mpi.version"
_PMI = "org.supercontainers.pmi.version"


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
    """Lay out how ranks are started, on a ``place`` whose run directory ends with ``NODE``."""
    bare = resolved.image is None
    kind = type(engine)
    steps = scheduler.steps()
    return RankPlan(
        steps=steps,
        job_env=scheduler.job_env,
        engine="" if bare else f"{kind.__module__}:{kind.__qualname__}",
        container=place.container,
        shares=bare or engine.shares,
        holder=() if bare or not engine.shares else place.holder,
        run_dir=place.run_dir,
        directories=place.directories,
        rank_argv=(place.python, f"{place.guest}/mpirun/rank.py"),
        hub_argv=(facts.host.python, f"{facts.host.agent_dir}/{ARCHIVE}", "ranks"),
        python=facts.host.python,
        enter_script=f"{facts.host.agent_dir}/guest/mpirun/enter.py",
        guest_python=place.python,
        guest_enter=f"{place.guest}/mpirun/enter.py",
        mpi=image_mpi(resolved.image),
        beyond=_beyond(policy) if steps is None else "refuse",
        kernel_dir_host=f"{place.run_dir}/kernel",
        kernel_dir=place.kernel_dir,
        image=image_file(resolved.image),
        devices=resolved.devices,
    )


def image_mpi(image: ImageInfo | None) -> ImageMpi:
    """Read an image's annotations; nothing is known without an image."""
    notes: Mapping[str, str] = {} if image is None else image.annotations
    return ImageMpi(notes.get(_IMPLEMENTATION, "").lower(), notes.get(_VERSION, ""), notes.get(_PMI, ""))


def image_file(image: ImageInfo | None) -> ImageFile | None:
    """Return what a node compares before it runs an image."""
    return None if image is None else ImageFile(image.path, image.kind, image.size_bytes, image.owner)


def _beyond(policy: Policy) -> Beyond:
    return "refuse" if policy.ranks_beyond_machine == "refuse" else "reduce"
