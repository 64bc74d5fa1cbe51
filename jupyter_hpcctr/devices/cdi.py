"""The Container Device Interface (CDI), specification 1.1.0: reads the specs of a node, and finds devices in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .checking import NEWEST, Checker
from .edits import KIND, NAME, CdiMount, Device, DeviceError, DeviceNode, Edits, Hook, Spec
from .parsing import MOST_BYTES, parse

__all__ = [
    "NEWEST", "STANDARD", "CdiMount", "Device", "DeviceError", "DeviceNode", "Edits", "Hook", "Registry", "Spec",
    "is_name", "read",
]  # fmt: skip

STANDARD = ("/etc/cdi", "/var/run/cdi")
"""Where specs are, besides directories of the site's and the user's own: what the second has replaces the first's."""

_MOST_NAMED = 20


def read(text: str, path: str) -> Spec:
    """Return a spec.

    Parameters
    ----------
    text : str
        What is in the file: YAML if its name ends in ``.yaml``, else JSON.
    path : str
        The file, for messages.

    Raises
    ------
    DeviceError
        If it is not a valid spec of a version up to 1.1.0, with the line of the first fault. As the specification has
        it ("Released versions"), a key that is not known is a fault, and so is one of a later version than the spec's.
    """
    return Checker(parse(text, path)).spec()


def is_name(text: str) -> bool:
    """Return whether a text is a device's qualified name, ``vendor/class=device``."""
    kind, equals, name = text.partition("=")
    return bool(equals and KIND.fullmatch(kind) and NAME.fullmatch(name))


@dataclass(frozen=True)
class Registry:
    """The devices that a node's specs describe.

    Attributes
    ----------
    directories : tuple of str
        Where the specs were looked for.
    specs : Mapping
        The spec that describes each device, by the device's qualified name.
    conflicts : Mapping
        The files that describe a device which cannot be used, by its qualified name: several in one directory do.
    problems : tuple of str
        A sentence for each file that could not be read, and for each conflict.
    """

    directories: tuple[str, ...] = ()
    specs: Mapping[str, Spec] = field(default_factory=dict)
    conflicts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @classmethod
    def load(cls, directories: Iterable[str] = STANDARD) -> Registry:
        """Return what the ``*.json`` and ``*.yaml`` files of directories describe.

        A directory that is not there has none. A later directory's device replaces an earlier one's of the same name.
        """
        places = tuple(directories)
        problems: list[str] = []
        specs: dict[str, Spec] = {}
        conflicts: dict[str, tuple[str, ...]] = {}
        for directory in places:
            found: dict[str, list[Spec]] = {}
            for spec in _read_all(directory, problems):
                for device in spec.devices:
                    found.setdefault(f"{spec.kind}={device.name}", []).append(spec)
            for name, by in found.items():
                specs.pop(name, None)
                conflicts.pop(name, None)
                if len(by) == 1:
                    specs[name] = by[0]
                else:
                    conflicts[name] = tuple(spec.path for spec in by)
        problems += [f"{name} cannot be used: {_files(paths)} describe it" for name, paths in conflicts.items()]
        return cls(places, specs, conflicts, tuple(problems))

    def with_spec(self, spec: Spec) -> Registry:
        """Return these devices and those of one more spec, which replace others of the same name."""
        more = {f"{spec.kind}={device.name}": spec for device in spec.devices}
        return replace(self, specs={**self.specs, **more})

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of devices there are, ``vendor/class``, in order."""
        return tuple(sorted({name.partition("=")[0] for name in self.specs}))

    def devices(self, kind: str = "") -> tuple[str, ...]:
        """Return the qualified names of all devices, or of those of a kind, in order."""
        return tuple(sorted((name for name in self.specs if not kind or name.startswith(f"{kind}=")), key=_in_order))

    def device(self, name: str) -> Device:
        """Return a device by its qualified name.

        Raises
        ------
        DeviceError
            If there is none, with the names that there are.
        """
        if name not in self.specs:
            raise DeviceError(self._why_not(name))
        short = name.partition("=")[2]
        return next(device for device in self.specs[name].devices if device.name == short)

    def edits(self, names: Iterable[str]) -> Edits:
        """Return what devices, by qualified name, need in a container.

        What a spec says of all its devices comes before the first of them, and once.

        Raises
        ------
        DeviceError
            If one is not there, with the names that there are.
        """
        edits, seen = Edits(), set()
        for name in names:
            device = self.device(name)
            spec = self.specs[name]
            if spec.path not in seen:
                seen.add(spec.path)
                edits += spec.edits
            edits += device.edits
        return edits

    def _why_not(self, name: str) -> str:
        if not is_name(name):
            return f"{name!r} names no device: write it as vendor/class=device, such as nvidia.com/gpu=0"
        if name in self.conflicts:
            return f"{name} cannot be used: {_files(self.conflicts[name])} describe it"
        unread = f"; not all specs could be read: {self.problems[0]}" if self.problems else ""
        kind = name.partition("=")[0]
        there = self.devices(kind) or self.devices()
        if not there:
            return (
                f"no spec describes {name}: there is none in {' or '.join(self.directories) or 'no directory'}{unread}"
            )
        more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
        return f"no spec describes {name}: there are {', '.join(there[:_MOST_NAMED])}{more}{unread}"


def _files(paths: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(paths))


def _in_order(name: str) -> tuple[str, int, str]:
    kind, _, device = name.partition("=")
    return kind, int(device) if device.isdecimal() and len(device) < 10 else 1 << 62, device


def _read_all(directory: str, problems: list[str]) -> list[Spec]:
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith((".json", ".yaml")))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(f"{directory}: {error.strerror}")
        return []
    specs = []
    for name in names:
        path = os.path.join(directory, name)
        try:
            specs.append(read(_text(path), path))
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
        except DeviceError as error:
            problems.append(str(error))
    return specs


def _text(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise DeviceError(f"{path}: this is no file")
        with os.fdopen(os.dup(file), "rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    finally:
        os.close(file)
    if len(data) > MOST_BYTES:
        raise DeviceError(f"{path}: a spec has at most {MOST_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DeviceError(f"{path}, line {line}: this is not UTF-8") from None
