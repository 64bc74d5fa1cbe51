"""Which variables a kernel gets, and how they are written down for its engine.

The file has a line each, ``NAME='value'`` or ``NAME=value``. Quoted is what ch-run(1), "Setting variables with
--set-env", reads with ``--env-no-expand``: one pair of single quotes around a value is taken off and everything between
them is literal, further quotes included. A newline ends an assignment, so a value with one cannot be written.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

# What an engine's own command, and a program without a container, need of the node: never TMPDIR, which
# ch-run(1) would show as /tmp.
HOST_ENV = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "XDG_RUNTIME_DIR", "SLURM_*", "LD_LIBRARY_PATH")


def compose(
    plan_env: Mapping[str, str],
    environ: Mapping[str, str],
    passed: Sequence[str],
    dropped: Sequence[str],
    image_env: Mapping[str, str] | None = None,
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
    image_env : Mapping, optional
        What the image says where the job says nothing.
    """
    names = (name for name in environ if _any(name, passed) and not _any(name, dropped))
    return {**(image_env or {}), **{name: environ[name] for name in names}, **plan_env}


def of_command(
    container_env: Mapping[str, str], environ: Mapping[str, str], dropped: Sequence[str], *, reads_env_file: bool
) -> dict[str, str]:
    """Return the process environment of an engine's command, which is also that of a program without a container.

    Parameters
    ----------
    container_env : Mapping
        What ``compose`` has made for the program in the container.
    environ : Mapping
        The job's own environment, of which ``HOST_ENV`` is taken.
    dropped : Sequence of str
        Patterns of names that are never taken from it.
    reads_env_file : bool
        Whether the engine takes the program's environment from the file; else the program has this one.
    """
    own = compose({}, environ, HOST_ENV, dropped)
    return own if reads_env_file else {**own, **container_env}


def lines(env: Mapping[str, str], *, quoted: bool = True) -> str:
    """Return the text of the environment file, without what ``left_out`` names."""
    without = set(left_out(env))
    quote = "'" if quoted else ""
    return "".join(f"{name}={quote}{value}{quote}\n" for name, value in env.items() if name not in without)


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
