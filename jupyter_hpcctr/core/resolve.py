"""From what is asked and what is known to what will be done, with the reasons."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import ImageError, ImageMissing, PolicyError
from ..protocol.container import Mount
from ..protocol.shared import Devices
from .devices import search_paths, wanted
from .facts import HOST_ROOTS, Facts, Host, ImageInfo, Policy
from .request import KernelRequest, Resources
from .wording import minutes_text

_TMP = Mount("/tmp", "/tmp")  # noqa: S108  (every engine shows the host's)
_NEVER = ("LD_PRELOAD", "LD_AUDIT", "HOME", "USER", "LOGNAME")
_OF_IMAGE = ("LANG", "LC_*", "TZ", "TERM", "COLUMNS")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A request with every choice made, and ``reasons`` for what differs from what was asked."""

    request: KernelRequest
    engine: str
    scheduler: str
    image: ImageInfo | None
    resources: Resources
    mounts: tuple[Mount, ...]
    workdir: str
    env: Mapping[str, str]
    image_env: Mapping[str, str]
    """Variables of the image to which those of the job are preferred; ``env`` is preferred to both."""
    devices: Devices | None
    reasons: tuple[str, ...]


def precheck(request: KernelRequest, policy: Policy) -> tuple[str, str]:
    """Decide what needs no image, before one is fetched: engine, scheduler, and whether the site allows the rest.

    Returns
    -------
    (engine, scheduler)
        Their names.

    Raises
    ------
    PolicyError
        The site does not allow what was asked for.
    """
    usual = policy.plain_engine if request.image is None else policy.default_engine
    engine = _choice(request.engine, usual, policy.engines, "engine")
    scheduler = _choice(request.scheduler, policy.default_scheduler, policy.schedulers, "scheduler")
    _check_image(request, policy, engine)
    _check_mounts(request, policy, engine)
    for mount in request.mounts:
        if policy.mount_sources and not any(_inside(mount.source, root) for root in policy.mount_sources):
            raise PolicyError(
                f"this site does not allow to mount {mount.source}",
                hint="allowed below: " + ", ".join(policy.mount_sources),
                field="mounts",
            )
    return engine, scheduler


def resolve(request: KernelRequest, facts: Facts, policy: Policy) -> Resolved:
    """Choose engine, scheduler, resources, mounts and environment within the site's policy.

    Raises
    ------
    PolicyError
        The site does not allow what was asked for.
    ImageError
        The image is needed and not in the store.
    """
    engine, scheduler = precheck(request, policy)
    contained = engine != policy.plain_engine
    if contained and facts.image is None and request.image is not None:
        name = request.image.text
        hint = f"jupyter hpcctr images pull {name}"
        raise ImageMissing(f"the image {name} is not in the store", hint=hint, field="image")
    if contained and facts.image is not None:
        _check_room(facts.image)
    resources, reasons = _within_limits(request.resources, policy)
    mounted, workdir, mount_reasons = _mounts(request, facts, policy, engine)
    if contained and request.workdir is not None:
        _check_workdir(workdir, mounted, facts)
    of_image = {} if facts.image is None or not contained else facts.image.env
    image_env, yielding, env_reasons = _image_env(of_image, facts.job_env, policy)
    devices = wanted(request, policy) if contained else None
    host = facts.host
    env = {**image_env, "HOME": host.home, "USER": host.user, "LOGNAME": host.user, **request.env}
    return Resolved(
        request=request,
        engine=engine,
        scheduler=scheduler,
        image=facts.image if contained else None,
        resources=resources,
        mounts=mounted,
        workdir=workdir,
        env=env if devices is None else {**env, **search_paths(env)},
        image_env=yielding,
        devices=devices,
        reasons=reasons + mount_reasons + env_reasons + _unheard(request, engine),
    )


def _choice(asked: str | None, usual: str, allowed: tuple[str, ...], what: str) -> str:
    chosen = asked or usual
    if chosen not in allowed:
        hint = "allowed: " + ", ".join(allowed)
        raise PolicyError(f"this site does not allow the {what} {chosen!r}", hint=hint, field=what)
    return chosen


def _check_image(request: KernelRequest, policy: Policy, engine: str) -> None:
    if engine == policy.plain_engine:
        if request.image is not None:
            hint = "leave the image out, or choose another engine"
            raise PolicyError(f"the engine {engine!r} runs no image", hint=hint, field="image")
        return
    if request.image is None:
        hint = f"name one, or choose the engine {policy.plain_engine!r}"
        raise PolicyError(f"the engine {engine!r} needs an image", hint=hint, field="image")
    name = request.image.text
    if policy.image_patterns and not any(fnmatch.fnmatchcase(name, p) for p in policy.image_patterns):
        raise PolicyError(
            f"this site does not allow the image {name}",
            hint="allowed: " + ", ".join(policy.image_patterns),
            field="image",
        )


def _check_room(image: ImageInfo) -> None:
    lacks = [root for root in HOST_ROOTS if image.roots and root[1:] not in image.roots]
    if lacks:  # an image that was put into the store before it was given them
        name = image.reference
        raise ImageError(
            f"the image {name} has no {lacks[0]}, without which no container starts",
            hint=f"fetch it again: jupyter hpcctr images remove {name}, then jupyter hpcctr images pull {name}",
            field="image",
        )


def _within_limits(asked: Resources, policy: Policy) -> tuple[Resources, tuple[str, ...]]:
    reasons: list[str] = []
    given = asked
    if policy.max_nodes is not None and asked.nodes > policy.max_nodes:
        reasons.append(f"Nodes {asked.nodes} → {policy.max_nodes}: the site's limit")
        given = replace(given, nodes=policy.max_nodes)
    limit = policy.max_time_minutes
    if limit is not None and (asked.time_minutes is None or asked.time_minutes > limit):
        before = "none" if asked.time_minutes is None else minutes_text(asked.time_minutes)
        reasons.append(f"Time limit {before} → {minutes_text(limit)}: the site's limit")
        given = replace(given, time_minutes=limit)
    return given, tuple(reasons)


def _check_mounts(request: KernelRequest, policy: Policy, engine: str) -> None:
    plain_one = engine == policy.plain_engine
    if plain_one and request.mounts:
        raise PolicyError(
            f"the engine {engine!r} cannot mount {request.mounts[0].source}",
            hint="leave the mounts out, which are for images: such a kernel sees the node's own directories",
            field="mounts",
        )
    if plain_one and request.devices:
        raise PolicyError(
            f"the engine {engine!r} cannot add {request.devices[0]}",
            hint="leave the devices out, which are for images: such a kernel has what its node has",
            field="devices",
        )
    seen: set[str] = set()
    for target in (plain(mount.target) for mount in request.mounts):
        if target in seen:
            raise PolicyError(
                f"two directories are to be mounted at {target}", hint="mount one of them elsewhere", field="mounts"
            )
        seen.add(target)


def _mounts(
    request: KernelRequest, facts: Facts, policy: Policy, engine: str
) -> tuple[tuple[Mount, ...], str, tuple[str, ...]]:
    host = facts.host
    if engine == policy.plain_engine:
        return (), request.workdir or host.cwd, ()
    made, home = mounts(request, host, policy), plain(host.home)
    reasons = [
        f"home directory {home}: {each.source} is mounted there, as asked for"
        for each in made
        if policy.mount_home and each.target == home != each.source
    ]
    if request.workdir is not None:
        return made, plain(request.workdir), tuple(reasons)
    if shown(host.cwd, made):
        return made, host.cwd, tuple(reasons)
    fallback = home if policy.mount_home else "/"
    reasons.append(f"work directory {host.cwd} → {fallback}: it is not mounted in the container")
    return made, fallback, tuple(reasons)


def _check_workdir(workdir: str, mounted: Iterable[Mount], facts: Facts) -> None:
    """Refuse a directory that the image is known not to have; what is mounted, the job sees."""
    image, top = facts.image, workdir.split("/")[1]
    around = (*(mount.target for mount in mounted), *HOST_ROOTS)
    if image is None or not image.roots or not top or any(_inside(workdir, each) for each in around):
        return
    is_below = workdir != f"/{top}"
    if top not in image.roots or (is_below and image.roots[top]) or workdir in facts.missing:
        raise PolicyError(
            f"the image has no directory {workdir} to work in",
            hint="mount one there, or leave the work directory out: a kernel starts in its notebook's directory",
            field="workdir",
        )


def _unheard(request: KernelRequest, engine: str) -> tuple[str, ...]:
    names = ", ".join(sorted(request.annotations))
    return (f"annotations {names}: without effect, the engine {engine} runs no hooks",) if names else ()


def mounts(request: KernelRequest, host: Host, policy: Policy) -> tuple[Mount, ...]:
    """Return what is mounted: the home and what is asked for, outer directories first, which would hide inner ones.

    What the node shows at its own place anyway, below ``/tmp`` above all, need not be mounted, and could only hide it.
    """
    home = plain(host.home)
    found = {home: Mount(home, home)} if policy.mount_home else {}
    for asked in request.mounts:
        found[plain(asked.target)] = Mount(plain(asked.source), plain(asked.target), asked.read_only)
    ordered = sorted(found.values(), key=lambda each: len(each.target.split("/")) if each.target != "/" else 0)
    hiding = [each.target for each in ordered if each.source != each.target]
    return tuple(each for each in ordered if not _is_there(each, hiding))


def shown(path: str, mounted: Iterable[Mount]) -> bool:
    """Return whether a path of the host is the same in a container with these mounts."""
    around = [mount for mount in (*mounted, _TMP) if _inside(path, mount.target)]
    return bool(around) and (nearest := max(around, key=lambda each: len(each.target))).source == nearest.target


def _is_there(mount: Mount, hiding: Iterable[str]) -> bool:
    of_node = mount.source == mount.target and any(_inside(mount.target, root) for root in HOST_ROOTS)
    return of_node and not mount.read_only and not any(_inside(mount.target, each) for each in hiding)


def plain(path: str) -> str:
    """Return a path without what changes nothing: doubled slashes, dots, a slash at the end."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _image_env(
    env: Mapping[str, str], job_env: Iterable[str], policy: Policy
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Divide an image's variables: those that it keeps, those that give way to the job's, and what to say of them.

    An image may set its own search paths, but not preload anything, claim a user's identity or a job's. What
    tells a process its place in the job is the job's to say; what tells how to write (``LANG``) is the image's.
    """
    kept, yielding, never = {}, {}, []
    for name, value in env.items():
        if name in _NEVER or "\n" in value:
            continue
        if _any(name, job_env):
            never.append(name)
        elif _any(name, policy.pass_env) and not _any(name, _OF_IMAGE):
            yielding[name] = value
        else:
            kept[name] = value
    reasons = []
    if yielding:
        reasons.append(f"the image sets {', '.join(sorted(yielding))}: the job's values come first where it has any")
    if never:
        reasons.append(f"the image sets {', '.join(sorted(never))}: left out, only the scheduler can know")
    return kept, yielding, tuple(reasons)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
