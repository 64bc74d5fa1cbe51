"""Where in a TOML file a key stands: the parser tells lines for errors of syntax alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Path = tuple[str, ...]
_LONGEST = 300
"""The most lines of one statement that are looked through; no line is told of what stands in a longer one."""


@dataclass(frozen=True, slots=True)
class _Statement:
    first: int
    text: str


class Lines:
    """The lines of the keys of a text that the parser takes.

    Every statement of TOML is a whole text of TOML, so the parser itself says where each ends and what it sets.
    """

    def __init__(self, text: str) -> None:
        self._found: dict[Path, _Statement] = {}
        table: Path = ()
        for statement in _statements(text):
            paths = list(_paths(tomllib.loads(statement.text)))
            if statement.text.lstrip().startswith("["):
                table = max(paths, key=len, default=())
                paths = [()]
            for path in paths:
                for length in range(len(table) + 1, len((*table, *path)) + 1):
                    self._found.setdefault((*table, *path)[:length], statement)
            self._found.setdefault(table, statement)

    def of(self, path: Path, value: object = None) -> int:
        """Return the line of a key, or of a text in its list, counted from 1; 0 where that is not known."""
        while path and path not in self._found:
            path = path[:-1]
        statement = self._found.get(path)
        if statement is None:
            return 0
        within = statement.text.split("\n")
        here = (number for number, line in enumerate(within) if isinstance(value, str) and value and value in line)
        return statement.first + next(here, 0)


def _statements(text: str) -> Iterator[_Statement]:
    first, held = 1, ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        held = f"{held}\n{line}" if held else line
        if number - first < _LONGEST and not _is_whole(held):
            continue
        if number - first < _LONGEST and held.strip() and not held.lstrip().startswith("#"):
            yield _Statement(first, held)
        first, held = number + 1, ""


def _is_whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):  # a piece of a long text may be anything
        return False
    return True


def _paths(value: dict[str, Any]) -> Iterator[Path]:
    for name, each in value.items():
        each = each[0] if isinstance(each, list) and each and isinstance(each[0], dict) else each
        if isinstance(each, dict) and each:
            yield from ((name, *path) for path in _paths(each))
        else:
            yield (name,)
