"""Where files are looked for: by path, or by name in ``EDF_PATH``, ``~/.edf`` where that is not set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import RequestError
from .reading import Edf, read

MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds files for a user.

    ``env`` are the variables that files may refer to, ``cwd`` the directory that relative paths are below.
    """

    env: Mapping[str, str]
    cwd: str

    def __call__(self, name: str) -> tuple[str, str]:
        """Return where a file is, and its text.

        A name is a path if it begins with "." or "/" or ends with ".toml".

        Raises
        ------
        RequestError
            There is no such file, or it cannot be read as one.
        """
        is_path = name.startswith((".", "/")) or name.endswith(".toml")
        tried = [Path(self.cwd, name)] if is_path else [each / f"{name}.toml" for each in self.directories()]
        for path in tried:
            if _is_file(path):
                return name if is_path else str(path), _text(path)
        if is_path:
            raise RequestError(f"there is no file {name}", hint="a relative path is below the present directory")
        places = ", ".join(str(path.parent) for path in tried) or "EDF_PATH is empty"
        raise RequestError(f"there is no environment {name!r} ({places})", hint="write a path, or set EDF_PATH")

    def directories(self) -> tuple[Path, ...]:
        """Return where names are looked for, in order."""
        given = self.env.get("EDF_PATH")
        if given is not None:
            return tuple(Path(each) for each in given.split(":") if each.startswith("/"))
        home = self.env.get("HOME")
        return (Path(home, ".edf"),) if home else ()

    def names(self) -> Iterable[str]:
        """Return the names that there are."""
        return {path.stem for each in self.directories() if each.is_dir() for path in each.glob("*.toml")}


def load(name: str, *, env: Mapping[str, str], cwd: str) -> Edf:
    """Read a file by its name or path, with those that it is based on.

    Raises
    ------
    RequestError
        It is not there, or not understood; the message names file and line.
    """
    finder = Finder(env, cwd)
    path, text = finder(name)
    return read(text, path, env=env, cwd=cwd, find=finder)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL in it
        return False


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise RequestError(f"{path} cannot be read: {reason}", hint="check its permissions") from error
    if len(content) > MOST_BYTES:
        raise RequestError(f"{path} has more than {MOST_BYTES} bytes", hint="this is no environment definition file")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not UTF-8 text", hint="TOML is written in UTF-8") from error
