"""Engines, schedulers and image stores by name, from entry points; built-ins come by the same door."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from .core.facts import Policy
from .core.seams import Engine, ImageStore, Scheduler
from .errors import RequestError

ENGINES = "jupyter_hpcctr.engines"
SCHEDULERS = "jupyter_hpcctr.schedulers"
IMAGE_STORES = "jupyter_hpcctr.image_stores"


def names(group: str) -> tuple[str, ...]:
    """Return the names that are registered in a group, sorted; nothing is imported."""
    return tuple(sorted(entry_points(group=group).names))


def _load(group: str, name: str) -> Callable[..., Any]:
    found: tuple[EntryPoint, ...] = tuple(entry_points(group=group, name=name))
    if not found:
        what = group.rpartition(".")[2].rstrip("s").replace("_", " ")
        hint = "installed: " + ", ".join(names(group))
        raise RequestError(f"there is no {what} {name!r}", hint=hint, field=what)
    return cast(Callable[..., Any], found[0].load())


def engine(name: str) -> Engine:
    """Return the engine of this name.

    Raises
    ------
    RequestError
        None is installed by this name; the hint lists those that are.
    """
    return cast(Engine, _load(ENGINES, name)())


def scheduler(name: str) -> Scheduler:
    """Return the scheduler of this name; raises ``RequestError`` like ``engine``."""
    return cast(Scheduler, _load(SCHEDULERS, name)())


def image_store(policy: Policy) -> ImageStore:
    """Return the image store that a site has chosen; raises ``RequestError`` like ``engine``."""
    return cast(ImageStore, _load(IMAGE_STORES, policy.image_store)(policy))
