"""Words that engines have in common: an image served for a command, and entering a container's namespaces."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.container import Container, EngineCommand, Mount, NodeFacts, Program

HOST_MOUNTS = (
    Mount("/proc", "/proc"),
    Mount("/sys", "/sys", read_only=True),
    Mount("/tmp", "/tmp"),  # noqa: S108
)
"""What every engine shows of the node besides ``/dev``."""


def root(container: Container) -> str:
    """Return the directory with the image's files, where ``served`` runs its command."""
    return f"{container.scratch}/root" if container.kind == "squashfs" else container.image


def served(
    container: Container,
    program: Program,
    node: NodeFacts,
    argv: tuple[str, ...],
    *,
    files: Mapping[str, str] | None = None,
    hide: bool = False,
) -> EngineCommand:
    """Return what runs an engine's own words with the program's environment, and with a SquashFS file mounted.

    The file is mounted at ``root(container)`` by squashfuse(1), in a user and a mount namespace of their own; who the
    user is stays as it is. ``hide`` covers the node's control groups. ``files`` are those of the command.
    """
    image, options = container.image if container.kind == "squashfs" else "", ("--hide-cgroups",) if hide else ()
    script = (node.python, "-S", "-E", f"{node.scripts}/serve.py", *options)
    return EngineCommand((*script, program.env_file, image, root(container), *argv), "quoted", files or {})


def entering(container: Container, pid: str, program: Program, node: NodeFacts) -> EngineCommand:
    """Return what runs a program in all namespaces of a process of this user's, without the engine's own programs."""
    script = (node.python, "-S", "-E", f"{node.scripts}/spaces.py", pid, program.env_file, container.workdir)
    return EngineCommand((*script, *program.argv), "quoted")
