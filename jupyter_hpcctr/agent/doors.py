"""The kernel's doors to the agent, each a socket file in its directory: one to its ranks, one for its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import zmq

from ..protocol.values import AgentFile
from .checkpoint import Checkpoint
from .children import Child
from .ranks import Ranks


class Doors:
    """All doors at once. ``output`` is what programs print into, ``tell`` tells the server."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        config: AgentFile,
        output: int,
        tell: Callable[..., None],
    ) -> None:
        self.ranks = Ranks(context, config.plan, output)
        self.checkpoint = Checkpoint(context, config.plan, config.checkpoint_seconds, tell)

    @property
    def haste_ms(self) -> int | None:
        """After how long to be called again, None where there is no hurry."""
        return self.ranks.haste_ms

    def register(self, poller: zmq.Poller) -> None:
        """Let a poller wait for what is said at the doors."""
        for each in (self.ranks.socket, self.checkpoint.socket):
            poller.register(each, zmq.POLLIN)

    def open(self, image_env: Mapping[str, str]) -> None:
        """Open them; the kernel's directory is there now. Ranks get ``image_env`` where their job says nothing."""
        self.ranks.open(image_env)
        self.checkpoint.open()

    def turn(self, *, kernel: Child | None, holder_pid: str) -> None:
        """Hear what is asked, and see to it."""
        self.ranks.turn(kernel=kernel, holder_pid=holder_pid)
        self.checkpoint.turn()

    def end(self) -> None:
        """The kernel has ended."""
        self.ranks.end()
        self.checkpoint.end()

    def close(self) -> None:
        """Shut them."""
        self.ranks.close()
        self.checkpoint.close()
