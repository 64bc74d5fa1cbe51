"""Which file a kernel means by a path, as far as this machine can see it."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from pathlib import Path

from ..core.facts import Policy
from ..core.plan import LaunchPlan
from ..protocol.container import Mount


def resolve(path: str, plan: LaunchPlan, mounts: Sequence[Mount]) -> str | None:
    """Return the absolute path by which a kernel knows a file or directory, None where there is none to be found.

    ``~`` is the kernel's home directory, and what is relative is below its work directory. In a container
    only ``mounts`` and ``/tmp`` are looked at, of two at one place the first: its image's own files are not here.
    """
    if path == "~" or path.startswith("~/"):
        path = plan.env.get("HOME", "~") + path[1:]
    inside = os.path.normpath(os.path.join(plan.workdir, path))  # noqa: PTH118  (pathlib keeps "..")
    seen = Mount("/", "/") if plan.image is None else _mount(inside, (*mounts, Mount("/tmp", "/tmp")))  # noqa: S108
    if seen is None:
        return None
    here = os.path.normpath(f"{seen.source}/{inside[len(seen.target) :]}")
    return inside if os.path.exists(here) else None  # noqa: PTH110


def home_mount(policy: Policy) -> tuple[Mount, ...]:
    """Return the mount of this user's home directory, where the site mounts it."""
    home = str(Path.home())
    return (Mount(home, home),) if policy.mount_home else ()


def _mount(path: str, mounts: Sequence[Mount]) -> Mount | None:
    around = [each for each in mounts if f"{path}/".startswith(each.target.rstrip("/") + "/")]
    return max(around, key=lambda each: len(each.target), default=None)
