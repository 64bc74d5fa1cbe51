"""Completes what is written after ``%mpirun`` and ``%%mpirun``."""

from __future__ import annotations

import re

from .options import CELL, COMMANDS, OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(r"(?:^\s*|=\s*)(%{1,2})mpirun\s+(.*)$")
PMIS = ["pmix", "pmi2"]


def words(text: str, variables: Iterable[str]) -> list[str] | None:
    """Return what the last word of ``text``, the line until the cursor, may become.

    ``variables`` are the notebook's. None: this is no line of ours, or one where we know nothing to offer.
    """
    match = _LINE.search(text)
    if match is None:
        return None
    before = match[2].split(" ")
    start = before.pop()
    before = [word for word in before if word]
    if match[1] == "%%":
        command = CELL
    elif before:
        command = before.pop(0)
    else:
        return [each for each in COMMANDS if each.startswith(start)]
    offered = _offered(command, before, start, variables)
    return None if offered is None else [each for each in offered if each.startswith(start)]


def _offered(command: str, before: list[str], start: str, variables: Iterable[str]) -> list[str] | None:
    options = [option for option in OPTIONS if command in option.commands]
    takes = {name: option.takes for option in options for name in (option.name, option.short) if name}
    if before and takes.get(before[-1]):
        return {"NAME": PMIS, "VARIABLE": _names(variables)}.get(takes[before[-1]])
    if command == "run" and _has_program(before, takes):
        return None
    if start.startswith("-") or command == CELL:
        return [option.name for option in options if option.name not in before]
    if command in ("push", "pull"):
        return [name for name in _names(variables) if name not in before]
    return None if command == "run" else [option.name for option in options if option.name not in before]


def _has_program(before: list[str], takes: dict[str, str]) -> bool:
    value = False
    for word in before:
        if not value and not word.startswith("-"):
            return True
        value = not value and bool(takes.get(word))
    return False


def _names(variables: Iterable[str]) -> list[str]:
    return sorted(name for name in variables if not name.startswith("_") and name not in _IPYTHONS)


_IPYTHONS = {"In", "Out", "exit", "quit", "get_ipython", "open"}
