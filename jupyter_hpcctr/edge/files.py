"""Files and directories that only their owner may read, written whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import HpcctrError


class UnsafePath(HpcctrError):  # noqa: N818
    """A path that should be ours alone belongs to, or is open to, somebody else."""

    stage = "files"


def private_dir(path: Path) -> Path:
    """Make a directory that only its owner can enter (0700), or check that an existing one is.

    Raises
    ------
    UnsafePath
        It exists and is a link, another user's, or open to others.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnsafePath(
            f"{path} is not a directory of your own with mode 0700",
            hint=f"remove it, or: chmod 700 {path}",
        )
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (0600), whole or not at all."""
    _write(path, text, 0o600)


def write_public(path: Path, text: str) -> None:
    """Write a file that others may read (0644 less the umask), whole or not at all."""
    _write(path, text, 0o644)


def _write(path: Path, text: str, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file for the length of a ``with`` block (flock(2))."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def tail(path: Path, *, lines: int = 20, limit: int = 16_384) -> str:
    """Return the last lines of a text file, "" where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
