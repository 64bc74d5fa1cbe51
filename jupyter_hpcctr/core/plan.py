"""What will be done, as a value: printed, compared, stored and shown; it holds no secret."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..errors import RequestError
from ..protocol.container import SCRIPTS, Container, Mount, NodeFacts, Program
from ..protocol.ranks import RankPlan
from ..protocol.shared import Devices
from ..protocol.values import JobPlan
from ..protocol.words import HOLDER_PID, NODE
from .facts import ARCHIVE, GUEST_ROOT, HOST_ROOTS, Facts, Host, ImageInfo, Policy
from .jobspec import JobSpec
from .questions import Question, opening
from .ranks import Place, rank_plan
from .request import Resources
from .resolve import Resolved, shown
from .seams import Engine, Scheduler

STARTUP = "startup"
"""Directory below the state directory for the guests' start-up caches."""


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """One launch, whole: submitted by the edge; the agent carries out the job's part of it (``job_plan``).

    ``directories`` are made (0700) on the node before the first command, and ``kernel`` are the kernel's words there,
    as seen in its container. ``start`` and ``enter`` are for people: the words by which the engine would start the
    container (none where the kernel's own words do that) and the kernel, on a node of which nothing is known, with
    ``HOLDER_PID`` in them.
    """

    name: str
    scheduler: str
    engine: str
    image: ImageInfo | None
    resources: Resources
    job: JobSpec
    submit: Question
    """The first question of the submission, which people are shown."""
    start: tuple[str, ...]
    enter: tuple[str, ...]
    kernel: tuple[str, ...]
    env: Mapping[str, str]
    image_env: Mapping[str, str]
    """What the job's own variables win over; ``env`` wins over those."""
    pass_env: tuple[str, ...]
    drop_env: tuple[str, ...]
    run_dir: str
    kernel_dir: str
    """The kernel's socket directory as the kernel sees it."""
    workdir: str
    directories: tuple[str, ...]
    job_dir: str
    log_file: str
    secret_file: str
    ranks: RankPlan
    """How ``%%mpirun`` starts its ranks in the job."""
    devices: Devices | None = None
    """What the node adds to the container by its descriptions of devices."""
    reasons: tuple[str, ...] = field(default=())


def plan(resolved: Resolved, facts: Facts, policy: Policy, *, engine: Engine, scheduler: Scheduler) -> LaunchPlan:
    """Lay out one launch. Pure: the same input gives the same plan.

    Raises
    ------
    EngineError, RequestError
        The engine cannot carry a name or a mount of the request.
    """
    host = facts.host
    place = _place(resolved, facts, host.run_dir)
    anywhere = _place(resolved, facts, f"{host.run_dir}{NODE}")
    engine.check(place.container)
    words = _kernel_words(resolved, place)
    start, enter = _shown(resolved, place, host, engine=engine, words=words)
    name = "jupyter" if resolved.image is None else f"jupyter {resolved.image.reference}"[:64]
    spec = _job_spec(name, resolved.resources, facts)
    return LaunchPlan(
        name=name,
        scheduler=resolved.scheduler,
        engine=resolved.engine,
        image=resolved.image,
        resources=resolved.resources,
        job=spec,
        submit=opening(scheduler.submit(spec)),
        start=start,
        enter=enter,
        kernel=words,
        env={**resolved.env, **_startup_cache(resolved, policy)},
        image_env=resolved.image_env,
        pass_env=(*policy.pass_env, *scheduler.job_env),
        drop_env=(*policy.drop_env, *scheduler.secret_env),
        run_dir=host.run_dir,
        kernel_dir=place.kernel_dir,
        workdir=resolved.workdir,
        directories=place.directories,
        job_dir=host.job_dir,
        log_file=spec.log_file,
        secret_file=spec.argv[-1],
        ranks=rank_plan(resolved, facts, policy, anywhere, engine=engine, scheduler=scheduler),
        devices=resolved.devices,
        reasons=resolved.reasons,
    )


def _shown(
    resolved: Resolved, place: Place, host: Host, *, engine: Engine, words: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words that start the container and the kernel, as far as they are known before there is a node."""
    node = NodeFacts(host.python, f"{place.run_dir}/{SCRIPTS}", host.uid, host.gid)
    container, env_file = place.container, f"{place.run_dir}/env"
    kernel = Program(words, env_file)
    if resolved.image is None or not engine.shares:
        return (), engine.start(container, kernel, node).argv
    start = engine.start(container, Program(place.holder, env_file), node)
    return start.argv, engine.enter(container, HOLDER_PID, kernel, node).argv


def job_plan(plan_: LaunchPlan) -> JobPlan:
    """Return the job's part of a plan: what goes with the job."""
    own: dict[str, Any] = {"time_minutes": plan_.resources.time_minutes}
    same = [each.name for each in dataclasses.fields(JobPlan) if each.name not in own]
    return JobPlan(**own, **{name: getattr(plan_, name) for name in same})


def _job_spec(name: str, resources: Resources, facts: Facts) -> JobSpec:
    host = facts.host
    agent = (host.python, f"{host.agent_dir}/{ARCHIVE}", "agent", f"{host.job_dir}/agent.json")
    token = PurePosixPath(host.job_dir).name
    return JobSpec(name, agent, resources, host.job_dir, f"{host.job_dir}/job.log", token)


def _place(resolved: Resolved, facts: Facts, run_dir: str) -> Place:
    bare = resolved.image is None
    guest = f"{run_dir}/guest" if bare else f"{GUEST_ROOT}/guest"
    python = resolved.request.python
    if bare and python == "python3":
        python = facts.host.python  # no image: the server's own Python, which has ipykernel
    container, stages = _container(resolved, facts, run_dir)
    return Place(
        run_dir=run_dir,
        container=container,
        directories=(f"{run_dir}/kernel", container.scratch, *stages),
        python=python,
        guest=guest,
        kernel_dir=f"{run_dir}/kernel" if bare else f"{GUEST_ROOT}/run",
        holder=(python, "-S", "-E", f"{guest}/holder.py"),
    )


def _kernel_words(resolved: Resolved, place: Place) -> tuple[str, ...]:
    connection = f"{place.kernel_dir}/connection.json"
    boot = (place.python, f"{place.guest}/boot.py", "" if resolved.image is None else resolved.engine, connection)
    return boot + tuple(word.replace("{connection_file}", connection) for word in resolved.request.argv)


def _startup_cache(resolved: Resolved, policy: Policy) -> dict[str, str]:
    # Where guest/startup.py keeps what it learnt: the user's own, by digest, where the container can see it.
    directory = f"{policy.state_dir}/{STARTUP}"
    if resolved.image is None or not shown(directory, resolved.mounts):
        return {}
    python = PurePosixPath(resolved.request.python).name
    return {"HPCCTR_STARTUP_CACHE": f"{directory}/{resolved.image.digest.replace(':', '-')}-{python}"}


def _container(resolved: Resolved, facts: Facts, run_dir: str) -> tuple[Container, tuple[str, ...]]:
    image = resolved.image
    own = (
        Mount(f"{run_dir}/guest", f"{GUEST_ROOT}/guest"),
        Mount(f"{run_dir}/kernel", f"{GUEST_ROOT}/run"),
    )
    staged, stages = ((), ()) if image is None else stage(resolved.mounts, image, run_dir, missing=facts.missing)
    container = Container(
        name=PurePosixPath(run_dir).name,
        image="" if image is None else image.path,
        kind="none" if image is None else image.kind,
        reference="" if image is None else image.reference,
        digest="" if image is None else image.digest,
        mounts=() if image is None else own + staged + resolved.mounts,
        workdir=resolved.workdir,
        scratch=f"{run_dir}/engine",
    )
    return container, stages


def stage(
    mounts: tuple[Mount, ...], image: ImageInfo, run_dir: str, *, missing: Collection[str] = ()
) -> tuple[tuple[Mount, ...], tuple[str, ...]]:
    """Make room in a read-only image for mount targets that it does not have.

    A target below a root directory that is empty in the image is laid on a directory tree that the
    agent makes on the node and binds over that root first. ``missing`` are targets that are known not to be there.

    Returns
    -------
    (mounts, directories)
        The extra mounts, which come before the others, and the directories to make on the node.

    Raises
    ------
    RequestError
        Nothing can be mounted there.
    """
    roots: dict[str, None] = {}
    directories: list[str] = []
    for mount in mounts:
        top, *below = PurePosixPath(mount.target).parts[1:] or ("",)
        if why := _no_room(mount.target, image, missing):
            free = sorted(f"/{name}" for name, empty in image.roots.items() if empty and f"/{name}" not in HOST_ROOTS)
            raise RequestError(
                f"nothing can be mounted at {mount.target}: {why}",
                hint=f"mount it below one of: {', '.join(free)}",
                field="mounts",
            )
        if below and image.roots[top]:
            roots[top] = None
            directories.append("/".join((run_dir, "stage", top, *below)))
    return tuple(Mount(f"{run_dir}/stage/{top}", f"/{top}") for top in roots), tuple(directories)


def below_filled(target: str, image: ImageInfo) -> bool:
    """Return whether a mount's target is below a root directory with something in it: the image must have it."""
    top, *below = PurePosixPath(target).parts[1:] or ("",)
    return bool(below) and image.roots.get(top) is False


def _no_room(target: str, image: ImageInfo, missing: Collection[str]) -> str:
    """Say why nothing can be mounted at a target, "" where something can."""
    top, *below = PurePosixPath(target).parts[1:] or ("",)
    if f"/{top}" == GUEST_ROOT:
        return f"{GUEST_ROOT} is taken"
    if f"/{top}" in HOST_ROOTS and (below or top != "tmp"):
        return f"/{top} is the node's own in every container"
    if top not in image.roots:
        return f"the image has no /{top}"
    if target in missing:
        return f"the image has no such directory, and none can be made, since its /{top} is not empty"
    return ""


def to_json(plan_: LaunchPlan) -> str:
    """Return a plan as JSON text with sorted keys, for people, files and the browser."""
    return json.dumps(dataclasses.asdict(plan_), indent=2, sort_keys=True, ensure_ascii=False)
