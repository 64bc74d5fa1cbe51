"""The text of a spec as plain values, JSON or YAML, with the line of each value for those who find a fault in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

from .edits import DeviceError

Step = Union[str, int]  # noqa: UP007  (Python 3.9)
MOST_BYTES = 1 << 20  # of a spec
_MOST_VALUES = 200_000  # of a spec in YAML, whose aliases let few lines stand for many
_DEEPEST = 32
_SPACE = re.compile(r"[ \t\r\n,:]*")


@dataclass(frozen=True)
class Parsed:
    """A spec's values, and where each is.

    Attributes
    ----------
    path : str
        The file.
    value
        What is in it.
    line_of : callable
        Returns the line, from 1, of the value to which some keys and indices lead, or of the last that is there.
    """

    path: str
    value: Any
    line_of: Callable[[Sequence[Step]], int]

    def fault(self, steps: Sequence[Step], what: str) -> DeviceError:
        """Return an error at a value."""
        return DeviceError(f"{self.path}, line {self.line_of(steps)}: {what}")


def parse(text: str, path: str) -> Parsed:
    """Return the values of a spec; a path that ends in ``.yaml`` or ``.yml`` is YAML, every other one is JSON.

    Raises
    ------
    DeviceError
        If it is too large, cannot be parsed, or is YAML and PyYAML is not there.
    """
    if len(text) > MOST_BYTES:
        raise DeviceError(f"{path}: a spec has at most {MOST_BYTES >> 20} MiB")
    try:
        return _yaml(text, path) if path.endswith((".yaml", ".yml")) else _json(text, path)
    except RecursionError:
        raise DeviceError(f"{path}: it is nested too deeply") from None


def _json(text: str, path: str) -> Parsed:
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise DeviceError(f"{path}, line {error.lineno}: this is not JSON ({error.msg})") from None
    except ValueError as error:  # a key that is there twice, or a number with thousands of digits
        raise DeviceError(f"{path}: {error}") from None
    return Parsed(path, value, lambda steps: text.count("\n", 0, _seek(text, _skip(text, 0), steps)) + 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _seek(text: str, at: int, steps: Sequence[Step]) -> int:
    """Return where a value of valid JSON begins, from the place where one that holds it does."""
    if not steps or text[at] not in "{[":
        return at
    decode = json.JSONDecoder().raw_decode
    is_object, inside, index = text[at] == "{", _skip(text, at + 1), 0
    while text[inside] not in "}]":
        begins, key = inside, index
        if is_object:
            key, inside = decode(text, inside)
            inside = _skip(text, inside)
        if key == steps[0]:
            return begins if len(steps) == 1 else _seek(text, inside, steps[1:])
        inside, index = _skip(text, decode(text, inside)[1]), index + 1
    return at


def _yaml(text: str, path: str) -> Parsed:
    try:
        import yaml  # here: nothing but a spec in YAML needs it
    except ImportError:
        raise DeviceError(f"{path}: PyYAML is not there to read it; install it, or write the spec in JSON") from None
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _bound(yaml, text, path, loader_class)
        loader = loader_class(text)
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise DeviceError(f"{path}{line}: this is not YAML ({error.problem or error.context})") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # a character, a date or a key that YAML has not
        raise DeviceError(f"{path}: this is not YAML ({' '.join(str(error).split())})") from None
    if _count(value, 0, 0) > _MOST_VALUES:
        raise DeviceError(f"{path}: its aliases stand for too much")
    return Parsed(path, value, lambda steps: _line(node, steps))


def _bound(yaml: Any, text: str, path: str, loader: Any) -> None:
    """Refuse what would take the composer, which calls itself, more than it has."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1
        if depth > _DEEPEST:
            raise DeviceError(f"{path}, line {line}: it is nested too deeply")
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<":
            raise DeviceError(f"{path}, line {line}: merge keys ('<<') are not read; write the keys out")


def _count(value: Any, depth: int, so_far: int) -> int:
    """Return of how many values a value is made, aliases followed; it stops where that is too many."""
    so_far += 1
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inside:
        if so_far > _MOST_VALUES or depth > _DEEPEST:
            return _MOST_VALUES + 1
        so_far = _count(each, depth + 1, so_far)
    return so_far


def _line(node: Any, steps: Sequence[Step]) -> int:
    for step in steps:
        inside = getattr(node, "value", None)
        if not isinstance(inside, list):
            break
        if isinstance(step, int):
            found = inside[step] if step < len(inside) else None
        else:
            found = next((pair for pair in inside if isinstance(pair, tuple) and pair[0].value == step), None)
        if found is None:
            break
        key, node = found if isinstance(found, tuple) else (found, found)
        if step is steps[-1]:
            return int(key.start_mark.line) + 1
    return 1 if node is None else int(node.start_mark.line) + 1
