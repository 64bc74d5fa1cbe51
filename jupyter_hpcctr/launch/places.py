"""Where the state directory has what is known of each kernel."""

from __future__ import annotations

import re
from pathlib import Path

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def kernels(state_dir: str) -> Path:
    """Return the directory that has a directory for each kernel."""
    return Path(state_dir) / "kernels"


def of_kernel(state_dir: str, kernel_id: str) -> Path:
    """Return the directory (0700, where it is there) of a kernel: its record, its lock, its journal.

    Raises
    ------
    ValueError
        Jupyter names no kernel so.
    """
    if not _ID.fullmatch(kernel_id):
        raise ValueError(f"{kernel_id!r} is no id of a kernel")
    return kernels(state_dir) / kernel_id
