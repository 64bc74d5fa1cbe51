"""A file and those that it is based on as one: every value with the place where it was written."""

from __future__ import annotations

import contextlib
import datetime
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..core.amounts import short
from ..errors import RequestError
from . import expanding
from .lines import Lines, Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OURS = "x-hpcctr"
SCALARS: Mapping[str, type] = {"image": str, "workdir": str, "entrypoint": bool, "writable": bool}
LISTS = ("mounts", "devices")
TABLES = ("env", "annotations", OURS)
BASES = "base_environment"
MOST_LEVELS = 10
_OF_IMAGE = frozenset({"PATH", "LD_LIBRARY_PATH"})
"""What an image sets for itself: whoever reads the file has other values."""
_WORDS = {str: "a text in quotes", bool: "true or false"}
_EXAMPLES = {str: '"…"', bool: "false"}
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

Find = Callable[[str], tuple[str, str]]
"""Gives the place and the text of a file by its name; raises ``RequestError``."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value, the name of its file, and its line there; 0 where that is not known."""

    content: Any
    file: str
    line: int

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Have a ``RequestError`` say where this value is written."""
        try:
            yield
        except RequestError as error:
            raise placed(error, self.file, self.line) from error


def placed(error: RequestError, file: str, line: int) -> RequestError:
    """Return an error that names file and line before what it says."""
    where = f"{file}, line {line}" if line else file
    return RequestError(f"{where}: {error.message}", hint=error.hint, field=error.field)


@dataclass(slots=True)
class Layers:
    """What files say together: the later one's values win, lists and tables are put together."""

    scalars: dict[str, Value] = field(default_factory=dict)
    lists: dict[str, list[Value]] = field(default_factory=lambda: {name: [] for name in LISTS})
    tables: dict[str, dict[str, Value]] = field(default_factory=lambda: {name: {} for name in TABLES})
    notes: list[str] = field(default_factory=list)

    def add(self, other: Layers) -> None:
        """Lay another one over this."""
        self.scalars |= other.scalars
        for name, values in other.lists.items():
            anew = {each.content for each in values}
            self.lists[name] = [each for each in self.lists[name] if each.content not in anew] + values
        for name, table in other.tables.items():
            self.tables[name] |= table
        self.notes += other.notes


def layers(text: str, name: str, *, env: Mapping[str, str], find: Find, level: int = 1) -> Layers:
    """Read a text and the files that it is based on.

    Raises
    ------
    RequestError
        One of them is not there, no TOML, or not what the format says; file and line are named.
    """
    file = _File(name, _parsed(text, name), Lines(text), env)
    found = Layers()
    for base in file.bases():
        with base.named():
            if level == MOST_LEVELS:
                raise RequestError(f"more than {MOST_LEVELS} files are based on one another", hint="is it a circle?")
            place, content = find(base.content)
        found.add(layers(content, place, env=env, find=find, level=level + 1))
    found.add(file.layer())
    return found


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = _PLACE.search(said)
        line = int(at[1]) if at and at[1] else text.count("\n") + 1
        column = f", at column {at[2]}" if at and at[2] else ""
        wrong = RequestError(f"this is no TOML: {_PLACE.sub('', said)}{column}", hint="texts stand in quotes")
        raise placed(wrong, name, line) from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{name}: this is no TOML: {error}", hint="see toml.io for its syntax") from error


class _File:
    """One file, its texts with the variables put in."""

    def __init__(self, name: str, data: dict[str, Any], lines: Lines, env: Mapping[str, str]) -> None:
        self._name, self._data, self._lines, self._env = name, data, lines, env

    def bases(self) -> list[Value]:
        """Return the names of what this file is based on."""
        given = self._data.get(BASES, [])
        if isinstance(given, str):
            given = [given] if given else []
        return self._texts(BASES, given)

    def layer(self) -> Layers:
        """Return what this file itself says."""
        found = Layers()
        for name, content in self._data.items():
            if name in SCALARS:
                found.scalars[name] = self._scalar(name, content)
            elif name in LISTS:
                found.lists[name] = self._texts(name, content)
            elif name in TABLES:
                found.tables[name] = self._table(name, content)
            elif name.startswith("x-"):
                found.notes.append(f"{self._name}, line {self._lines.of((name,))}: {name} is another program's")
            elif name != BASES:
                known = ", ".join((BASES, *SCALARS, *LISTS, *TABLES))
                self._refuse(f"{name!r} means nothing here", f"leave it out; known: {known}", (name,))
        return found

    def _scalar(self, name: str, content: object) -> Value:
        kind = SCALARS[name]
        if not isinstance(content, kind):
            hint = f"write {name} = {_EXAMPLES[kind]}"
            self._refuse(f"{name} must be {_WORDS[kind]}, not {short(content)}", hint, (name,), field=name)
        return self._value((name,), content)

    def _texts(self, name: str, content: object) -> list[Value]:
        if not isinstance(content, list) or not all(isinstance(each, str) for each in content):
            hint = f'write {name} = ["…", "…"]'
            self._refuse(f"{name} must be a list of texts, not {short(content)}", hint, (name,), field=name)
        return [self._value((name,), each) for each in content]

    def _table(self, name: str, content: object) -> dict[str, Value]:
        if not isinstance(content, dict):
            self._refuse(f"{name} must be a table, not {short(content)}", f"write [{name}]", (name,), field=name)
        if name == "env":
            return {key: self._variable(key, each) for key, each in content.items()}
        if name == "annotations":
            return {".".join(path): self._annotation(path, each) for path, each in _leaves(content)}
        return {key.replace("-", "_"): self._value((name, key), each) for key, each in content.items()}

    def _variable(self, name: str, content: object) -> Value:
        path = ("env", name)
        if not isinstance(content, str):
            self._refuse(
                f"{name} must be a text in quotes, not {short(content)}", "put it in quotes", path, field="env"
            )
        own = expanding.names(content) & {name, *_OF_IMAGE}
        if own:
            what = f"{name} refers to {min(own)}, whose value in the image is not known here"
            self._refuse(what, "write it out whole", path, field="env")
        found = self._value(path, content)
        if not found.content:
            hint = "leave it out; a variable that is set and empty can be written in [x-hpcctr.env]"
            self._refuse(f"{name} is empty, which takes a variable away: a kernel cannot", hint, path, field="env")
        return found

    def _annotation(self, path: Path, content: object) -> Value:
        if isinstance(content, (bool, int, float)):
            content = str(content).lower() if isinstance(content, bool) else str(content)
        if not isinstance(content, str):
            what = f"the annotation {'.'.join(path)} must be a text in quotes, not {short(content)}"
            self._refuse(what, "put it in quotes", ("annotations", *path), field="annotations")
        return self._value(("annotations", *path), content)

    def _value(self, path: Path, content: object) -> Value:
        line = self._lines.of(path, content)
        with Value(content, self._name, line).named():
            return Value(self._expanded(content), self._name, line)

    def _expanded(self, content: object) -> object:
        if isinstance(content, str):
            return expanding.expand(content, self._env)
        if isinstance(content, list):
            return [self._expanded(each) for each in content]
        if isinstance(content, dict):
            return {key: self._expanded(each) for key, each in content.items()}
        # A time limit without quotes is a time of the day to TOML.
        return content.isoformat() if isinstance(content, datetime.time) else content

    def _refuse(self, message: str, hint: str, path: Path, *, field: str = "") -> NoReturn:
        raise placed(RequestError(message, hint=hint, field=field), self._name, self._lines.of(path))


def _leaves(table: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, object]]:
    for name, content in table.items():
        if isinstance(content, dict):
            yield from _leaves(content, (*above, name))
        else:
            yield (*above, name), content
