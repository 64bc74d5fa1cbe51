"""A launch, as those know it who have a list of them: the hub, and pages behind it."""

from __future__ import annotations

from typing import Protocol

from ..edge.journal import Journal
from .record import Session


class Ownership(Protocol):
    """Which process has a kernel, and its leaving it to others (``handover.Handover``)."""

    @property
    def is_ours(self) -> bool:
        """Whether this process has the kernel: it has neither left it nor given it up."""
        ...

    @property
    def has_record(self) -> bool:
        """Whether the record on disk is this process's. For any thread."""
        ...

    @property
    def session(self) -> Session | None:
        """Jupyter's session of the kernel, None while none is known."""
        ...

    @session.setter
    def session(self, session: Session | None) -> None: ...

    async def leave(self) -> bool:
        """Leave the kernel to the next process; False where there is no record to go on with."""
        ...

    async def give_up(self, by: str) -> None:
        """Let another process have the kernel; ``by`` is what a person calls that."""
        ...


class Listed(Protocol):
    """A launch in a list (``kernel.Launch``). All but ``id`` and ``kernel_id`` is for the edge loop."""

    id: str
    journal: Journal | None
    """What passed between cells and kernel, None where the site wants none."""

    @property
    def kernel_id(self) -> str:
        """Jupyter's id of the kernel, "" where it has none."""
        ...

    @property
    def handover(self) -> Ownership:
        """Which process has it."""
        ...

    async def cancel(self) -> None:
        """End the job, or the way to it, in any state; the notebook stays, is told, and can be restarted."""
        ...

    async def stop(self) -> None:
        """End the job and remove every file."""
        ...

    async def log(self, offset: int, limit: int) -> tuple[str, int]:
        """Return the job's log from a byte offset, and the offset to go on from."""
        ...
