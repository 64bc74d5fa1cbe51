"""What an image has where something is to be mounted, asked of unsquashfs(1) when it matters.

Nothing of it is in an image's record: most launches do not ask, and images of any age can be asked.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..core.job import Command
from ..edge import process
from ..errors import CommandError

TIMEOUT_S = 30.0
MOST_LINKS = 40  # path_resolution(7)


def missing(image: Path, paths: Collection[str]) -> tuple[str, ...]:
    """Return those of some absolute paths that a SquashFS file does not have, empty where it cannot be read.

    Symbolic links are followed within the image; one that is absolute counts as missing, because engines would
    follow it out of the image and refuse.
    """
    listings: dict[str, dict[str, str] | None] = {}
    return tuple(path for path in paths if not _has(image, path, listings))


def _has(image: Path, path: str, listings: dict[str, dict[str, str] | None]) -> bool:
    at: list[str] = []
    waiting, links = path.split("/"), 0
    while waiting:
        part = waiting.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            at = at[:-1]
            continue
        at.append(part)
        if at[0] not in listings:
            listings[at[0]] = _listing(image, at[0])
        known = listings[at[0]]
        if known is None:
            return True
        leads_to = known.get("/".join(at))
        if leads_to is None or leads_to.startswith("/") or links > MOST_LINKS:
            return False
        if leads_to:
            at, links = at[:-1], links + 1
            waiting = [*leads_to.split("/"), *waiting]
    return True


def _listing(image: Path, top: str) -> dict[str, str] | None:
    """Return the paths at and below a name in the root, with what a link leads to, "" for all else; None: unknown."""
    words = ("unsquashfs", "-no-progress", "-no-wildcards", "-dest", "", "-lls", str(image), top)
    try:
        out = process.run(Command(words), timeout_s=TIMEOUT_S)
    except CommandError:
        return None
    if out.returncode != 0:
        return None
    found = {}
    for line in out.stdout.splitlines():
        fields = line.split(maxsplit=5)  # mode, owner, size, date, time, path
        if len(fields) == 6:
            path, _, leads_to = fields[5].partition(" -> ") if line.startswith("l") else (fields[5], "", "")
            found[path.lstrip("/")] = leads_to
    return found
