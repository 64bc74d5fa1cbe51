"""The image's file on its node: compared with what the plan recorded, opened once, and kept open to the end.

Between submission and start hours can pass, in which somebody with access to a directory above the file could put
another in its place. What is compared is what gets mounted: engines are given the open file.
"""

from __future__ import annotations

import errno
import os
import stat

from ..protocol import shared


class ImageChanged(Exception):  # noqa: N818  (it is a finding)
    """The file is not the one that was recorded, or is not there; the message is for people."""


class ImageFile:
    """An image's file, open.

    Parameters
    ----------
    recorded : protocol's ImageFile, or None
        What it was when the launch was planned.

    Raises
    ------
    ImageChanged
        It belongs to somebody else, others may write to it, or it has another size.
    """

    def __init__(self, recorded: shared.ImageFile | None) -> None:
        self._fd = -1
        if recorded is not None and recorded.kind == "squashfs":
            self._fd = _opened(recorded)

    @property
    def fds(self) -> tuple[int, ...]:
        """What a program that is given the file must inherit."""
        return () if self._fd < 0 else (self._fd,)

    @property
    def name(self) -> str:
        """The open file's name (proc(5), "/proc/self/fd"), "" where there is no file."""
        return "" if self._fd < 0 else f"/proc/self/fd/{self._fd}"


def _opened(recorded: shared.ImageFile) -> int:
    path = recorded.path
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        why = "it is a link now" if error.errno == errno.ELOOP else error.strerror
        raise ImageChanged(f"the image's file {path} cannot be opened: {why}. Pull the image again") from error
    if fault := _fault(os.fstat(fd), recorded):
        os.close(fd)
        raise ImageChanged(
            f"the image's file {path} is not what it was when this was submitted: {fault}. "
            "Find out who changed it before you pull the image again"
        )
    return fd


def _fault(found: os.stat_result, recorded: shared.ImageFile) -> str:
    owner, size = recorded.owner, recorded.size_bytes
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    if owner is not None and found.st_uid not in (owner, os.getuid(), 0):
        return f"it belongs to user {found.st_uid}, not to {owner}"
    if found.st_mode & 0o022:
        return "others may write to it"
    if size and found.st_size != size:
        return f"it has {found.st_size} bytes, not {size}"
    return ""
