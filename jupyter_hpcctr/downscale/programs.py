"""Where Slurm's and munge's programs are on this machine, and which Debian package brings each."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping

from ..core.job import Command
from ..edge import process
from ..errors import ClusterError

PACKAGES: Mapping[str, str] = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sinfo": "slurm-client",
    "squeue": "slurm-client",
    "scancel": "slurm-client",
}
"""The programs that a cluster needs, and the Debian package of each."""

_SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


def search_path() -> str:
    """Return the PATH with the system's own directories, which an ordinary user's often leaves out."""
    words = [word for word in os.environ.get("PATH", "").split(":") if word]
    return ":".join([*words, *(word for word in _SYSTEM_PATH if word not in words)])


def find() -> Mapping[str, str]:
    """Return the path of each program that a cluster needs.

    Raises
    ------
    ClusterError
        Some are not installed; it names each with its Debian package.
    """
    path = search_path()
    found = {name: shutil.which(name, path=path) for name in PACKAGES}
    missing = [name for name, where in found.items() if where is None]
    if missing:
        packages = " ".join(dict.fromkeys(PACKAGES[name] for name in missing))
        raise ClusterError(
            "not installed: " + ", ".join(f"{name} (Debian package {PACKAGES[name]})" for name in missing),
            hint=f"on Debian or Ubuntu: apt-get install {packages}",
        )
    return {name: where for name, where in found.items() if where is not None}


def release(slurmctld: str, env: Mapping[str, str]) -> tuple[int, int]:
    """Return Slurm's release as two numbers, (22, 5) for 22.05.8; (0, 0) where it does not say."""
    said = process.check(Command((slurmctld, "-V")), env=env)
    numbers = re.search(r"(\d+)\.(\d+)", said)
    return (0, 0) if numbers is None else (int(numbers[1]), int(numbers[2]))
