"""How amounts are read that a person writes: a time, memory, a number."""

from __future__ import annotations

from ..errors import RequestError
from . import grammar

_UNITS_KB = {"K": 1, "": 1024, "M": 1024, "G": 1024**2, "T": 1024**3}


def minutes(value: object) -> int:
    """Read a time limit as sbatch(1) ``--time`` writes it, in whole minutes, rounded up.

    Raises
    ------
    RequestError
        It is none of Slurm's forms, not above zero, or longer than anybody means.
    """
    text = written(value)
    if text is None or not grammar.fits(grammar.TIME, text):
        hint = f"write minutes, HH:MM:SS or D-HH:MM:SS, above zero and at most {grammar.MOST_DAYS} days"
        raise RequestError(f"time {short(value)} is not a time limit", hint=hint, field="time")
    days, dash, rest = text.strip().rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        seconds = int(days) * 86400 + sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    else:
        seconds = parts[0] * 60 if len(parts) == 1 else sum(p * 60**i for i, p in enumerate(reversed(parts)))
    return -(-seconds // 60)


def megabytes(value: object) -> int:
    """Read an amount of memory as sbatch(1) ``--mem`` writes it, in MiB, rounded up.

    Raises
    ------
    RequestError
        It is not a number above zero with K, M, G or T, or more than any node has.
    """
    text = written(value)
    if text is None or not grammar.fits(grammar.MEMORY, text):
        raise RequestError(f"memory {short(value)} is not an amount", hint="write 4G, 4000M or 4000", field="mem")
    amount = text.strip().upper().removesuffix("B")
    number = amount.rstrip("KMGT")
    return -(-int(number) * _UNITS_KB[amount[len(number) :]] // 1024)


def written(value: object) -> str | None:
    """Return a text or a whole number as text, None for anything else. JSON has one kind of numbers: 2.0 is 2."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**18 else None
    return value if isinstance(value, str) else None


def short(value: object) -> str:
    """Return a value as a sentence names it: what it is, 80 characters at most."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of many digits"
    return text if len(text) <= 80 else f"{text[:77]}…"
