"""crun(1) on an OCI bundle: no daemon, no image store, no control groups; squashfuse(1) serves a SquashFS file."""

from __future__ import annotations

import json

from ..enginekit import bundle, checks, words
from ..protocol.container import Container, EngineCommand, ImageKind, NodeFacts, Program


class Crun:
    """Runs SquashFS files and unpacked directories as OCI runtime-spec bundles, with the user's own id inside."""

    name = "crun"
    accepts: tuple[ImageKind, ...] = ("squashfs", "directory")
    shares = True

    def check(self, container: Container) -> None:
        """Refuse a kind, a path or a mount that it cannot write down; raises ``EngineError``."""
        checks.all_of(container, self)

    def start(self, container: Container, program: Program, node: NodeFacts) -> EngineCommand:
        """Run a program; the parked one ends with crun, which is its parent."""
        place = f"{container.scratch}/bundle"
        config = json.dumps(bundle.config(container, program, node))
        own = ("crun", f"--root={container.scratch}/state", "--cgroup-manager=disabled")
        argv = (*own, "run", f"--bundle={place}", container.name)
        # crun refuses a node with both versions of control groups, although it is to use none.
        return words.served(
            container, program, node, argv, files={f"{place}/config.json": config}, hide=node.cgroups == "hybrid"
        )

    def enter(self, container: Container, pid: str, program: Program, node: NodeFacts) -> EngineCommand:
        """Enter the namespaces of the parked process, by the kernel's own calls."""
        return words.entering(container, pid, program, node)

    def remove(self, container: Container, node: NodeFacts) -> EngineCommand | None:
        """Nothing stays but crun's notes, which are in the container's own directory."""
        return None
