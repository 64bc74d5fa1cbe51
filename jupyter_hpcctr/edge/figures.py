"""Counts and times of this process, kept in memory until somebody asks; for any thread."""

from __future__ import annotations

import bisect
import itertools
import threading
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

Labels = tuple[str, ...]


class Counts:
    """How often something has happened, by labels; it only grows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Counter[Labels] = Counter()

    def add(self, *labels: str) -> None:
        """Count one more."""
        with self._lock:
            self._found[labels] += 1

    def found(self) -> Mapping[Labels, int]:
        """Return what has been counted."""
        with self._lock:
            return dict(self._found)


class Spread(NamedTuple):
    """Measurements: how many were at most each bound, the last of which is infinity, and their sum."""

    counts: tuple[int, ...]
    sum: float


class Times:
    """Seconds that something has taken, by labels.

    Parameters
    ----------
    *bounds : float
        In ascending order; what is longer than the last is counted too.
    """

    def __init__(self, *bounds: float) -> None:
        self.bounds = bounds
        self._lock = threading.Lock()
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def add(self, seconds: float, *labels: str) -> None:
        """Note how long it took."""
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * (len(self.bounds) + 1))
            counts[bisect.bisect_left(self.bounds, seconds)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + seconds

    def found(self) -> Mapping[Labels, Spread]:
        """Return what has been measured."""
        with self._lock:
            return {
                labels: Spread(tuple(itertools.accumulate(counts)), self._sums[labels])
                for labels, counts in self._counts.items()
            }
