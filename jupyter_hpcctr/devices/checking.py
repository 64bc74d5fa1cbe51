"""The values of a spec, checked by hand against the specification (the schema it comes with leaves some out)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .edits import KIND, NAME, CdiMount, Device, DeviceNode, Edits, Hook, Spec
from .parsing import Parsed, Step

Steps = tuple[Step, ...]
NEWEST = (1, 1, 0)
# CDI specification 1.1.0, "Released versions".
_RELEASED = tuple((0, minor, 0) for minor in range(1, 9)) + ((1, 0, 0), NEWEST)
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})")
_VARIABLE = re.compile(r"[^=\s\x00-\x1f]+")
_ANNOTATION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_MOST_ANNOTATED = 256 << 10  # bytes, as Kubernetes has it
_OWN_FILES = ("", "none", "bind")


class Checker:
    """Goes through the values of one spec, and keeps the version that what it has seen needs.

    Parameters
    ----------
    parsed : Parsed
        The spec.
    """

    def __init__(self, parsed: Parsed):
        self._parsed = parsed
        self._needs: tuple[tuple[int, int, int], Steps, str] = ((0, 3, 0), (), "")

    def spec(self) -> Spec:
        """Return the spec.

        Raises
        ------
        DeviceError
            At the first fault, with its line.
        """
        known = ("cdiVersion", "kind", "annotations", "devices", "containerEdits")
        top = self._table((), self._parsed.value, known, ("cdiVersion", "kind", "devices"))
        version = self._version(top["cdiVersion"])
        kind = self._string(("kind",), top["kind"])
        self._require(KIND.fullmatch(kind), ("kind",), f"{kind!r} is no kind: write it as vendor.domain/class")
        if "." in kind.partition("/")[2]:
            self._need((0, 6, 0), ("kind",), "a class with a dot")
        devices: dict[str, Device] = {}
        for steps, value in self._list(("devices",), top["devices"]):
            device = self._device(steps, value)
            self._require(device.name not in devices, steps, f"the device {device.name!r} is there twice")
            devices[device.name] = device
        self._require(devices, ("devices",), "it has no device")
        edits = self._edits(("containerEdits",), top.get("containerEdits"))
        annotations = self._annotations(("annotations",), top.get("annotations"))
        least, steps, what = self._needs
        self._require(
            version >= least, steps, f"{what} needs cdiVersion {_shown(least)}, but this is {_shown(version)}"
        )
        return Spec(self._parsed.path, kind, tuple(devices.values()), edits, _shown(version), annotations)

    def _require(self, holds: object, steps: Steps, what: str) -> None:
        if not holds:
            raise self._parsed.fault(steps, what)

    def _need(self, version: tuple[int, int, int], steps: Steps, what: str) -> None:
        if version > self._needs[0]:
            self._needs = (version, steps, what)

    def _version(self, value: Any) -> tuple[int, int, int]:
        steps: Steps = ("cdiVersion",)
        match = _VERSION.fullmatch(self._string(steps, value))
        self._require(match, steps, f"{value!r} is no version: write it as {_shown(NEWEST)}")
        version: Any = tuple(map(int, match.groups())) if match else NEWEST
        newest = _shown(NEWEST)
        self._require(version <= NEWEST, steps, f"it is for CDI {value}, and {newest} is the newest that is read here")
        self._require(version in _RELEASED, steps, f"CDI has no version {value}")
        return version  # type: ignore[no-any-return]

    def _table(self, steps: Steps, value: Any, known: tuple[str, ...], required: tuple[str, ...]) -> Mapping[str, Any]:
        self._require(isinstance(value, dict), steps, f"{_named(steps)} must be an object with keys")
        for key in value:
            near = next((each for each in known if each.lower() == str(key).lower()), None)
            hint = f"; write it as {near!r}" if near else ""
            self._require(key in known, (*steps, key), f"{_named(steps)} has no key {key!r}{hint}")
        for key in required:
            self._require(value.get(key) is not None, steps, f"{_named(steps)} must have the key {key!r}")
        return value  # type: ignore[no-any-return]

    def _list(self, steps: Steps, value: Any) -> Iterator[tuple[Steps, Any]]:
        self._require(value is None or isinstance(value, list), steps, f"{_named(steps)} must be a list")
        for index, each in enumerate(value or ()):
            yield (*steps, index), each

    def _string(self, steps: Steps, value: Any, *, empty: bool = False) -> str:
        self._require(isinstance(value, str), steps, f"{_named(steps)} must be a string; put quotes around it")
        self._require(value or empty, steps, f"{_named(steps)} is empty")
        self._require("\0" not in value, steps, f"{_named(steps)} has a null character")
        return value  # type: ignore[no-any-return]

    def _strings(self, steps: Steps, value: Any) -> tuple[str, ...]:
        return tuple(self._string(where, each, empty=True) for where, each in self._list(steps, value))

    def _integer(self, steps: Steps, value: Any, least: int, most: int) -> int | None:
        if value is None:
            return None
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        self._require(right, steps, f"{_named(steps)} must be a whole number from {least} to {most}")
        return int(value)

    def _path(self, steps: Steps, value: Any) -> str:
        path = self._string(steps, value)
        what = f"{_named(steps)} must be an absolute path without '..', and is {path!r}"
        self._require(path.startswith("/") and ".." not in path.split("/") and path.isprintable(), steps, what)
        return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))

    def _annotations(self, steps: Steps, value: Any) -> dict[str, str]:
        if value is None:
            return {}
        self._require(isinstance(value, dict), steps, "annotations must be an object with keys")
        for key, each in value.items():
            self._require(isinstance(key, str) and _ANNOTATION.fullmatch(key), steps, f"{key!r} names no annotation")
            self._string((*steps, key), each, empty=True)
        size = sum(len(key) + len(each) for key, each in value.items())
        self._require(size <= _MOST_ANNOTATED, steps, "annotations take more than 256 KiB")
        if value:
            self._need((0, 6, 0), steps, "an annotation")
        return dict(value)

    def _device(self, steps: Steps, value: Any) -> Device:
        table = self._table(steps, value, ("name", "annotations", "containerEdits"), ("name",))
        name, where = table["name"], (*steps, "name")
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)  # 0 without quotes is a number in YAML
        name = self._string(where, name)
        self._require(NAME.fullmatch(name), where, f"{name!r} names no device: only letters, digits and _ - . : inside")
        if name[0].isdigit():
            self._need((0, 5, 0), where, "a device's name that begins with a digit")
        edits = self._edits((*steps, "containerEdits"), table.get("containerEdits"))
        return Device(name, edits, self._annotations((*steps, "annotations"), table.get("annotations")))

    def _edits(self, steps: Steps, value: Any) -> Edits:
        if value is None:
            return Edits()
        known = ("env", "deviceNodes", "mounts", "hooks", "additionalGids", "intelRdt", "netDevices")
        table = self._table(steps, value, known, ())

        def each(key: str, read: Callable[[Steps, Any], Any]) -> tuple[Any, ...]:
            return tuple(read(*found) for found in self._list((*steps, key), table.get(key)))

        gids = each("additionalGids", lambda where, gid: self._integer(where, gid or 0, 0, (1 << 32) - 1))
        if gids:
            self._need((0, 7, 0), (*steps, "additionalGids"), "additionalGids")
        self._resctrl((*steps, "intelRdt"), table.get("intelRdt"))
        each("netDevices", self._interface)
        return Edits(
            env=each("env", self._variable),
            nodes=each("deviceNodes", self._node),
            mounts=each("mounts", self._mount),
            hooks=each("hooks", self._hook),
            gids=tuple(gid for gid in gids if gid),
            others=tuple(key for key in ("intelRdt", "netDevices") if table.get(key)),
        )

    def _variable(self, steps: Steps, value: Any) -> tuple[str, str]:
        name, equals, text = self._string(steps, value).partition("=")
        self._require(equals and _VARIABLE.fullmatch(name), steps, f"{value!r} is no variable: write it as NAME=value")
        return name, text

    def _node(self, steps: Steps, value: Any) -> DeviceNode:
        numbers = ("major", "minor", "fileMode", "uid", "gid")
        table = self._table(steps, value, ("path", "hostPath", "type", "permissions", *numbers), ("path",))
        path = host_path = self._path((*steps, "path"), table["path"])
        if table.get("hostPath"):
            host_path = self._path((*steps, "hostPath"), table["hostPath"])
            self._need((0, 5, 0), (*steps, "hostPath"), "hostPath of a device node")
        kind = self._string((*steps, "type"), table.get("type") or "", empty=True)
        self._require(kind in ("", "b", "c", "u", "p"), (*steps, "type"), f"{kind!r} is no type of a device node")
        where = (*steps, "permissions")
        allowed = self._string(where, table.get("permissions") or "", empty=True)
        self._require(
            allowed == "none" or not allowed.strip("rwm"), where, f"{allowed!r} is no permission: use r, w, m"
        )
        bounds = {"major": 1 << 63, "minor": 1 << 63}
        found = {}
        for key in numbers:
            most = bounds.get(key, 1 << 32) - 1
            least = -most - 1 if key in bounds else 0
            found["file_mode" if key == "fileMode" else key] = self._integer((*steps, key), table.get(key), least, most)
        return DeviceNode(path, host_path, kind, permissions=allowed, **found)

    def _mount(self, steps: Steps, value: Any) -> CdiMount:
        known = ("hostPath", "containerPath", "type", "options")
        table = self._table(steps, value, known, ("hostPath", "containerPath"))
        kind = self._string((*steps, "type"), table.get("type") or "", empty=True)
        if kind:
            self._need((0, 4, 0), (*steps, "type"), "type of a mount")
        read = self._path if kind in _OWN_FILES else self._string
        host_path = read((*steps, "hostPath"), table["hostPath"])
        target = self._path((*steps, "containerPath"), table["containerPath"])
        return CdiMount(host_path, target, self._strings((*steps, "options"), table.get("options")), kind)

    def _hook(self, steps: Steps, value: Any) -> Hook:
        known = ("hookName", "path", "args", "env", "timeout")
        table = self._table(steps, value, known, ("hookName", "path"))
        name = self._string((*steps, "hookName"), table["hookName"])
        self._require(name in _HOOKS, (*steps, "hookName"), f"{name!r} is no hook: one of {', '.join(_HOOKS[1:])}")
        env = tuple(self._variable(where, each) for where, each in self._list((*steps, "env"), table.get("env")))
        timeout = self._integer((*steps, "timeout"), table.get("timeout"), 1, (1 << 31) - 1)
        path = self._path((*steps, "path"), table["path"])
        return Hook(name, path, self._strings((*steps, "args"), table.get("args")), env, timeout)

    def _resctrl(self, steps: Steps, value: Any) -> None:
        if value is None:
            return
        names = ("closID", "l3CacheSchema", "memBwSchema")
        table = self._table(steps, value, (*names, "schemata", "enableMonitoring"), ())
        self._need((0, 7, 0), steps, "intelRdt")
        for key in names:
            self._string((*steps, key), table.get(key) or "", empty=True)
        self._strings((*steps, "schemata"), table.get("schemata"))
        monitors = table.get("enableMonitoring")
        self._require(
            monitors in (None, True, False), (*steps, "enableMonitoring"), "enableMonitoring is true or false"
        )
        if table.get("schemata") is not None or monitors:
            self._need((1, 1, 0), steps, "schemata or enableMonitoring")

    def _interface(self, steps: Steps, value: Any) -> None:
        both = ("hostInterfaceName", "name")
        table = self._table(steps, value, both, both)
        for key in both:
            self._string((*steps, key), table[key])
        self._need((1, 1, 0), steps, "netDevices")


def _shown(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


def _named(steps: Steps) -> str:
    """Return a name for a value: ``devices[0].containerEdits.env[1]``."""
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return words.lstrip(".") or "a spec"
