"""The directory by which a container gets the libraries of its node's devices: places, links, mounts.

An unprivileged engine cannot add files to a read-only image. So the places are made on the node, in a directory
that the container sees anyway, and each file is mounted on its place there. Links beside them have the names by which
programs load the libraries (CDI 1.1.0, "hooks": in place of update-ldcache and create-symlinks).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .injection import Injection

LIBRARIES, PROGRAMS, FILES, REPORT = "lib", "bin", "etc", "report.json"
# Variables by which libraries find descriptions of drivers that are not in their usual place.
_LISTS = {"/vulkan/icd.d/": "VK_ADD_DRIVER_FILES", "/glvnd/egl_vendor.d/": "__EGL_VENDOR_LIBRARY_FILENAMES"}


@dataclass(frozen=True)
class Laid:
    """What is to be mounted: pairs of a host path and a place, below a directory; variables; what was left out."""

    mounts: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """Pairs of a place and what the link there says."""
    env: Mapping[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def lay_out(injection: Injection, inside: str) -> Laid:
    """Say where everything goes. Pure.

    Parameters
    ----------
    injection : Injection
        What the devices need.
    inside : str
        The directory as the container sees it; places are relative to it.
    """
    mounts: dict[str, str] = {}
    links: dict[str, str] = {}
    for library in injection.libraries:
        mounts.setdefault(f"{LIBRARIES}/{library.name}", library.host_path)
        for link in library.links:
            if link != library.name:
                links.setdefault(f"{LIBRARIES}/{link}", library.name)
    for host_path, name in injection.programs:
        mounts.setdefault(f"{PROGRAMS}/{name}", host_path)
    said = list(injection.said)
    lists: dict[str, list[str]] = {}
    for host_path, target in injection.files:
        variable = next((name for part, name in _LISTS.items() if part in target), "")
        if not variable:
            said.append(f"{target} is left out: the image has no place for it")
            continue
        place = f"{FILES}/{os.path.basename(target)}"
        mounts.setdefault(place, host_path)
        lists.setdefault(variable, []).append(f"{inside}/{place}")
    env = {**injection.env, **{name: ":".join(paths) for name, paths in lists.items()}}
    for place, host_path in tuple(mounts.items()):
        if ":" in host_path:  # ch-run(1), --bind, and others alike
            said.append(f"{host_path} is left out: a path with a colon cannot be mounted")
            del mounts[place]
    taken = {place: text for place, text in links.items() if place not in mounts}
    return Laid(tuple((host, place) for place, host in mounts.items()), tuple(taken.items()), env, tuple(said))


def make(laid: Laid, directory: str, report: Mapping[str, Any]) -> None:
    """Make the places on the node, and the report for the notebook.

    Raises
    ------
    OSError
        The directory cannot be written.
    """
    for each in (LIBRARIES, PROGRAMS, FILES):
        os.makedirs(f"{directory}/{each}", mode=0o700, exist_ok=True)
    for _, place in laid.mounts:
        with open(f"{directory}/{place}", "w", encoding="utf-8"):
            pass
    for place, text in laid.links:
        if not os.path.lexists(f"{directory}/{place}"):
            os.symlink(text, f"{directory}/{place}")
    with open(f"{directory}/{REPORT}", "w", encoding="utf-8") as file:
        json.dump(report, file)

