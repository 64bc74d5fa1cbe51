"""What stands behind a front."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol


class Phase(Enum):
    """What stands behind the front."""

    WAITING = "waiting"
    READY = "ready"
    ENDED = "ended"


class Owner(Protocol):
    """Whom the front serves: the launch."""

    def to_kernel(self, channel: str, frames: Sequence[bytes]) -> bool:
        """Pass a client's message to the kernel, in phase READY only; False where there is no room to keep it."""

    def interrupt(self) -> None:
        """A client asked by message to interrupt."""

    def shutdown(self, *, restart: bool) -> bool:
        """A client asked by message to shut down; called in every phase. False where that is not to be passed on."""
