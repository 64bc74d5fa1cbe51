"""What a spec of the Container Device Interface says, as values: devices, and the edits of a container they need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# CDI specification 1.1.0, "Kind" and "CDI Devices": a vendor is a DNS subdomain, a class is at most 63 characters.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_CLASS = r"[A-Za-z](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
KIND = re.compile(rf"(?=[A-Za-z])(?=[^/]{{1,253}}/){_LABEL}(?:\.{_LABEL})*/{_CLASS}")
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?")


class DeviceError(Exception):
    """A spec that cannot be used, or a device that no spec describes; the text is one sentence with file and line."""


@dataclass(frozen=True)
class Hook:
    """A program that an engine runs while it makes a container.

    Attributes
    ----------
    name : str
        When it runs: ``createContainer``, ``startContainer`` and so on.
    path : str
        The program, an absolute path on the node.
    args : tuple of str
        Its arguments; the first is its own name.
    env : tuple of (str, str)
        Its variables.
    timeout : int, optional
        After how many seconds it is ended.
    """

    name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    timeout: int | None = None


@dataclass(frozen=True)
class DeviceNode:
    """A device file.

    Attributes
    ----------
    path, host_path : str
        Where it is in the container, and on the node.
    type : str
        ``b``, ``c``, ``u``, ``p``, or nothing: as it is on the node.
    major, minor, file_mode, uid, gid : int, optional
        As it is to be in the container; what is None is as on the node.
    permissions : str
        Some of ``rwm``, ``none``, or nothing: ``rwm``.
    """

    path: str
    host_path: str
    type: str = ""
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True)
class CdiMount:
    """A file or directory of the node that is shown in the container.

    Attributes
    ----------
    host_path, container_path : str
        Where it is; ``host_path`` is no path where ``type`` is that of a file system without one, such as ``tmpfs``.
    options : tuple of str
        Options of mount(8).
    type : str
        The file system's type; nothing, ``none`` and ``bind`` are the node's own files.
    """

    host_path: str
    container_path: str
    options: tuple[str, ...] = ()
    type: str = ""


@dataclass(frozen=True)
class Edits:
    """What is changed in a container (CDI specification 1.1.0, "OCI Edits").

    Attributes
    ----------
    env : tuple of (str, str)
        Variables; of those with one name the last counts.
    nodes, mounts, hooks : tuple
        What their classes say.
    gids : tuple of int
        Groups that the program needs besides its user's own; 0 is never among them.
    others : tuple of str
        Names of fields that were checked but are not kept: ``intelRdt``, ``netDevices``.
    """

    env: tuple[tuple[str, str], ...] = ()
    nodes: tuple[DeviceNode, ...] = ()
    mounts: tuple[CdiMount, ...] = ()
    hooks: tuple[Hook, ...] = ()
    gids: tuple[int, ...] = ()
    others: tuple[str, ...] = ()

    def __add__(self, more: Edits) -> Edits:
        """Return these edits, then those; what is in both is there once."""
        return replace(
            self, **{name: tuple(dict.fromkeys(getattr(self, name) + getattr(more, name))) for name in _MERGED}
        )


_MERGED = ("env", "nodes", "mounts", "hooks", "gids", "others")


@dataclass(frozen=True)
class Device:
    """One device of a spec: its name without the kind, its own edits, and what the vendor notes of it."""

    name: str
    edits: Edits
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """One spec.

    Attributes
    ----------
    path : str
        The file it was read from.
    kind : str
        ``vendor/class``.
    devices : tuple of Device
        At least one.
    edits : Edits
        What every device of it needs.
    version : str
        The version of the specification it is written for.
    annotations : Mapping
        What the vendor notes of it.
    """

    path: str
    kind: str
    devices: tuple[Device, ...]
    edits: Edits
    version: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
