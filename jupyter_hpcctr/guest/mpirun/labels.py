"""Names of ranks for people: ``ranks 0–3, 7``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def ranges(ranks: Iterable[int]) -> str:
    """Return numbers in order with those that follow one another drawn together, as in ``0–3, 7``."""
    runs: list[list[int]] = []
    for rank in sorted(set(ranks)):
        if runs and rank == runs[-1][1] + 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def label(ranks: Iterable[int]) -> str:
    """Return ``rank 3`` or ``ranks 0–3, 7``."""
    members = set(ranks)
    return f"rank{'' if len(members) == 1 else 's'} {ranges(members)}"


def size(count: float) -> str:
    """Return a number of bytes in decimal units, as in ``104.9 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
