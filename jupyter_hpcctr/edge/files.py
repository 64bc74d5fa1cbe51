"""Files and directories that only their owner may read, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import UnsafePath

_MAX_LINKS = 40
_NOBODY = 65534  # the kernel's word for a user that a user namespace does not know (user_namespaces(7))


def private_dir(path: Path) -> Path:
    """Make a directory that only its owner can enter (0700), or check that an existing one is.

    Raises
    ------
    UnsafePath
        It exists and is a link, another user's, or open to others; or one of the directories that lead
        to it is another user's, or everybody may rename what is in it.
    """
    _make_way(path)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnsafePath(
            f"{path} is not a directory of your own with mode 0700",
            hint=f"remove it, or: chmod 700 {path}",
        )
    return path


class Trust(NamedTuple):
    """Who may own and change what this user relies on: ids of users, and of groups whose members are trusted."""

    users: frozenset[int]
    groups: frozenset[int] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str] = ()) -> Trust:
        """Return the user, root, and whom an administrator names: a user's name, or a group's behind an ``@``.

        Raises
        ------
        UnsafePath
            There is no such user or group.
        """
        users, groups = _trusted_owners(), set()
        for name in names:
            try:
                if name.startswith("@"):
                    groups.add(grp.getgrnam(name[1:]).gr_gid)
                else:
                    users.add(pwd.getpwnam(name).pw_uid)
            except KeyError:
                raise UnsafePath(f"there is no user or group {name}", hint="see HpcctrSite.store_owners") from None
        return cls(frozenset(users), frozenset(groups))

    def fault(self, path: Path, found: os.stat_result) -> str:
        """Say in what way somebody else could replace or change a path, "" where nobody can."""
        if found.st_uid not in self.users:
            return f"{path} belongs to another user (id {found.st_uid})"
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if stat.S_ISLNK(found.st_mode) or sticky:
            return ""  # a link has no mode of its own; in a sticky directory each may replace their own alone
        if found.st_mode & stat.S_IWOTH:
            return f"everybody may write in {path}"
        if found.st_mode & stat.S_IWGRP and found.st_gid not in self.groups:
            return f"the group {_group(found.st_gid)} may write in {path}"
        return ""


def check_way(path: Path, trust: Trust) -> None:
    """Check a directory and all that lead to it, links included, as far as they are there.

    Members of a group that may write in one could replace what is below. Root's group and the user's private
    group (of the same name, with nobody else in it) are nobody else, unless an access control list grants more.

    Raises
    ------
    UnsafePath
        Somebody else could replace the directory or what is in it.
    """
    own = Trust(trust.users, trust.groups | {0} | _private_group())
    for step, found in _way(path, make=False):
        listed = found.st_mode & stat.S_IWGRP and _has_acl(step)
        if fault := (trust if listed else own).fault(step, found):
            raise UnsafePath(fault, hint=f"choose a directory elsewhere, or: chmod go-w {step}")


def _make_way(path: Path) -> None:
    """Check the directories and links that lead to a path, and make those that are missing (0700).

    A group may write in them: with a umask of 002 the user's own are like that.
    """
    trusted = _trusted_owners()
    for step, found in _way(path.absolute().parent, make=True):
        _check_way(step, found, trusted)


def _way(path: Path, *, make: bool) -> Iterator[tuple[Path, os.stat_result]]:
    """Walk from the root to a path, through links; stop at what is missing, or make it."""
    here, left, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    yield here, here.lstat()
    while left:
        part = left.pop()
        if part == "..":
            here = here.parent  # of a directory that is no link
            continue
        step = here / part
        try:
            found = step.lstat()
        except FileNotFoundError:
            if not make:
                return
            with contextlib.suppress(FileExistsError):
                step.mkdir(mode=0o700)
            found = step.lstat()
        yield step, found
        if not stat.S_ISLNK(found.st_mode):
            here = step
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = step.readlink()
        here = Path("/") if target.is_absolute() else here
        left += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _check_way(step: Path, found: os.stat_result, trusted: set[int]) -> None:
    everybody = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
    if everybody:
        raise UnsafePath(
            f"everybody may rename what is in {step}", hint=f"chmod o-w {step}, or choose a directory elsewhere"
        )
    if found.st_uid not in trusted:
        raise UnsafePath(
            f"{step} belongs to another user (id {found.st_uid}), who may replace what is in it",
            hint="choose a directory below one of your own or of root's",
        )


def _trusted_owners() -> set[int]:
    """Return root and ourselves, and whoever the kernel does not name to us: in a user namespace, root may be."""
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    known = [(int(first), int(count)) for first, _, count in map(str.split, lines)]
    unnamed = {_NOBODY} if not any(first <= _NOBODY < first + count for first, count in known) else set()
    return {0, os.getuid()} | unnamed


def _private_group() -> set[int]:
    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())
    except KeyError:
        return set()
    private = group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    return {group.gr_gid} if private else set()


def _has_acl(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError:  # none, or a file system without them
        return False


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def read_private(path: Path) -> str:
    """Read a file that must be this user's own (0600) and no link.

    Raises
    ------
    OSError
        It cannot be read, or it is not: what stands in it would be done in this user's name.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, encoding="utf-8") as file:
        found = os.fstat(fd)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise PermissionError(f"{path} is not a file of this user's own with mode 0600")
        return file.read()


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


def tail(path: Path, *, lines: int = 20, limit: int = 16_384) -> str:
    """Return the last lines of a text file, "" where there is none or it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
