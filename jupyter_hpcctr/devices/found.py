"""What a node has of what a job wants: by its descriptions, and where there is none, by looking at its drivers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol.shared import Devices
from . import nvidia
from .cdi import STANDARD, DeviceError, Registry, read
from .given import given
from .injection import Injection, inject


@dataclass(frozen=True)
class Found:
    """What a container is to get, and the report that a notebook shows: names, where from, what was left out."""

    injection: Injection
    report: Mapping[str, Any]


def look(
    wanted: Devices,
    environ: Mapping[str, str],
    *,
    home: str,
    libraries: Callable[[], str],
    root: str = "/",
) -> Found:
    """Look up a job's devices on this node.

    Parameters
    ----------
    wanted : Devices
        What the plan wants.
    environ : mapping
        The job's environment.
    home : str
        The user's home directory, whose ``.config/cdi`` is read last.
    libraries : callable
        Returns what ldconfig(8) ``-p`` prints; called where a driver has no description.
    root : str
        Where this machine's files are, for tests.

    Raises
    ------
    DeviceError
        A device that is asked for by name is not there.
    """
    asked = {*wanted.kinds, *(name.partition("=")[0] for name in wanted.names)}
    nvidias = nvidia.KIND in asked
    node = registry(wanted.directories, home=home, libraries=libraries, nvidias=nvidias, root=root)
    names, said = [], list(node.problems)
    for kind in wanted.kinds:
        there = [name.partition("=")[2] for name in node.devices(kind)]
        names += [f"{kind}={name}" for name in given(kind, there, environ)] if there else []
    if wanted.kinds and not names:
        said.append("this node describes no GPU and has no driver of NVIDIA: the container gets its device files alone")
    names += [name for name in wanted.names if name not in names]
    injection = inject(node.edits(names), root)
    report = {
        "devices": {name: node.specs[name].path for name in names},
        "libraries": [each.host_path for each in injection.libraries],
        "programs": [path for path, _ in injection.programs],
        "driver": injection.driver,
        "said": said,
    }
    return Found(injection, report)


def registry(
    directories: Iterable[str], *, home: str, libraries: Callable[[], str], nvidias: bool = True, root: str = "/"
) -> Registry:
    """Read the descriptions of this node, and make one of NVIDIA's GPUs where none is there.

    Parameters
    ----------
    directories : iterable of str
        The site's, between the standard ones and the user's.
    home, libraries, root
        As for ``look``.
    nvidias : bool
        Whether anybody wants to know of NVIDIA's GPUs.
    """
    base = root.rstrip("/")
    found = Registry.load(places(directories, home=home, base=base))
    if nvidias and nvidia.KIND not in found.kinds:
        made = nvidia.discover(root, libraries())
        if made is not None:
            return found.with_spec(read(json.dumps(made), "this node's NVIDIA driver"))
    return found


def places(directories: Iterable[str], *, home: str, base: str = "") -> tuple[str, ...]:
    """Return the directories of descriptions in the order in which they are read."""
    return (*(f"{base}{each}" for each in STANDARD), *directories, f"{home}/.config/cdi")


__all__ = ["DeviceError", "Found", "look", "places", "registry"]
