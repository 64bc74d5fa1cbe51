"""The thread that speaks with the agent, whatever the kernel's main thread does."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import threading

from .errors import CheckpointError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque

ANSWER_S = 20.0
_OF_MAIN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGURG, signal.SIGALRM)


class Conversation(threading.Thread):
    """Sends what the main thread says, and hands over the answers.

    Parameters
    ----------
    path : str
        The agent's socket file.
    run : callable
        Called in this thread when the checkpoint is to run; it does not wait.
    """

    def __init__(self, path: str, run: Callable[[], None]) -> None:
        super().__init__(name="hpcctr-checkpoint", daemon=True)
        self._path, self._run = path, run
        self._out: Deque[bytes] = collections.deque()
        self._awake, self._wake = os.pipe()
        for descriptor in (self._awake, self._wake):
            os.set_blocking(descriptor, False)
        self._answers: dict[int, dict[str, Any]] = {}
        self._answered = threading.Condition()
        self._asked = 0

    def say(self, **message: Any) -> None:
        """Send a message. Nothing here can be waited for: a signal handler calls it."""
        self._out.append(json.dumps(message).encode())
        with contextlib.suppress(BlockingIOError):  # it has been woken often enough
            os.write(self._wake, b"\0")

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a message and return the answer.

        Raises
        ------
        CheckpointError
            The agent does not answer.
        """
        self._asked += 1
        number = self._asked
        self.say(**message, id=number)
        with self._answered:
            if not self._answered.wait_for(lambda: number in self._answers, ANSWER_S):
                hint = "The node may be overloaded: run the cell again, or restart the kernel."
                raise CheckpointError(f"the agent of this kernel has not answered in {ANSWER_S:g} s", hint)
            return self._answers.pop(number)

    def run(self) -> None:
        """Send and receive until the process ends."""
        import zmq

        signal.pthread_sigmask(signal.SIG_BLOCK, _OF_MAIN)
        socket = zmq.Context().socket(zmq.DEALER)
        socket.linger = 0
        socket.connect(f"ipc://{self._path}")
        poller = zmq.Poller()
        for each in (socket, self._awake):
            poller.register(each, zmq.POLLIN)
        while True:
            events = dict(poller.poll())
            if self._awake in events:
                os.read(self._awake, 4096)
            while self._out:
                socket.send(self._out.popleft())
            if socket in events:
                self._hear(json.loads(socket.recv()))

    def _hear(self, said: dict[str, Any]) -> None:
        if said.get("op") == "run":
            self._run()
            return
        with self._answered:
            self._answers[said["id"]] = said
            self._answered.notify_all()
