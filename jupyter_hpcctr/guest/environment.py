"""Which variables a kernel gets, and how they are written down for its engine.

The file has a line ``NAME='value'`` each, as ch-run(1), "Setting variables with --set-env", reads it with
``--env-no-expand``: one pair of single quotes around a value is taken off and everything between them is
literal, further quotes included. A newline ends an assignment, so a value with one cannot be written.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence


def compose(
    plan_env: Mapping[str, str], environ: Mapping[str, str], passed: Sequence[str], dropped: Sequence[str]
) -> dict[str, str]:
    """Return the environment of a kernel: nothing that is not named.

    Parameters
    ----------
    plan_env : Mapping
        What the launch sets; it wins, and is never dropped.
    environ : Mapping
        The job's own environment.
    passed, dropped : Sequence of str
        Patterns of names (fnmatch.fnmatchcase) that are taken from it; dropping beats passing.
    """
    names = (name for name in environ if _any(name, passed) and not _any(name, dropped))
    return {**{name: environ[name] for name in names}, **plan_env}


def lines(env: Mapping[str, str]) -> str:
    """Return the text of the environment file, without what ``left_out`` names."""
    without = set(left_out(env))
    return "".join(f"{name}='{value}'\n" for name, value in env.items() if name not in without)


def left_out(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that no line can carry: a line break or a NUL, not UTF-8, or no name at all."""
    return tuple(name for name, value in env.items() if not name or "=" in name or not _writable(name + value))


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\n" not in text and "\0" not in text


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
