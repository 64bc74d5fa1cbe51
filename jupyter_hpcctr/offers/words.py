"""Values as the REST interface writes them: times with their UTC offset, resources as sbatch(1) reads them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ..core.wording import duration, memory


def moment(value: str | float | None) -> str | None:
    """Return a moment as ISO 8601 with an offset, from a local time (ISO 8601) or seconds since 1970.

    None for None, and for what is no time (Slurm writes ``Unknown`` or ``N/A``).
    """
    try:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value).astimezone().isoformat(timespec="seconds")
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def now() -> str:
    """Return the present moment in the same form."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def form_words(request: Mapping[str, object]) -> dict[str, object]:
    """Return a request's mapping with the names and texts of the form: ``mem`` and ``time`` as people write them."""
    words = dict(request)
    mib, minutes = words.pop("mem_mb", None), words.pop("time_minutes", None)
    if isinstance(mib, int):
        words["mem"] = memory(mib)
    if isinstance(minutes, int):
        words["time"] = duration(minutes)
    return words
