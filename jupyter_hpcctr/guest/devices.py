"""``%hpcctr devices``: what the container got of its node's devices, from where, and with which driver."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

AMD = "/sys/module/amdgpu/version"


def shown(directory: str, amd: str = AMD) -> str:
    """Return the text.

    Parameters
    ----------
    directory : str
        The kernel's directory as the container sees it; the job has left its report below ``devices`` there.
    amd : str
        Where AMD's driver says its version; that of NVIDIA's libraries is in the report.
    """
    try:
        with open(f"{directory}/devices/report.json", encoding="utf-8") as file:
            report = json.load(file)
    except FileNotFoundError:
        return "No device was asked for. Ask for GPUs, or name devices, when you start a kernel."
    return "\n".join(_lines(report, f"{directory}/devices", amd))


def _lines(report: dict[str, Any], place: str, amd: str) -> list[str]:
    lines = [f"{name}  (described by {source})" for name, source in report["devices"].items()] or ["no device"]
    if report["driver"]:
        lines.append(f"driver of NVIDIA: {report['driver']}")
    if any(name.startswith("amd.com/") for name in report["devices"]) and (version := _version(amd)):
        lines.append(f"driver of AMD: {version}")
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
