"""From one process to another: a launch's record, going on with it, and leaving it to others. In the edge loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ..core.life import events as on
from ..core.life.state import Mode
from .driver import Driver
from .gather import translated
from .hub import Hub
from .jobs import Jobs
from .keeper import Claim, Keeper, claimed
from .record import Record, Session

LEFT = (Mode.GONE, Mode.DETACHED)


class Closed(Protocol):
    """A file of the kernel's directory."""

    def close(self) -> None:
        """Write no more."""


class Handover:
    """One launch's. ``record`` returns its record as it is now; without a kernel's id there is none on disk.

    ``was`` is the record of a process that is gone, ``beside`` are the files that are kept with the record.
    """

    def __init__(
        self,
        driver: Driver,
        jobs: Jobs,
        record: Callable[[], Record],
        was: Record | None,
        beside: Sequence[Closed | None],
        hub: Hub,
    ) -> None:
        self._driver, self._jobs, self._record, self._beside = driver, jobs, record, beside
        self._hub = hub
        self._session = None if was is None else was.session
        self._keeper: Keeper | None = None

    @property
    def session(self) -> Session | None:
        """Jupyter's session of the kernel, None while none is known; set by the server's extension."""
        return self._session

    @session.setter
    def session(self, session: Session | None) -> None:
        if session != self._session:
            self._session = session
            self.remember()

    @property
    def is_ours(self) -> bool:
        """Whether this process has the kernel: it has neither left it nor given it up."""
        return self._driver.life.mode not in (*LEFT, Mode.TAKEN)

    @property
    def is_leaving(self) -> bool:
        """Whether this process is about to leave the kernel: Jupyter asks for its end then, and must not get it."""
        return self._hub.leaving and self._keeper is not None

    @property
    def has_record(self) -> bool:
        """Whether the record on disk is this process's, also of a kernel that it is still ending. For any thread."""
        return self._keeper is not None and self._keeper.is_held

    async def keep(self, state_dir: str, kernel_id: str) -> None:
        """Keep a record from now on, where the kernel has an id.

        Raises
        ------
        KernelOwned
            Another process has a kernel with this id.
        OSError, UnsafePath
            Its directory cannot be made.
        """
        if kernel_id:
            self._keeper = Keeper(await claimed(state_dir, kernel_id), self._record)

    async def go_on(self, was: Record, claim: Claim) -> None:
        """Go on with a launch whose process is gone.

        Raises
        ------
        HpcctrError
            Its agents cannot be told where to dial. It is still there for others.
        """
        try:
            with translated():
                await self._jobs.restore(was.jobs)
        except BaseException:
            claim.release()
            raise
        self._keeper = Keeper(claim, self._record)
        self._driver.tell(on.Adopt(was.life))

    async def leave(self) -> bool:
        """Leave the kernel to the next process that goes on with its record; False where there is none to keep."""
        if self._keeper is None:
            return False
        self._driver.tell(on.Detach())
        await self._driver.until(lambda life: life.mode in (*LEFT, Mode.STOPPING))
        if self._driver.life.mode is not Mode.DETACHED:
            return False
        await self._jobs.announce_absence()
        self._close()
        await self._keeper.leave()
        return True

    async def give_up(self, by: str) -> None:
        """Let another process have the kernel; ``by`` is what a person calls that. The notebook is told."""
        self._close()  # cells end here, for the pages of this process alone: they go on there
        self._driver.tell(on.TakenOver(by))
        await self._driver.until(lambda life: life.mode in (*LEFT, Mode.TAKEN))
        if self._keeper is not None:
            await self._keeper.leave()

    def _close(self) -> None:
        for each in self._beside:
            if each is not None:
                each.close()

    def remember(self, *, before_submission: bool = False) -> Awaitable[None] | None:
        """Write the record; return what is to be waited for before a job is submitted."""
        if self._keeper is None:
            return None
        self._keeper.remember()
        return self._keeper.written() if before_submission else None

    def forget(self) -> Awaitable[None] | None:
        """Remove the record, with what is kept beside it: nothing of the launch is left."""
        self._close()
        return None if self._keeper is None else self._keeper.forget()
