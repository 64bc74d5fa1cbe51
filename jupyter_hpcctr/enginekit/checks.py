"""What an engine refuses before anything is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..errors import EngineError
from ..protocol.container import Container, ImageKind, Mount


class Named(Protocol):
    """What is asked here of an engine."""

    name: str
    accepts: tuple[ImageKind, ...]


def all_of(container: Container, engine: Named) -> None:
    """Refuse what no engine can do; raises ``EngineError``, as all of these do."""
    kind(container, engine)
    paths(container)
    targets(container)


def kind(container: Container, engine: Named) -> None:
    """Refuse an image of a kind that the engine does not run."""
    if container.kind not in engine.accepts:
        raise EngineError(
            f"the engine {engine.name!r} runs no {container.kind!r}", hint=f"it runs: {', '.join(engine.accepts)}"
        )


def paths(container: Container) -> None:
    """Refuse what is not an absolute path."""
    own = (container.image, container.workdir, container.scratch)
    for path in (*own, *(each for mount in container.mounts for each in (mount.source, mount.target))):
        if not path.startswith("/") or "\0" in path:
            raise EngineError(f"{path!r} is not an absolute path", hint="write it out from the root")


def targets(container: Container) -> None:
    """Refuse two mounts at one place, and one over everything."""
    seen: Sequence[str] = [mount.target.rstrip("/") for mount in container.mounts]
    for target in seen:
        if not target:
            raise EngineError("nothing can be mounted over the root directory", hint="mount it below /mnt")
        if seen.count(target) > 1:
            raise EngineError(f"two directories are to be mounted at {target!r}", hint="mount one of them elsewhere")


def no_colon(mount: Mount, program: str) -> None:
    """Refuse a path with a colon, for programs that write mounts as ``SOURCE:TARGET``."""
    for path in (mount.source, mount.target):
        if ":" in path:
            raise EngineError(
                f"{program} cannot mount a path with a colon: {path!r}", hint="rename it, or mount its parent"
            )
