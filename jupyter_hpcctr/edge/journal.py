"""What passed between a notebook's cells and their kernel, in two files that a later server can read and go on with.

Each message is in the system's page cache before anybody acknowledges it, so that a server that is killed loses
nothing. Of what is executed without a cell's name (nbclient, consoles) nothing is kept.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import logging
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import HpcctrError
from ..guest.wire import DELIMITER, header_of
from . import files
from .executions import Execution, Executions
from .records import ASKED, CARRIED, SAID, Record, head, packed, records

log = logging.getLogger(__name__)

NAMES = ("journal-1", "journal-0")
"""The newer file, and the one before it."""
LOOK_S = 1.0
AGAIN = 500
"""An agent may send so many messages again that another process has had: more than it sends unacknowledged."""
_USELESS = (b'"comm_', b'"execute_input"')


class Journal:
    """Keeps the messages of a kernel in its directory, which is made when the first one comes. In the edge loop.

    ``most`` bounds both files together, in bytes. What cannot be written, on a full disk or without a directory, is
    counted, said once in the log, and harms nobody.
    """

    def __init__(self, directory: Path, most: int) -> None:
        self.executions = Executions()
        self._directory, self._most = directory, most // 2
        self._fd: int | None = None
        self._size = 0
        self._looked = 0.0
        self._lost: dict[str, Execution] = {}  # of which something could not be written
        self._full = self._told = self._closed = False
        self._parent = b""
        self._execution: Execution | None = None
        self._written = b""  # the parent of the last record
        last = collections.deque[bytes](maxlen=AGAIN)
        for name in reversed(NAMES):
            self._recall(_content(directory / name), last, newer=name == NAMES[0])
        self._had, self._others = set(last), 0

    # -- what passes

    def asked(self, frames: Sequence[bytes]) -> None:
        """A client has sent something on shell."""
        at = _header(frames)
        if at is None or b'"execute_request"' not in (header := frames[at]):
            return
        now, metadata = time.time(), frames[at + 2]
        execution = self.executions.asked(header, metadata, now)
        if execution is not None:
            self._parent = b""  # perhaps that of another execution of the same cell
            self._write(execution, ASKED, now, header, metadata, b"")

    def said(self, channel: str, frames: Sequence[bytes]) -> bool:
        """A client is told something on iopub or shell; False for an output that another process has had, and noted."""
        at = _header(frames)
        if at is None:
            return True
        header, parent, content = frames[at], frames[at + 1], frames[at + 3]
        if self._had and channel == "iopub" and self._is_had(header):
            return False
        if parent != self._parent:
            self._parent, self._execution = parent, self._of(parent)
        execution = self._execution
        if channel == "shell":
            wanted = execution is not None and b'"execute_reply"' in header
        elif execution is None:
            wanted = b'"update_display_data"' in header
        else:
            wanted = not any(each in header for each in _USELESS)
        now = time.time()
        if wanted and (execution is None or self.executions.said(execution, header, lambda: content, now)):
            self._write(execution, SAID, now, header, parent, content)
        return True

    def _is_had(self, header: bytes) -> bool:
        if header in self._had:
            self._had.discard(header)
            return True
        self._others += 1
        if self._others > AGAIN:
            self._had.clear()
        return False

    def _of(self, parent: bytes) -> Execution | None:
        if b'"execute_request"' not in parent:
            return None
        return self.executions.get(str(header_of(parent).get("msg_id", "")))

    # -- the files

    def _write(
        self, execution: Execution | None, kind: bytes, now: float, first: bytes, second: bytes, third: bytes
    ) -> None:
        """Append a record, and note it; a kernel's message is without its parent where the last one had the same."""
        if self._closed:
            return
        try:
            self._open()
            parts = first, b"" if kind == SAID and second == self._written else second, third
            lost = b"".join(packed(CARRIED, now, self.executions.carry(each)) for each in self._lost.values())
            size = self._append(lost, head(kind, now, *parts), *parts) - len(lost)
        except (OSError, HpcctrError) as error:
            if not self._told:
                log.warning("what a kernel's cells print cannot be kept in %s: %s", self._directory, error)
            self._told, size = True, len(first) + len(second) + len(third)
            self._full, self._written = True, b""
            if execution is not None:
                self._lost[execution.msg_id] = execution
                execution.missing += size
            return
        self._lost, self._full, self._written = {}, False, second if kind == SAID else b""
        if execution is not None:
            execution.newer += size
        if self._size > self._most:
            self._rotate()

    def _append(self, *parts: bytes) -> int:
        assert self._fd is not None  # noqa: S101
        size = sum(map(len, parts))
        if os.writev(self._fd, parts) != size:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += size
        return size

    def _open(self) -> None:
        """See that there is a file to write to, and now and then that it is still in its directory."""
        now = time.monotonic()
        if now - self._looked < LOOK_S and (self._fd is not None or self._full):
            if self._fd is None:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))  # as a moment ago
            return
        self._looked = now
        if self._fd is not None:
            if os.fstat(self._fd).st_nlink:
                return
            self._shut()
            self._begin(removed=2)
        else:
            self._make()

    def _make(self) -> None:
        files.private_dir(self._directory)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._directory / NAMES[0], flags, 0o600)
        self._size, self._written = os.fstat(self._fd).st_size, b""

    def _begin(self, *, removed: int) -> None:
        """Make a new file that begins with what is known, when one or both files are not there any more."""
        for _ in range(removed):
            self.executions.rotated()
        self._make()
        now = time.time()
        for each in (each for each in self.executions.all() if each.older or each.ended is None):
            self._append(packed(CARRIED, now, self.executions.carry(each)))

    def _rotate(self) -> None:
        newer, older = (self._directory / name for name in NAMES)
        self._shut()
        try:
            newer.replace(older)
            self._begin(removed=1)
        except (OSError, HpcctrError) as error:  # what is written next tries again
            log.warning("the journal of a kernel's cells cannot be shortened: %s", error)

    def _shut(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._written = None, b""

    def read(self) -> list[bytes]:
        """Return what both files hold, the older first; for any thread."""
        # The newer one is opened first: if it takes the older one's place meanwhile, it is found twice and read once.
        contents, seen = [], set()
        with contextlib.ExitStack() as stack:
            opened = []
            for name in NAMES:
                with contextlib.suppress(OSError):
                    opened.append(stack.enter_context((self._directory / name).open("rb")))
            for file in opened:
                if (inode := os.fstat(file.fileno()).st_ino) not in seen:
                    seen.add(inode)
                    contents.append(file.read())
        return contents[::-1]

    def close(self) -> None:
        """Write no more; the files stay."""
        self._closed = True
        self._shut()

    def remove(self) -> None:
        """Write no more and remove the files, and the directory where nothing else is in it."""
        self.close()
        with contextlib.suppress(OSError):
            for name in NAMES:
                (self._directory / name).unlink(missing_ok=True)
            self._directory.rmdir()

    # -- what another process has written

    def _recall(self, data: bytes, last: collections.deque[bytes], *, newer: bool) -> None:
        for record, parent in with_parents(records(data)):
            if record.kind == SAID and b'"status"' not in record.parts[0]:
                last.append(record.parts[0])
            execution = self._recalled(record, parent)
            if execution is not None:
                execution.newer += record.size
        if not newer:
            for each in self.executions.all():
                each.older, each.newer = each.older + each.newer, 0

    def _recalled(self, record: Record, parent: bytes) -> Execution | None:
        """Take a record over; return the execution to which it belongs."""
        first, second, third = record.parts
        if record.kind == ASKED:
            return self.executions.asked(first, second, record.now)
        if record.kind == CARRIED:
            self.executions.carried(first)
        elif record.kind == SAID and (execution := self._of(parent)) is not None:
            self.executions.said(execution, first, lambda: third, record.now)
            return execution
        return None


def with_parents(found: Iterable[Record | None]) -> Iterable[tuple[Record, bytes]]:
    """Give each record of a file the parent that it stands for; leave out those whose parent is lost."""
    parent: bytes | None = b""
    for record in found:
        if record is None:
            parent = None
        elif record.kind != SAID:
            parent = b""
            yield record, b""
        else:
            parent = record.parts[1] or parent
            if parent:
                yield record, parent


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _header(frames: Sequence[bytes]) -> int | None:
    """Return where the first of a message's four dictionaries is; None where they are not there."""
    for at in range(len(frames) - 5):
        if frames[at] == DELIMITER:
            return at + 2
    return None
