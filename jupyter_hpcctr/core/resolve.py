"""From what is asked and what is known to what will be done, with the reasons."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import ImageError, PolicyError
from .facts import Facts, ImageInfo, Policy
from .request import KernelRequest, Mount, Resources
from .wording import minutes_text


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
    engine = _choice(
        request.engine, policy.default_engine, policy.engines, "engine", fallback_bare=request.image is None
    )
    scheduler = _choice(request.scheduler, policy.default_scheduler, policy.schedulers, "scheduler")
    _check_image(request, policy, engine)
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
    if engine != "bare" and facts.image is None and request.image is not None:
        name = request.image.text
        hint = f"jupyter hpcctr images pull {name}"
        raise ImageError(f"the image {name} is not in the store", hint=hint, field="image")
    resources, reasons = _within_limits(request.resources, policy)
    mounts, workdir, mount_reasons = _mounts(request, facts, policy, engine)
    image_env = {} if facts.image is None or engine == "bare" else _safe_image_env(facts.image.env)
    return Resolved(
        request=request,
        engine=engine,
        scheduler=scheduler,
        image=None if engine == "bare" else facts.image,
        resources=resources,
        mounts=mounts,
        workdir=workdir,
        env={**image_env, "HOME": facts.host.home, "USER": facts.host.user, "LOGNAME": facts.host.user, **request.env},
        reasons=reasons + mount_reasons,
    )


def _choice(
    asked: str | None, default: str, allowed: tuple[str, ...], what: str, *, fallback_bare: bool = False
) -> str:
    chosen = asked or ("bare" if fallback_bare else default)
    if chosen not in allowed:
        hint = "allowed: " + ", ".join(allowed)
        raise PolicyError(f"this site does not allow the {what} {chosen!r}", hint=hint, field=what)
    return chosen


def _check_image(request: KernelRequest, policy: Policy, engine: str) -> None:
    if engine == "bare":
        if request.image is not None:
            hint = "leave the image out, or choose another engine"
            raise PolicyError("the engine 'bare' runs no image", hint=hint, field="image")
        return
    if request.image is None:
        hint = "name one, or choose the engine 'bare'"
        raise PolicyError(f"the engine {engine!r} needs an image", hint=hint, field="image")
    name = request.image.text
    if policy.image_patterns and not any(fnmatch.fnmatchcase(name, p) for p in policy.image_patterns):
        raise PolicyError(
            f"this site does not allow the image {name}",
            hint="allowed: " + ", ".join(policy.image_patterns),
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


def _mounts(
    request: KernelRequest, facts: Facts, policy: Policy, engine: str
) -> tuple[tuple[Mount, ...], str, tuple[str, ...]]:
    host = facts.host
    if engine == "bare":
        return (), host.cwd, ()
    mounts: dict[str, Mount] = {}
    if policy.mount_home:
        mounts[host.home] = Mount(host.home, host.home)
    mounts.update({m.target: m for m in request.mounts})
    seen = [*mounts, "/tmp"]  # noqa: S108  (every engine shows the host's /tmp)
    if any(_inside(host.cwd, target) for target in seen):
        return tuple(mounts.values()), host.cwd, ()
    fallback = host.home if policy.mount_home else "/"
    return (
        tuple(mounts.values()),
        fallback,
        (f"work directory {host.cwd} → {fallback}: it is not mounted in the container",),
    )


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _safe_image_env(env: Mapping[str, str]) -> dict[str, str]:
    # An image may set its own search paths, but not preload anything or claim a user's identity.
    return {
        k: v for k, v in env.items() if k not in ("LD_PRELOAD", "LD_AUDIT", "HOME", "USER", "LOGNAME") and "\n" not in v
    }
