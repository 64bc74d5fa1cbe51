"""Paths of a machine whose root directory may be elsewhere: in tests, and in what a container of a driver shows."""

from __future__ import annotations

import os

_MOST_LINKS = 40


def outside(root: str, path: str) -> str:
    """Return where a path of the machine is."""
    return path if root == "/" else root.rstrip("/") + path


def real(root: str, path: str) -> str | None:
    """Return a path of the machine without links, as the machine has it; None for one that is not there."""
    if root == "/":
        return os.path.realpath(path) if os.path.exists(path) else None
    left, found, links = [part for part in reversed(path.split("/")) if part], "", 0
    while left:
        part = left.pop()
        if part in (".", ".."):
            found = found.rpartition("/")[0] if part == ".." else found
            continue
        try:
            points = os.readlink(outside(root, f"{found}/{part}"))
        except OSError:  # it is no link
            found = f"{found}/{part}"
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        left += [each for each in reversed(points.split("/")) if each]
        found = "" if points.startswith("/") else found
    found = found or "/"
    return found if os.path.lexists(outside(root, found)) else None
