"""No container: the kernel runs on the node as it is."""

from __future__ import annotations

from ..errors import EngineError
from ..protocol.container import Container, EngineCommand, ImageKind, NodeFacts, Program


class Bare:
    """Runs programs as they are; the agent gives them their environment and work directory."""

    name = "bare"
    accepts: tuple[ImageKind, ...] = ("none",)
    shares = True  # every process of a node is in the same namespaces already

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

    def start(self, container: Container, program: Program, node: NodeFacts) -> EngineCommand:
        """Return the program itself."""
        return EngineCommand(program.argv)

    def enter(self, container: Container, pid: str, program: Program, node: NodeFacts) -> EngineCommand:
        """Return the program itself."""
        return EngineCommand(program.argv)

    def remove(self, container: Container, node: NodeFacts) -> EngineCommand | None:
        """Nothing stays."""
        return None
