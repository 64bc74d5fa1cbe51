"""What is to be said, as a key and its values; ``core.story`` has the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..job import JobStatus

Key = Literal[
    "adopted",
    "cancelled",
    "clearing",
    "detached",
    "died",
    "early exit",
    "ended",
    "failed",
    "fetching",
    "interrupted",
    "node up",
    "not begun",
    "not submitted",
    "quoted",
    "reattaching",
    "requeued",
    "restarted",
    "restarting",
    "running",
    "silent",
    "stopped",
    "submitted",
    "submitting",
    "taken over",
    "unknown outcome",
    "waiting",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of this package as a value (``errors.described``); ``name`` is that of its class."""

    name: str
    message: str
    hint: str = ""
    stage: str = ""
    field: str = ""
    transient: bool = False


Value = str | int | float | None | JobStatus | Failure


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence to be: its key, and what it is about. ``cause`` is what was known of the reason before."""

    key: Key
    values: tuple[tuple[str, Value], ...] = ()
    cause: Words | None = None


def words(key: Key, cause: Words | None = None, **values: Value) -> Words:
    """Return a key with its values, in the order of their names."""
    return Words(key, tuple(sorted(values.items(), key=lambda each: each[0])), cause)
