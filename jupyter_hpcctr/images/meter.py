"""How far each step of a pull is, and how long the rest will take.

Nothing here costs more than a look at a few small files a second: skopeo's progress is the growth of what it writes,
that of umoci and mksquashfs what they have read (proc(5), ``/proc/PID/io``).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from ..core.pulling import PullStep
from ..edge import files

STEPS = ("fetching", "unpacking", "flattening")
_SETTLED_S = 3.0
_TELLING_BYTES = 10_000_000  # what is smaller takes its time for other reasons than its size


class Meter:
    """Reports the steps of one pull.

    Parameters
    ----------
    report : callable
        Is told each ``PullStep``. What it raises ends the pull.
    packed : int
        The size in bytes of the image's layers as they are in the registry, 0 where it is not known.
    speeds : Path
        A file with the seconds per packed byte that the steps of earlier pulls took.
    """

    def __init__(self, report: Callable[[str], None], packed: int, speeds: Path) -> None:
        self._report, self._packed, self._path = report, packed, speeds
        self._known = _read(speeds)
        self._took: dict[str, float] = {}
        self._name, self._total, self._done, self._began = "", 0, 0, 0.0

    def begin(self, name: str, total: int = 0) -> None:
        """Begin a step of ``total`` bytes, 0 where that is not known."""
        self.end()
        self._name, self._total, self._done, self._began = name, total, 0, time.monotonic()
        self.at(0)

    def at(self, done: int | None) -> None:
        """Report how many bytes of the step are done; None where nobody tells, as of a tool that has just ended."""
        self._done = max(self._done, done or 0)
        known = done is not None or self._done
        done, total = (self._done, self._total or None) if known else (None, None)
        self._report(PullStep(self._name, done, total, self._left_s(self._done)))

    def end(self) -> None:
        """End the step that was begun last."""
        if self._name:
            self._took[self._name] = time.monotonic() - self._began
        self._name = ""

    def keep(self) -> None:
        """Note for later pulls how long the steps took."""
        self.end()
        if self._packed >= _TELLING_BYTES:
            speeds = self._known | {name: seconds / self._packed for name, seconds in self._took.items()}
            with contextlib.suppress(OSError):  # an estimate less, next time
                files.write_public(self._path, json.dumps(speeds))

    def _left_s(self, done: int) -> float | None:
        later = [self._known.get(name) for name in STEPS[STEPS.index(self._name) + 1 :]]
        here = self._left_here(done)
        if here is None or not self._packed:
            return None
        known = [each for each in later if each is not None]
        return here + self._packed * sum(known) if len(known) == len(later) else None

    def _left_here(self, done: int) -> float | None:
        """Return the seconds that this step still takes, by its own speed, at first by that of earlier pulls."""
        elapsed, before = time.monotonic() - self._began, self._known.get(self._name)
        if done and self._total and elapsed >= _SETTLED_S:
            return elapsed * max(0, self._total - done) / done
        if before is None:
            return None
        if self._total:
            return before * self._packed * max(0, self._total - done) / self._total
        return max(0.0, before * self._packed - elapsed)


def written(directory: Path) -> int:
    """Return the bytes in the files below a directory that somebody is writing to, however deep it is."""
    size, left = 0, [os.fspath(directory)]
    while left:  # os.walk() recurses before Python 3.12
        with contextlib.suppress(OSError), os.scandir(left.pop()) as entries:  # it was renamed
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                    continue
                with contextlib.suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_size
    return size


def read_by(pid: int) -> int | None:
    """Return how many bytes a process has read so far; None where nobody tells."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("rchar:")), None)


def _read(path: Path) -> dict[str, float]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(raw[name]) for name in STEPS if name in raw and 0 <= float(raw[name]) < 1}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
