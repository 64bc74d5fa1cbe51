"""Keeps the record of one launch true, in a thread beside the edge loop, and its kernel locked for this process."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..edge import files, locks
from ..edge.loop import in_thread
from ..errors import HpcctrError, KernelOwned
from . import record
from .places import of_kernel
from .record import Record

log = logging.getLogger(__name__)

LOCK = "lock"


class Claim:
    """A kernel's directory, which no other process uses while this one has it. Blocking."""

    def __init__(self, directory: Path) -> None:
        """Take it.

        Raises
        ------
        KernelOwned
            Another process has the kernel.
        OSError, UnsafePath
            It cannot be made or locked.
        """
        files.private_dir(directory.parent)
        files.private_dir(directory)
        held = locks.try_lock(directory / LOCK)
        if held is None:
            raise KernelOwned("another process has this kernel", hint="end that process, or take the kernel from it")
        self.directory = directory
        self._held: int | None = held

    @property
    def is_held(self) -> bool:
        """Whether this process still has it. For any thread."""
        return self._held is not None

    def release(self) -> None:
        """Let others have it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def remove(self) -> None:
        """Remove the directory; the kernel is no more."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.release()


async def claimed(state_dir: str, kernel_id: str) -> Claim:
    """Take a kernel's directory; raises as ``Claim``."""
    return await in_thread(Claim, of_kernel(state_dir, kernel_id))


class Keeper:
    """Writes what ``record`` returns whenever that has changed; the last one wins where several came at once."""

    def __init__(self, claim: Claim, record: Callable[[], Record]) -> None:
        self._claim, self._record = claim, record
        self._changed = False
        self._writing: asyncio.Task[None] | None = None
        self._over = False

    @property
    def is_held(self) -> bool:
        """Whether the record is this process's to write. For any thread."""
        return self._claim.is_held

    def remember(self) -> None:
        """Write soon."""
        self._changed = not self._over
        if self._changed and self._writing is None:
            self._writing = asyncio.ensure_future(self._write())

    async def written(self) -> None:
        """Wait until everything that was to be remembered is on the disk, or could not be written."""
        while self._writing is not None:
            await asyncio.shield(self._writing)

    async def leave(self) -> None:
        """Write what is still to be written, and let another process have the kernel."""
        await self.written()
        self._over = True
        self._claim.release()

    async def forget(self) -> None:
        """Remove the record: nothing of the launch is left."""
        self._over, self._changed = True, False
        await self.written()
        await in_thread(self._claim.remove)

    async def _write(self) -> None:
        while self._changed:
            self._changed = False
            try:
                await in_thread(record.write, self._claim.directory, self._record())
            except (OSError, HpcctrError) as error:
                log.warning("what is known of a kernel could not be written: %s", error)
        self._writing = None
