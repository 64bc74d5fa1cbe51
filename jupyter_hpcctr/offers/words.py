"""Values as the REST interface writes them: times with their UTC offset, resources as sbatch(1) reads them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ..core import grammar


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


def duration(minutes: int) -> str:
    """Return minutes as sbatch(1) ``--time`` writes them: ``1:00:00`` or ``2-00:00:00``, many days as minutes."""
    hours, rest = divmod(minutes, 60)
    days, short = divmod(hours, 24)
    if days > grammar.MOST_DAYS:
        return str(minutes)
    return f"{days}-{short:02}:{rest:02}:00" if days else f"{hours}:{rest:02}:00"


def memory(mib: int) -> str:
    """Return MiB as sbatch(1) ``--mem`` writes them: ``4G`` where that is exact, else ``4000M``."""
    return f"{mib // 1024}G" if mib % 1024 == 0 and mib // 1024 <= grammar.MOST_GB else f"{mib}M"


def form_words(request: Mapping[str, object]) -> dict[str, object]:
    """Return a request's mapping with the names and texts of the form: ``mem`` and ``time`` as people write them."""
    words = dict(request)
    mib, minutes = words.pop("mem_mb", None), words.pop("time_minutes", None)
    if isinstance(mib, int):
        words["mem"] = memory(mib)
    if isinstance(minutes, int):
        words["time"] = duration(minutes)
    return words
