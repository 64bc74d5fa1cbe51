"""A CDI spec for NVIDIA's GPUs, made from what a machine has, as ``nvidia-ctk cdi generate`` makes one.

It needs no program and no library of NVIDIA's: the kernel module says under ``/proc/driver/nvidia`` which GPUs there
are, and the driver's libraries are told by their version. The spec has no hooks, whose programs such a machine lacks:
a mount for each name of a library stands for the links that they would make.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import nvml
from .edits import NAME
from .elf import Elf, ElfError, read_elf
from .nvml import Slice
from .rooted import outside, real

KIND = "nvidia.com/gpu"
VERSION = "0.5.0"
_PROC = "/proc/driver/nvidia"
# The driver's own libraries (nvidia-container-toolkit takes all files with the driver's version, wherever libcuda is).
_LIBRARY = re.compile(
    r"lib(?:cuda|cudadebugger|nvidia-[A-Za-z0-9_-]+|nvcuvid|nvoptix|EGL_nvidia|GLX_nvidia|GLESv\w+_nvidia|vdpau_nvidia)"
    r"\.so(?:\.[0-9.]+)?"
)
# Names that programs ask for, and that not every installation has.
_ASKED_FOR = {
    "libcuda.so": "libcuda.so",
    "libGLX_nvidia.so": "libGLX_indirect.so.0",
    "libnvidia-opticalflow.so": "libnvidia-opticalflow.so",
}
_OWN_VERSION = re.compile(r"libnvidia-(?:egl-[a-z0-9]+|nvvm70)\.so\.[0-9.]+")  # have another version than the driver's
_DIRECTORIES = (
    "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib64", "/usr/lib64/nvidia", "/usr/lib",
    "/usr/lib/nvidia", "/lib64", "/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib",
)  # fmt: skip
_MULTIARCH = ("/usr/lib/{}-linux-gnu", "/usr/lib/{}-linux-gnu/nvidia/current", "/lib/{}-linux-gnu")
_PROGRAMS = ("nvidia-smi", "nvidia-debugdump", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server")
_PATH = (
    "/usr/bin", "/usr/local/nvidia/bin", "/usr/local/bin", "/usr/sbin", "/opt/bin", "/usr/lib/nvidia/current",
    "/run/current-system/sw/bin",
)  # fmt: skip
_CONTROL = ("nvidia-modeset", "nvidia-uvm-tools", "nvidia-uvm", "nvidiactl")
_CONFIGURATION = (  # where it is looked for, what, and where the loaders in a container look for it
    (("/etc", "/usr/share", "/usr/local/share"), "vulkan/icd.d/nvidia_icd*.json", "/etc"),
    (("/etc", "/usr/share", "/usr/local/share"), "vulkan/implicit_layer.d/nvidia_layers.json", "/etc"),
    (("/usr/share", "/etc"), "glvnd/egl_vendor.d/10_nvidia.json", "/usr/share"),
    (("/usr/share", "/etc"), "egl/egl_external_platform.d/*_nvidia_*.json", "/usr/share"),
    (("/usr/share",), "nvidia/nvoptix.bin", "/usr/share"),
    (("/etc",), "OpenCL/vendors/nvidia.icd", "/etc"),
)
_SOCKETS = ("/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket", "/tmp/nvidia-mps")  # noqa: S108
_READ_ONLY = ["ro", "nosuid", "nodev", "rbind", "rprivate"]
_SOCKET = ["nosuid", "nodev", "rbind", "rprivate", "noexec"]


@dataclass(frozen=True)
class Gpu:
    """A GPU: its number on this machine, its device file's, its UUID, its place on the bus, its model's name."""

    index: int
    minor: int
    uuid: str = ""
    bus: str = ""
    model: str = ""


def gpus(root: str = "/") -> tuple[Gpu, ...]:
    """Return the GPUs of a machine in NVIDIA's order, that of the bus; of their device files where /proc has none."""
    found: list[Gpu] = []
    for bus in sorted(_names(root, f"{_PROC}/gpus")):
        text = _text(root, f"{_PROC}/gpus/{bus}/information")
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        facts = {key.strip(): value.strip() for key, value in facts.items()}
        minor, excluded = facts.get("Device Minor", ""), facts.get("GPU Excluded", "No")
        if minor.isdecimal() and excluded != "Yes":
            uuid = facts.get("GPU UUID", "")
            known = uuid if NAME.fullmatch(uuid) else ""  # a GPU in no use yet has question marks
            found.append(Gpu(len(found), int(minor), known, bus, facts.get("Model", "")))
    if not found:
        files = (re.fullmatch(r"nvidia(\d{1,4})", name) for name in _names(root, "/dev"))
        found = [Gpu(index, minor) for index, minor in enumerate(sorted(int(file[1]) for file in files if file))]
    return tuple(found)


def driver_version(root: str = "/") -> str:
    """Return the version of the loaded driver, ``580.159.04``; an empty string where there is none."""
    first = _text(root, f"{_PROC}/version").partition("\n")[0]
    match = re.search(r"\s(\d{2,4}\.\d+(?:\.\d+)?)\s", first)
    return match[1] if match else ""


def libraries(root: str, ldconfig: str, version: str, machine: str) -> dict[str, str]:
    """Return the driver's libraries: the real path of each, by each path that the linker may know it by.

    Parameters
    ----------
    root : str
        The machine's root directory.
    ldconfig : str
        What ``ldconfig -p`` has printed.
    version : str
        The driver's version; libraries of others are left out. Without it, that of the first libcuda is taken.
    machine : str
        The processor, as ``uname -m`` has it; libraries of others are left out.
    """
    found: dict[str, str] = {}
    known: dict[str, bool] = {}
    for path in _candidates(root, ldconfig, machine):
        file = real(root, path)
        name = os.path.basename(file or "")
        if file is None or not _LIBRARY.fullmatch(os.path.basename(path)) or not _LIBRARY.fullmatch(name):
            continue
        if not version and name.startswith("libcuda.so."):
            version = name[len("libcuda.so.") :]
        if not (version and name.endswith(f".so.{version}")) and not _OWN_VERSION.fullmatch(name):
            continue
        if file not in known:
            known[file] = _read(root, file, machine) is not None
        if known[file]:
            found[path] = file
    return found


def discover(
    root: str = "/", ldconfig: str = "", slices: Sequence[Slice] | None = None, machine: str | None = None
) -> dict[str, Any] | None:
    """Return a spec for this machine's GPUs, as JSON has it; None where there is no GPU or no driver's library.

    A GPU is named by its number and by its UUID; a slice of it (MIG) by ``GPU:SLICE`` and by its UUID; ``all`` is every
    one. A GPU that is cut into slices stands for all of its slices.

    Parameters
    ----------
    root : str
        The machine's root directory.
    ldconfig : str
        What ``ldconfig -p`` has printed.
    slices : sequence of Slice, optional
        What the driver says of the slices. If it is not given, the driver is asked where ``/proc`` has any; where that
        has no answer, they have no UUIDs.
    machine : str, optional
        The processor, as ``uname -m`` has it; this machine's if it is not given.
    """
    machine = machine or os.uname().machine
    there = gpus(root)
    found = libraries(root, ldconfig, driver_version(root), machine)
    if not there or not any(os.path.basename(file).startswith("libcuda.so") for file in found.values()):
        return None
    devices = _devices(root, there, found, slices)
    if not devices:
        return None
    devices["all"] = list(dict.fromkeys(node for nodes in devices.values() for node in nodes))
    control = [f"/dev/{name}" for name in _CONTROL if real(root, f"/dev/{name}")]
    return {
        "cdiVersion": VERSION,
        "kind": KIND,
        "devices": [
            {"name": name, "containerEdits": {"deviceNodes": [{"path": path} for path in nodes]}}
            for name, nodes in devices.items()
        ],
        "containerEdits": {
            "env": ["NVIDIA_VISIBLE_DEVICES=void"],
            "deviceNodes": [{"path": path} for path in control],
            "mounts": list(_mounts(root, found, machine)),
        },
    }


def _devices(
    root: str, there: Iterable[Gpu], found: dict[str, str], slices: Sequence[Slice] | None
) -> dict[str, list[str]]:
    """Return the device files of each GPU and slice, by each of its names."""
    devices: dict[str, list[str]] = {}
    for gpu in there:
        cut = _slices(root, gpu.minor)
        if cut and slices is None:
            slices = _ask(found) if root == "/" else ()
        cut = [each for each in slices or () if each.minor == gpu.minor] or cut
        own = [path for path in _nodes(root, gpu) if real(root, path)]
        for each in cut:
            nodes = [f"/dev/nvidia{gpu.minor}", *_capabilities(root, each)]
            own = list(dict.fromkeys([*own, *nodes]))
            devices.update((name, nodes) for name in (f"{gpu.index}:{each.index}", each.uuid) if NAME.fullmatch(name))
        devices.update((name, own) for name in (str(gpu.index), gpu.uuid) if name and own)
    return devices


def _mounts(root: str, found: dict[str, str], machine: str) -> Iterator[dict[str, Any]]:
    """Yield each library, with its name and those that lead to it beside it; then programs, configuration, sockets."""
    names: dict[str, str] = {}
    for path, file in found.items():
        names.setdefault(file, file)
        beside = f"{os.path.dirname(file)}/{os.path.basename(path)}"
        names.setdefault(beside, file)
        elf = _read(root, file, machine)
        more = (elf.soname if elf else "", _ASKED_FOR.get(os.path.basename(file).partition(".so")[0] + ".so", ""))
        for name in filter(NAME.fullmatch, more):
            names.setdefault(f"{os.path.dirname(file)}/{name}", file)
    for target, file in sorted(names.items()):
        yield {"hostPath": file, "containerPath": target, "options": _READ_ONLY}
    for program in _PROGRAMS:
        files = (real(root, f"{directory}/{program}") for directory in _PATH)
        own = next((file for file in files if file and _read(root, file, machine)), None)
        if own:
            yield {"hostPath": own, "containerPath": f"/usr/bin/{program}", "options": _READ_ONLY}
    for path, target in _configuration(root):
        yield {"hostPath": path, "containerPath": target, "options": _READ_ONLY}
    for socket in _SOCKETS:
        if real(root, socket):
            yield {"hostPath": socket, "containerPath": socket, "options": _SOCKET}


def _configuration(root: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for bases, pattern, target in _CONFIGURATION:
        folder, _, names = pattern.rpartition("/")
        for base in bases:
            for name in sorted(fnmatch.filter(_names(root, f"{base}/{folder}"), names)):
                place = f"{target}/{folder}/{name}"
                if place not in seen and real(root, f"{base}/{folder}/{name}"):
                    seen.add(place)
                    yield f"{base}/{folder}/{name}", place


def _candidates(root: str, ldconfig: str, machine: str) -> Iterator[str]:
    """Yield where libraries may be: as the linker's cache has them, then all of the places they are known to be in."""
    cached = [line.rpartition(" => ")[2].strip() for line in ldconfig.splitlines() if " => " in line]
    yield from cached
    beside = [os.path.dirname(real(root, path) or path) for path in cached if "/libcuda.so" in path]
    multiarch = [pattern.format(machine) for pattern in _MULTIARCH]
    for directory in dict.fromkeys((*beside, *_DIRECTORIES, *multiarch)):
        for place in (directory, f"{directory}/vdpau"):
            yield from (f"{place}/{name}" for name in sorted(_names(root, place)) if name.startswith("lib"))


def _nodes(root: str, gpu: Gpu) -> Iterable[str]:
    yield f"/dev/nvidia{gpu.minor}"
    for name in sorted(_names(root, f"/sys/bus/pci/devices/{gpu.bus}/drm") if gpu.bus else ()):
        yield f"/dev/dri/{name}"


def _slices(root: str, minor: int) -> list[Slice]:
    base = f"{_PROC}/capabilities/gpu{minor}/mig"
    pairs = [
        (int(instance[2:]), int(part[2:]))
        for instance in _names(root, base)
        if re.fullmatch(r"gi\d{1,4}", instance)
        for part in _names(root, f"{base}/{instance}")
        if re.fullmatch(r"ci\d{1,4}", part)
    ]
    return [Slice(minor, index, "", *pair) for index, pair in enumerate(sorted(pairs))]


def _ask(found: dict[str, str]) -> Sequence[Slice]:
    library = next((file for file in found.values() if os.path.basename(file).startswith("libnvidia-ml.so")), None)
    return nvml.slices(library) if library else ()


def _capabilities(root: str, each: Slice) -> Iterator[str]:
    instance = f"{_PROC}/capabilities/gpu{each.minor}/mig/gi{each.gpu_instance}"
    for path in (f"{instance}/access", f"{instance}/ci{each.compute_instance}/access"):
        match = re.search(r"DeviceFileMinor:\s*(\d{1,6})", _text(root, path))
        if match:
            yield f"/dev/nvidia-caps/nvidia-cap{match[1]}"


def _read(root: str, path: str, machine: str) -> Elf | None:
    try:
        elf = read_elf(outside(root, path))
    except (OSError, ElfError):
        return None
    return elf if elf is not None and elf.machine == machine else None


def _names(root: str, directory: str) -> list[str]:
    try:
        return os.listdir(outside(root, real(root, directory) or directory))
    except OSError:
        return []


def _text(root: str, path: str) -> str:
    try:
        with open(outside(root, real(root, path) or path), encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""
