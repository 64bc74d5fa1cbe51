"""Charliecloud's ch-run(1): unprivileged user and mount namespaces, nothing to be set up by root.

What it gives is what it cannot be told not to give: the host's network, ``/dev``, ``/tmp`` and process
ids, the user's own uid, a read-only root, and ``no_new_privs``. It needs ``USER`` in its own environment.
"""

from __future__ import annotations

from ..enginekit import checks
from ..errors import EngineError
from ..protocol.container import Container, EngineCommand, ImageKind, NodeFacts, Program


class Charliecloud:
    """Runs SquashFS files, which ch-run mounts and serves itself by FUSE, and unpacked directories."""

    name = "charliecloud"
    accepts: tuple[ImageKind, ...] = ("squashfs", "directory")
    shares = True

    def check(self, container: Container) -> None:
        """Refuse what ch-run 0.31 has no words for.

        Raises
        ------
        EngineError
            A kind, a path or a mount that it would misunderstand.
        """
        checks.all_of(container, self)
        if "=" in container.scratch:  # ch-run(1) --set-env: with '=' it is an assignment, not a file
            raise EngineError(
                f"ch-run cannot read an environment file with '=' in its path: {container.scratch!r}",
                hint="choose a run directory without '='",
            )
        for mount in container.mounts:
            checks.no_colon(mount, "ch-run")  # ch-run(1) --bind=SRC:DST, without any quoting
            if mount.read_only:
                raise EngineError(
                    f"ch-run cannot mount {mount.source} read-only", hint="leave ':ro' out, or choose another engine"
                )

    def start(self, container: Container, program: Program, node: NodeFacts) -> EngineCommand:
        """Run a program. For a SquashFS file the command is its parent and serves the mount."""
        mount = (f"--mount={container.scratch}",) if container.kind == "squashfs" else ()
        binds = tuple(f"--bind={each.source}:{each.target}" for each in container.mounts)
        return _ch_run(container, program, (*mount, *binds))

    def enter(self, container: Container, pid: str, program: Program, node: NodeFacts) -> EngineCommand:
        """Enter the namespaces of the parked process; the image is only looked at, not mounted again."""
        return _ch_run(container, program, (f"--join-pid={pid}",))

    def remove(self, container: Container, node: NodeFacts) -> EngineCommand | None:
        """Nothing stays: the mount is in a namespace of its own."""
        return None


def _ch_run(container: Container, program: Program, options: tuple[str, ...]) -> EngineCommand:
    # The options of the environment take effect in their order: first nothing, then the file's values as they are.
    environment = ("--unset-env=*", "--env-no-expand", f"--set-env={program.env_file}")
    words = ("ch-run", *environment, f"--cd={container.workdir}", *options, container.image, "--", *program.argv)
    return EngineCommand(words, "quoted")
