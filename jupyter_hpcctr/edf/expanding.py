"""Variables in the texts of a file: ``${NAME}``, ``${NAME:-default}``, and ``$$`` for a dollar sign."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import RequestError

_DOLLAR = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^${}]*))?\}|(?=[A-Za-z_{(]))")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Put in the values of variables.

    Raises
    ------
    RequestError
        A variable is not set and has no default, or it is written in a way that other readers take for something else.
    """

    def value(found: re.Match[str]) -> str:
        dollar, name, default = found.groups()
        if dollar:
            return "$"
        if name is None:
            raise RequestError(f"{text!r} has a '$' alone", hint="write ${NAME} for a variable, $$ for a dollar sign")
        if default is not None:
            return env.get(name) or default
        if name not in env:
            hint = f"set it where this file is read, or write ${{{name}:-a default}}"
            raise RequestError(f"the variable {name} is not set", hint=hint)
        return env[name]

    return _DOLLAR.sub(value, text)


def names(text: str) -> set[str]:
    """Return the variables that a text refers to."""
    return {found[2] for found in _DOLLAR.finditer(text) if found[2]}


def escaped(text: str) -> str:
    """Return what ``expand`` makes this text of."""
    return text.replace("$", "$$")
