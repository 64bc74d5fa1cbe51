"""Moves ipykernel's pipe for the output of forked processes from a TCP port to a socket file.

ipykernel listens on a port of the loopback address for what a process prints that was forked from the
kernel (``IOPubThread``, ``pipe=True``). On a node every user may knock at such a port; a socket file in
the kernel's private directory only its own user can open. An ipykernel that is built otherwise is left
as it is.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PARTS = ("_setup_pipe_in", "_setup_pipe_out", "_handle_pipe_msg")


def keep_to_files(thread: Any, zmq: Any, stream: Any, directory: str) -> bool:
    """Change the class ``ipykernel.iostream.IOPubThread``; return whether it was one that we know."""
    if not all(hasattr(thread, part) for part in _PARTS):
        return False
    for name in os.listdir(directory):
        if name.startswith("forks-"):  # of a kernel that was killed, and was this one before
            os.unlink(f"{directory}/{name}")
    address = f"ipc://{directory}/forks-{os.getpid()}"

    def setup_pipe_in(self: Any) -> None:
        self._pipe_uuid = os.urandom(16)  # the word by which _handle_pipe_msg knows its own forks
        pipe = self.socket.context.socket(zmq.PULL)
        pipe.linger = 0
        pipe.bind(address)
        self._pipe_in = stream(pipe, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def setup_pipe_out(self: Any) -> tuple[Any, Any]:
        context = zmq.Context()  # a fork cannot use its parent's
        pipe = context.socket(zmq.PUSH)
        pipe.linger = 3000
        pipe.connect(address)
        return context, pipe

    thread._setup_pipe_in, thread._setup_pipe_out = setup_pipe_in, setup_pipe_out
    return True
