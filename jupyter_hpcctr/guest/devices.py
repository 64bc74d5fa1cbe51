"""``%hpcctr devices``: what the container got of its node's devices, from where, and with which driver."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DRIVERS = {"NVIDIA": "/proc/driver/nvidia/version", "AMD": "/sys/module/amdgpu/version"}


def shown(directory: str, drivers: dict[str, str] = DRIVERS) -> str:
    """Return the text.

    Parameters
    ----------
    directory : str
        The kernel's directory as the container sees it; the job has left its report below ``devices`` there.
    drivers : dict
        Where each driver says its version.
    """
    try:
        with open(f"{directory}/devices/report.json", encoding="utf-8") as file:
            report = json.load(file)
    except FileNotFoundError:
        return "No device was asked for. Ask for GPUs, or name devices, when you start a kernel."
    return "\n".join(_lines(report, f"{directory}/devices", drivers))


def _lines(report: dict[str, Any], place: str, drivers: dict[str, str]) -> list[str]:
    lines = [f"{name}  (described by {source})" for name, source in report["devices"].items()] or ["no device"]
    for vendor, path in drivers.items():
        version = _version(path)
        if version and report["devices"]:
            lines.append(f"driver of {vendor}: {version}")
    for what, where in (("libraries", "lib"), ("programs", "bin")):
        if report[what]:
            names = sorted(path.rpartition("/")[2] for path in report[what])
            lines.append(f"{what} in {place}/{where} ({len(names)}): {', '.join(names)}")
    return lines + [f"note: {sentence}" for sentence in report["said"]]


def _version(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(r"\b\d+\.\d+(?:\.\d+)*\b", file.read())
    except OSError:
        return ""
    return found[0] if found else ""
