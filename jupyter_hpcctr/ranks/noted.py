"""What a rank has started by the end of its cells: it can be ended when rank and wrapper are gone.

A launcher that kills both at once may leave a process of another session, without an environment, below nobody whom
we know. A descriptor (pidfd_open(2)) that was opened before still means this process and no other.
"""

from __future__ import annotations

import contextlib
import os
import signal

from ..guest.mpirun import offspring

MOST = 256


class Noted:
    """Descriptors of processes, at most ``MOST``; more of them than that are not noted."""

    def __init__(self) -> None:
        self._descriptors: dict[int, int] = {}

    def look(self, *parents: int) -> None:
        """Note what these, and those that are noted, have started in their main threads; forget what has ended."""
        for pid in [pid for pid, descriptor in self._descriptors.items() if offspring.has_ended(descriptor)]:
            os.close(self._descriptors.pop(pid))
        todo = [*(pid for pid in parents if pid > 0), *self._descriptors]
        while todo:
            parent = todo.pop()
            found = offspring.children_of_main_thread(parent)
            todo += [pid for pid in found if pid not in parents and self._note(pid, parent)]

    def _note(self, pid: int, parent: int) -> bool:
        """Open a process's descriptor; return whether it was not known, and is still its parent's."""
        if pid in self._descriptors or len(self._descriptors) >= MOST:
            return False
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        if offspring.parent(pid) != parent:  # gone, perhaps with another in its place
            os.close(descriptor)
            return False
        self._descriptors[pid] = descriptor
        return True

    def kill(self) -> None:
        """Kill them all."""
        for descriptor in self._descriptors.values():
            with contextlib.suppress(OSError):  # gone, or somebody else's by set-user-id
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Close the descriptors."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])
