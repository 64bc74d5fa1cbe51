"""What the flows need of whoever resumes them: a word to the kernel, its interrupts, and work behind its requests."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

Flow = Generator[None, None, dict[str, Any]]
"""A request under way: resumed after each turn of the hub's loop, it yields where it has to wait."""


class Conversation(Protocol):
    """The kernel's request under way; the hub is one."""

    interrupts: int
    """How often the kernel was interrupted since the request came."""

    @property
    def busy_behind(self) -> bool:
        """Whether something is still being done behind the requests."""
        ...

    def behind(self, flow: Flow) -> None:
        """Go on with a flow after its request has been answered."""
        ...

    def say(self, event: str, **what: Any) -> None:
        """Tell the kernel something about its request."""
        ...

    def notice(self, text: str, *, level: str = "info", fleeting: bool = False) -> None:
        """Have a line shown."""
        ...
