"""What a request would come to, asked before anything is started."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Protocol, TypeVar

from ..core import cost as costs
from ..core import limits
from ..core.cost import Cost
from ..core.facts import HOST_ROOTS, Facts, ImageInfo, Policy, Site
from ..core.limits import Problem
from ..core.plan import LaunchPlan
from ..core.questions import Asking
from ..core.request import KernelRequest, Resources
from ..core.seams import Engine, ImageStore, Scheduler
from ..edge.loop import in_thread
from ..errors import HpcctrError, SchedulerUnreachable
from .gather import draw, gather, translated
from .progress import resources_dict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be submitted, and what is wrong with it.

    ``command`` is the submission in one line, a command for a shell where it is one, "" where none can be drawn; then
    ``problems`` say why. ``script`` is what goes with it. ``resources`` are as in a ``LaunchView``, ``expected_start``
    a local time as the scheduler prints it.
    """

    command: str = ""
    script: str = ""
    engine: str = ""
    scheduler: str = ""
    resources: Mapping[str, object] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    expected_start: str | None = None
    cost: Cost | None = None
    image_here: bool = True


class Sources(Protocol):
    """Whom a preview asks; the hub is one."""

    policy: Policy
    store: ImageStore

    @property
    def engine(self) -> Callable[[str], Engine]:
        """Returns an engine by its name."""
        ...

    @property
    def scheduler(self) -> Callable[[str], Scheduler]:
        """Returns a scheduler by its name."""
        ...

    async def site(self, name: str) -> Site:
        """Return what a scheduler says of itself; raises ``SchedulerUnreachable``."""
        ...

    async def run(self, name: str, asking: Asking[T]) -> T:
        """Ask what a scheduler asks; raises as ``edge.asking.carry_out``."""
        ...


async def preview(hub: Sources, request: KernelRequest, *, cwd: str, ask_scheduler: bool) -> Preview:
    """Draw a plan, look at the site's limits, and ask the scheduler when the job would start.

    It raises no ``HpcctrError``: whatever is wrong is among the problems.
    """
    here = True
    try:
        with translated():
            facts = await in_thread(gather, request, hub.policy, hub.store, cwd=cwd)
            here = request.image is None or facts.image is not None
            facts = facts if here else _as_if_here(request, facts, hub.policy)
            plan = draw(request, facts, hub.policy, engine=hub.engine, scheduler=hub.scheduler)
    except HpcctrError as error:
        return Preview(resources=resources_dict(request.resources), problems=(_problem(error),), image_here=here)
    drawn = Preview(
        command=plan.submit.shown,
        script=plan.submit.carried,
        engine=plan.engine,
        scheduler=plan.scheduler,
        resources=resources_dict(plan.resources),
        reasons=plan.reasons,
        image_here=here,
    )
    return await _asked(hub, drawn, plan) if ask_scheduler else await _known(hub, drawn, plan.resources)


async def _known(hub: Sources, drawn: Preview, resources: Resources) -> Preview:
    try:
        site = await hub.site(drawn.scheduler)
    except SchedulerUnreachable as error:
        return replace(drawn, problems=(_problem(error, "scheduler"),))
    return replace(drawn, problems=limits.problems(resources, site), cost=costs.cost(resources, site, hub.policy))


async def _asked(hub: Sources, drawn: Preview, plan: LaunchPlan) -> Preview:
    drawn = await _known(hub, drawn, plan.resources)
    asking = None if drawn.problems else hub.scheduler(plan.scheduler).estimate(plan.job)
    if asking is None:  # or what is wrong is known already, and said better
        return drawn
    try:
        estimate = await hub.run(plan.scheduler, asking)
    except SchedulerUnreachable as error:
        return replace(drawn, problems=(_problem(error, "scheduler"),))
    except HpcctrError as error:
        return replace(drawn, problems=(_problem(error),))
    return replace(drawn, expected_start=_within_a_year(estimate.start))


def _within_a_year(start: str | None) -> str | None:
    """Return a start that means something: behind jobs without an end, Slurm names years that nobody waits for."""
    try:
        at = None if start is None else datetime.datetime.fromisoformat(start)
    except ValueError:
        return None
    soon = datetime.datetime.now() + datetime.timedelta(days=366)  # noqa: DTZ005  (local, as the scheduler's)
    return start if at is not None and at < soon else None


def _problem(error: HpcctrError, field_name: str = "") -> Problem:
    return Problem(error.field or field_name, error.message, error.hint)


def _as_if_here(request: KernelRequest, facts: Facts, policy: Policy) -> Facts:
    """Put a stand-in for an image that is still to be fetched, in which everything can be mounted."""
    targets = (facts.host.home, *(mount.target for mount in request.mounts))
    roots = {name for path in targets for name in PurePosixPath(path).parts[1:2]} | set(policy.mount_points)
    roots |= {root[1:] for root in HOST_ROOTS}
    name = "" if request.image is None else request.image.text
    image = ImageInfo(name, digest="", path=f"{policy.store}/…", kind="squashfs", roots=dict.fromkeys(roots, True))
    return replace(facts, image=image)
