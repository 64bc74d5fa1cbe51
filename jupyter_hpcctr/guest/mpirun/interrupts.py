"""When Ctrl-C may reach the user's code in a rank, and when it must not.

The thread that hears the relay signals the main thread. Between two cells, and while something is written that
must not be torn, the signal does nothing, or waits.
"""

from __future__ import annotations

import signal
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Callable, Optional, TypeVar

    Result = TypeVar("Result")


AGAIN_MS = 50
_STALE_S = 0.5


class Interrupts:
    """Turns a wish to interrupt into one KeyboardInterrupt in the job that it was meant for.

    As a context manager it holds one back in the main thread for as long as the body runs. Made in the main
    thread.
    """

    def __init__(self) -> None:
        self._main = threading.get_ident()
        self._lock = threading.Lock()
        self._expected = self._finished = 0
        self._open = self._wanted = self._late = False
        self._held = 0
        self._stale_until = 0.0

    def install(self) -> None:
        """Take SIGINT; in the main thread."""
        signal.signal(signal.SIGINT, self._on_signal)

    # -- in the courier's thread

    def expect(self) -> None:
        """Note that a job is on its way to the main thread: an interrupt that follows it is for it."""
        with self._lock:
            self._expected += 1

    def ask(self) -> None:
        """Interrupt the job that runs, or the one that is on its way; nothing where there is none."""
        with self._lock:
            self._wanted = self._expected != self._finished
            if self._wanted and self._open:
                signal.pthread_kill(self._main, signal.SIGINT)

    def ask_again(self) -> bool:
        """Repeat what has had no effect yet; return whether there is anything to repeat.

        A signal that comes when the main thread is about to wait in C is seen after the wait.
        """
        with self._lock:
            if self._wanted and self._open:
                self._stale_until = time.monotonic() + _STALE_S
                signal.pthread_kill(self._main, signal.SIGINT)
            return self._wanted

    # -- in the main thread

    def guarded(
        self, work: Callable[[], Result], *, at_once: bool = True
    ) -> tuple[Optional[Result], Optional[KeyboardInterrupt]]:
        """Run a job so that it can be interrupted; return its result, or how it was interrupted.

        Unless ``at_once``, interrupts wait until the job calls ``begin``.
        """
        self.install()  # the cell before may have taken the signal for itself
        result = stopped = None
        try:
            try:
                if at_once:
                    self.begin()
                result = work()
            finally:
                self._open = False
        except KeyboardInterrupt as error:  # one that came at the very end, too
            stopped = error
        self._open = self._late = False
        with self._lock:
            self._finished += 1
            self._wanted = False
        return result, stopped

    def begin(self) -> None:
        """Let interrupts through from here on.

        Raises
        ------
        KeyboardInterrupt
            There was one already.
        """
        with self._lock:
            self._open, wanted, self._wanted = True, self._wanted, False
        if wanted:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        if threading.get_ident() == self._main:
            self._held += 1

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() != self._main:
            return
        self._held -= 1
        if self._late and not self._held:
            self._deliver()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._held:
            self._late = self._open
        elif _is_lost_in(frame):
            self._wanted = self._open  # and is repeated
        else:
            self._deliver()

    def _deliver(self) -> None:
        if not self._open:
            return
        wanted, self._wanted, self._late = self._wanted, False, False
        if wanted or time.monotonic() > self._stale_until:
            raise KeyboardInterrupt


def _is_lost_in(frame: FrameType | None) -> bool:
    """Whether an exception would be: Python ignores those of destructors and of weak references' callbacks."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code.co_filename.endswith(("weakref.py", "_weakrefset.py")):
            return True
        frame = frame.f_back
    return False
