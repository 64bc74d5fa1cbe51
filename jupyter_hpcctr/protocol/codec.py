"""From values to text and back: JSON, with a format number in front. What is not as it should be is refused by name."""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

FORMAT = 2
"""Changes whenever a value of this room does; what was written in another format is refused."""

T = TypeVar("T")
_NUMBERS = (int, float)


class Unreadable(ValueError):  # noqa: N818  (it is a finding)
    """The text is not what was asked for; the message says where."""


class OtherFormat(Unreadable):
    """It was written by another version of this package; the message, for people, says what to do."""


def to_json(value: Any) -> str:
    """Return a value of this room as JSON text."""
    return json.dumps({"format": FORMAT, **_plain(value)})


def from_json(kind: type[T], text: str) -> T:
    """Return the value that was written down.

    Raises
    ------
    OtherFormat
        It has another format number.
    Unreadable
        A field is missing, not known, or of another type; the message names it.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable(f"an object is expected, not {_named(found)}")
    written = found.pop("format", None)
    if written != FORMAT:
        raise OtherFormat(
            f"this job's plan was written by another version of jupyter_hpcctr: it has the format {written!r}, and "
            f"the format {FORMAT} is expected. Restart the kernel: that submits a new job"
        )
    value: T = _object(kind, found, "")
    return value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value


def _object(kind: Any, found: Any, where: str) -> Any:
    if not isinstance(found, dict):
        raise Unreadable(f"{where or 'it'} is {_named(found)}, not an object")
    prefix = f"{where}." if where else ""
    hints = typing.get_type_hints(kind)
    fields = {each.name: each for each in dataclasses.fields(kind)}
    for name in sorted(found.keys() - fields.keys()):
        raise Unreadable(f"{prefix}{name} is not known")
    for name in sorted(fields.keys() - found.keys()):
        raise Unreadable(f"{prefix}{name} is missing")
    return kind(**{name: _read(hints[name], found[name], f"{prefix}{name}") for name in fields})


def _read(kind: Any, found: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _object(kind, found, where)
    origin = typing.get_origin(kind)
    if origin is not None:
        return _PARTS[origin](typing.get_args(kind), found, where)
    if kind is float and type(found) in _NUMBERS:
        return float(found)
    if type(found) is not kind:
        raise Unreadable(f"{where} is {_named(found)}, not {kind.__name__}")
    return found


def _optional(parts: tuple[Any, ...], found: Any, where: str) -> Any:
    return None if found is None else _read(parts[0], found, where)


def _literal(parts: tuple[Any, ...], found: Any, where: str) -> Any:
    if found not in parts:
        raise Unreadable(f"{where} is {found!r}, none of {', '.join(map(repr, parts))}")
    return found


def _tuple(parts: tuple[Any, ...], found: Any, where: str) -> Any:
    if not isinstance(found, list):
        raise Unreadable(f"{where} is {_named(found)}, not a list")
    return tuple(_read(parts[0], each, f"{where}[{at}]") for at, each in enumerate(found))


def _mapping(parts: tuple[Any, ...], found: Any, where: str) -> Any:
    if not isinstance(found, dict):
        raise Unreadable(f"{where} is {_named(found)}, not an object")
    return {name: _read(parts[1], each, f"{where}.{name}") for name, each in found.items()}


_PARTS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    typing.Union: _optional,
    typing.Literal: _literal,
    tuple: _tuple,
    collections.abc.Mapping: _mapping,
}


def _named(found: Any) -> str:
    return "null" if found is None else f"a {type(found).__name__}"
