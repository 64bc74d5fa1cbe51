"""Charliecloud's ch-run(1): unprivileged user and mount namespaces, nothing to be set up by root.

What it gives is what it cannot be told not to give: the host's network, ``/dev``, ``/tmp`` and process
ids, the user's own uid, a read-only root, and ``no_new_privs``. It needs ``USER`` in its own environment.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.plan import Container
from ..core.request import Mount
from ..errors import EngineError
from ..protocol.shared import EngineCommand, ImageKind
from ..protocol.words import MOUNTS, SOURCE, TARGET


class Charliecloud:
    """Runs SquashFS files, which ch-run mounts and serves itself by FUSE, and unpacked directories."""

    name = "charliecloud"
    accepts: tuple[ImageKind, ...] = ("squashfs", "directory")

    def check(self, container: Container) -> None:
        """Refuse what ch-run 0.31 has no words for.

        Raises
        ------
        EngineError
            A kind, a path or a mount that it would misunderstand.
        """
        if container.kind not in self.accepts:
            raise EngineError(f"ch-run runs no {container.kind!r}", hint="flatten the image to a SquashFS file")
        places = (container.image, container.workdir, container.env_file, container.mount_point)
        for path in (*places, *(p for m in container.mounts for p in (m.source, m.target))):
            if not path.startswith("/") or "\0" in path:
                raise EngineError(f"{path!r} is not an absolute path", hint="write it out from the root")
        if "=" in container.env_file:  # ch-run(1) --set-env: with '=' it is an assignment, not a file
            raise EngineError(
                f"ch-run cannot read an environment file with '=' in its path: {container.env_file!r}",
                hint="choose a run directory without '='",
            )
        for mount in container.mounts:
            _check_mount(mount)
        targets = [mount.target.rstrip("/") for mount in container.mounts]
        for target in targets:
            if targets.count(target) > 1:
                raise EngineError(
                    f"two directories are to be mounted at {target!r}", hint="mount one of them elsewhere"
                )

    def hold(self, container: Container, argv: Sequence[str]) -> EngineCommand:
        """Park a program. For a SquashFS file the command is its parent and serves the mount."""
        return self.command(container, argv)

    def join(self, container: Container, holder_pid: str, argv: Sequence[str]) -> EngineCommand | None:
        """Enter the namespaces of the parked process; the image is only looked at, not mounted again."""
        # A rank's launcher hands on all of its environment, and the other commands are given none of it.
        words = (*_program(container), f"--join-pid={holder_pid}", container.image, "--", *argv)
        return EngineCommand(("env", "--unset=TMPDIR", *words), reads_env_file=True)

    def command(self, container: Container, argv: Sequence[str]) -> EngineCommand:
        """Run a program in a container of its own."""
        mount = (f"--mount={container.mount_point}",) if container.kind == "squashfs" else ()
        binds = tuple(f"--bind={m.source}:{m.target}" for m in container.mounts)
        words = (*_program(container), *mount, *binds)
        if not container.devices:
            return EngineCommand((*words, container.image, "--", *argv), reads_env_file=True)
        with_devices = (*words, MOUNTS, container.image, "--", *argv)
        return EngineCommand(with_devices, reads_env_file=True, mount=(f"--bind={SOURCE}:{TARGET}",))


def _program(container: Container) -> tuple[str, ...]:
    # TMPDIR decides which directory of the host becomes /tmp (ch-run(1), "--private-tmp"): it is not set here. ch-run
    # is the first word, so that a node without it can say so. The options of the environment take effect in their
    # order: first nothing, then the file's values as they are.
    return (
        "ch-run",
        "--unset-env=*",
        "--env-no-expand",
        f"--set-env={container.env_file}",
        f"--cd={container.workdir}",
    )


def _check_mount(mount: Mount) -> None:
    if mount.read_only:
        raise EngineError(
            f"ch-run cannot mount {mount.source} read-only", hint="leave ':ro' out, or choose another engine"
        )
    for path in (mount.source, mount.target):
        if ":" in path:  # ch-run(1) --bind=SRC:DST, without any quoting
            raise EngineError(
                f"ch-run cannot mount a path with a colon: {path!r}", hint="rename it, or mount its parent"
            )
    if not mount.target.strip("/"):
        raise EngineError("ch-run cannot mount over the root directory", hint="mount it below /mnt")
