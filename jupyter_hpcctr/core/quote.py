"""The one place that writes shell text: words to a POSIX sh line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..errors import RequestError


def line(argv: Sequence[str]) -> str:
    """Return words as one line for a POSIX shell, each word exactly as given.

    Raises
    ------
    RequestError
        A word holds a NUL, which no program can be given (execve(2)).
    """
    for word in argv:
        if "\0" in word:
            raise RequestError(f"{word!r} holds a NUL character", hint="remove it")
    return " ".join(shlex.quote(word) for word in argv)


def job_script(argv: Sequence[str], *, ignored: Sequence[str] = ()) -> str:
    """Return the script of a job that becomes the given program.

    ``ignored`` are signals, as trap(1) names them, that do not end the program before it has a handler for them.

    It holds no ``#SBATCH`` line: a newline in an option's value would end the comment and the rest
    would run. Options go to the scheduler as words.
    """
    trap = f"trap '' {' '.join(ignored)}\n" if ignored else ""
    return f"#!/bin/sh\n{trap}exec {line(argv)}\n"
