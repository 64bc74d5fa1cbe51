"""bubblewrap's bwrap(1): unprivileged user and mount namespaces; squashfuse(1) serves a SquashFS file."""

from __future__ import annotations

from ..enginekit import checks, words
from ..protocol.container import Container, EngineCommand, ImageKind, NodeFacts, Program


class Bubblewrap:
    """Runs SquashFS files and unpacked directories, with the node's network, process ids, ``/dev`` and ``/tmp``."""

    name = "bubblewrap"
    accepts: tuple[ImageKind, ...] = ("squashfs", "directory")
    shares = True

    def check(self, container: Container) -> None:
        """Refuse a kind, a path or a mount that it cannot write down; raises ``EngineError``."""
        checks.all_of(container, self)

    def start(self, container: Container, program: Program, node: NodeFacts) -> EngineCommand:
        """Run a program; ``--die-with-parent`` ends it with the command."""
        binds = [
            word
            for mount in (*words.HOST_MOUNTS, *container.mounts)
            for word in ("--ro-bind" if mount.read_only else "--bind", mount.source, mount.target)
        ]
        own = ("bwrap", "--die-with-parent", "--ro-bind", words.root(container), "/", "--dev-bind", "/dev", "/dev")
        argv = (*own, *binds, "--chdir", container.workdir, "--", *program.argv)
        return words.served(container, program, node, argv)

    def enter(self, container: Container, pid: str, program: Program, node: NodeFacts) -> EngineCommand:
        """Enter the namespaces of the parked process, by the kernel's own calls."""
        return words.entering(container, pid, program, node)

    def remove(self, container: Container, node: NodeFacts) -> EngineCommand | None:
        """Nothing stays: the mounts are in a namespace of their own."""
        return None
