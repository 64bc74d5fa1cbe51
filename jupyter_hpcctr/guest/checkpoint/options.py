"""What the words behind ``%hpcctr`` ask for."""

from __future__ import annotations

import re

from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple, Optional, Union

    class Asked(NamedTuple):
        """What is to be done; ``code`` is "" where there is none, ``before_s`` None where nothing is said."""

        what: str
        code: str
        before_s: Optional[float]
        clear: bool
else:
    from collections import namedtuple

    Asked = namedtuple("Asked", "what code before_s clear")

_UNITS = {"": 60.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)")
_WORD = re.compile(r"\s*(\S+)(.*)", re.DOTALL)


def parse(line: str, cell: str | None) -> Asked:
    """Read a line of the magic, and its cell where there is one.

    Raises
    ------
    UsageError
        It makes no sense.
    """
    what, rest = _first(line)
    if what in ("", "help", "-h", "--help"):
        return Asked("help", "", None, False)
    if what == "devices" and not rest.strip() and cell is None:
        return Asked("devices", "", None, False)
    if what not in ("checkpoint", "restore"):
        raise UsageError(f"%hpcctr knows no {what!r}", "'%hpcctr help' lists what it knows.")
    before_s, clear, rest = _options(what, rest)
    if cell is not None and rest.strip():
        raise UsageError(f"{rest.strip()!r} is no option", "With %%hpcctr the code begins on the second line.")
    code = rest.strip() if cell is None else cell
    if cell is not None and not code.strip():
        raise UsageError("the cell has no code", "Write the code below the first line.")
    if clear and (code or before_s is not None):
        raise UsageError("--clear stands alone")
    if before_s is not None and not code:
        raise UsageError("--before needs the code that is to run", "For example: %hpcctr checkpoint --before 10 save()")
    return Asked(what, code, before_s, clear)


def seconds(given: Union[str, float]) -> float:
    """Return how long before the end: minutes, or a text with a unit.

    Raises
    ------
    UsageError
        It is none.
    """
    found = _TIME.fullmatch(str(given).strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{str(given)!r} is no time", "Write minutes, or a number with a unit: 90s, 10m, 1h.")
    return float(found[1]) * _UNITS[found[2]]


def _options(what: str, rest: str) -> tuple[Optional[float], bool, str]:
    before_s, clear = None, False
    while rest.lstrip().startswith("--"):
        name, rest = _first(rest)
        name, equals, value = name.partition("=")
        if name == "--before" and what == "checkpoint":
            if not equals:
                value, rest = _first(rest)
            before_s = seconds(value)
        elif name == "--clear" and not equals:
            clear = True
        else:
            raise UsageError(f"'%hpcctr {what}' has no option {name!r}", "'%hpcctr help' lists the options.")
    return before_s, clear, rest


def _first(text: str) -> tuple[str, str]:
    found = _WORD.match(text)
    return (found[1], found[2]) if found else ("", "")
