"""An unpacked image before it is flattened: what is added to it, and what is found in it.

Its content is a stranger's: nothing is run, and no link of it is followed when something is made.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from ..core.facts import GUEST_ROOT, HOST_ROOTS
from ..errors import ImageError

_IPYKERNEL = re.compile(r"ipykernel-([0-9][^-]*)\.dist-info")
_ENGINES = ("dev", "proc", "sys")
_NEEDED = tuple(root[1:] for root in HOST_ROOTS)
_FILES = ("passwd", "group", "hosts", "resolv.conf")  # of /etc: the node's, or made for the user
_PYTHONS = ("usr/lib", "usr/local/lib", "opt/*/lib", "opt/*/*/lib", "opt/*/envs/*/lib", "home/*/lib", "venv/lib")


def furnish(root: Path, mount_points: Iterable[str], *, epoch: int) -> None:
    """Make everything readable for its owner, and add the directories and files that are mounted over.

    A read-only container cannot make them later: without the kernel's file systems, /tmp and the user's entry
    in /etc/passwd no engine starts one. What is in their place and cannot be mounted over, a link say, gives way.
    Set-user-id bits, which have no use in a container without privileges, are taken away.

    Raises
    ------
    ImageError
        The image has something else than a directory where ours must be, or is nested too deep.
    """
    try:
        _open_up(root)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ImageError(
            "the image has a path that is longer than this system's limit",
            hint="ask its maker to nest fewer directories",
        ) from error
    for name in _NEEDED:
        _give_way(root / name, stat.S_ISDIR)
        _directory(root, (name,), epoch, required=True)
    etc = _etc(root, epoch)
    for name in _FILES:
        _file(etc / name, epoch)
    for inner in ("guest", "run"):
        _directory(root, PurePosixPath(GUEST_ROOT, inner).parts[1:], epoch, required=True)
    for name in mount_points:
        _directory(root, tuple(p for p in PurePosixPath(name).parts if p not in ("/", "..")), epoch, required=False)
    os.utime(root, (epoch, epoch))


def roots(root: Path) -> dict[str, bool]:
    """Return the names in the root directory, and whether each is an empty directory that may be laid over.

    The engines' own are not: no container runs without the kernel's file systems.
    """
    return {
        path.name: path.name not in _ENGINES and path.is_dir() and not path.is_symlink() and not any(path.iterdir())
        for path in sorted(root.iterdir())
    }


def ipykernel(root: Path) -> str | None:
    """Return the version of the ipykernel in the image, None where none is found in the usual places."""
    for place in _PYTHONS:
        for found in sorted(root.glob(f"{place}/python3*/*-packages/ipykernel-*.dist-info"), reverse=True):
            if version := _IPYKERNEL.fullmatch(found.name):
                return version[1]
    return None


def remove(tree: Path) -> None:
    """Remove a directory tree of our own, whatever the modes of the directories in it.

    Anything else of that name stays, and no link is followed: who shares TMPDIR may have put it there.
    """
    try:
        found = tree.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return
    # Each directory is first moved to the top: however deep it was, its path is short then, and nothing recurses.
    token, moved, left = secrets.token_hex(8), 0, [tree]
    while left:
        directory = left.pop()
        directory.chmod(0o700)
        for path, is_dir in _entries(directory):
            if not is_dir:
                path.unlink()
                continue
            path.chmod(0o700)  # moving a directory writes to it
            moved += 1
            left.append(path.rename(tree / f"{token}-{moved}"))
        if directory != tree:
            directory.rmdir()
    tree.rmdir()


def _open_up(root: Path) -> None:
    """Go through the tree without recursion: an image may have thousands of directories in one another."""
    root.chmod(0o755)
    left = [root]
    while left:
        for path, is_dir in _entries(left.pop()):
            mode = path.lstat().st_mode
            right = (mode & 0o1777) | (0o700 if is_dir else 0o400)
            if not stat.S_ISLNK(mode) and right != stat.S_IMODE(mode):
                path.chmod(right)
            if is_dir:
                left.append(path)


def _entries(directory: Path) -> list[tuple[Path, bool]]:
    """Return what is in a directory, and whether each is one itself; links are not followed."""
    with os.scandir(directory) as entries:
        return [(directory / entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _etc(root: Path, epoch: int) -> Path:
    """Return the image's /etc, made where there is none; a link may lead to another directory of the image."""
    etc = root / "etc"
    if not os.path.lexists(etc):
        _directory(root, ("etc",), epoch, required=True)
    place = etc.resolve()
    if not place.is_dir() or not place.is_relative_to(root.resolve()):
        raise ImageError("the image's /etc is not a directory of its own", hint="make it one in the image")
    return place


def _give_way(path: Path, is_right: Callable[[int], bool]) -> bool:
    """Remove what is not of the right kind, and return whether nothing is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return True
    if is_right(mode):
        return False
    if stat.S_ISDIR(mode):
        remove(path)
    else:
        path.unlink()
    return True


def _file(path: Path, epoch: int) -> None:
    if _give_way(path, stat.S_ISREG):
        path.touch(exist_ok=False)
        path.chmod(0o644)
        os.utime(path, (epoch, epoch))
        os.utime(path.parent, (epoch, epoch))


def _directory(root: Path, parts: tuple[str, ...], epoch: int, *, required: bool) -> None:
    path = root
    for part in parts:
        path = path / part
        try:
            path.mkdir(mode=0o755)
            os.utime(path, (epoch, epoch))
        except FileExistsError:
            if path.is_dir() and not path.is_symlink():
                continue
            if required:
                raise ImageError(
                    f"the image has a /{path.relative_to(root)} that is not a directory",
                    hint=f"{GUEST_ROOT} must be free in an image",
                ) from None
            return
    os.utime(path.parent, (epoch, epoch))
