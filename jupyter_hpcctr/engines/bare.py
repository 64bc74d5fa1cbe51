"""No container: the kernel runs on the node as it is."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.plan import Container
from ..errors import EngineError
from ..protocol.shared import EngineCommand, ImageKind


class Bare:
    """Runs programs as they are; the agent gives them their environment and work directory."""

    name = "bare"
    accepts: tuple[ImageKind, ...] = ("none",)

    def check(self, container: Container) -> None:
        """Refuse an image and mounts.

        Raises
        ------
        EngineError
            There is something to run in, or to be seen in it.
        """
        if container.kind not in self.accepts:
            raise EngineError("the engine 'bare' runs no image", hint="leave the image out, or choose another engine")
        if container.mounts:
            raise EngineError(
                f"the engine 'bare' cannot show {container.mounts[0].source} as {container.mounts[0].target}",
                hint="leave the mounts out: a bare kernel sees the node's own directories",
            )

    def hold(self, container: Container, argv: Sequence[str]) -> EngineCommand:
        """Return the parked program: every process of a node is in the same namespaces already."""
        return EngineCommand(tuple(argv))

    def join(self, container: Container, holder_pid: str, argv: Sequence[str]) -> EngineCommand | None:
        """Return the program itself."""
        return EngineCommand(tuple(argv))

    def command(self, container: Container, argv: Sequence[str]) -> EngineCommand:
        """Return the program itself."""
        return EngineCommand(tuple(argv))
