"""When Ctrl-C may reach the user's code in a rank, and when it must not.

The thread that hears the relay signals the main thread. Between two cells, and while something is written that
must not be torn, the signal does nothing, or waits.
"""

from __future__ import annotations

import signal
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Callable, Optional, TypeVar

    Result = TypeVar("Result")


class Interrupts:
    """Turns a wish to interrupt into a KeyboardInterrupt in the job that it was meant for.

    As a context manager it holds one back in the main thread for as long as the body runs. Made in the main
    thread.
    """

    def __init__(self) -> None:
        self._main = threading.get_ident()
        self._lock = threading.Lock()
        self._expected = self._finished = 0
        self._open = self._early = self._late = False
        self._held = 0

    def install(self) -> None:
        """Take SIGINT; in the main thread."""
        signal.signal(signal.SIGINT, self._on_signal)

    def expect(self) -> None:
        """Note that a job is on its way to the main thread: an interrupt that follows it is for it."""
        with self._lock:
            self._expected += 1

    def ask(self) -> None:
        """Interrupt the job that runs, or the one that is on its way; nothing where there is none."""
        with self._lock:
            if self._open:
                signal.pthread_kill(self._main, signal.SIGINT)
            elif self._expected != self._finished:
                self._early = True

    def guarded(self, work: Callable[[], Result]) -> tuple[Optional[Result], Optional[KeyboardInterrupt]]:
        """Run a job so that it can be interrupted; return its result, or how it was interrupted."""
        self.install()  # the cell before may have taken the signal for itself
        result = stopped = None
        try:
            try:
                self._begin()
                result = work()
            finally:
                self._open = False
        except KeyboardInterrupt as error:  # one that came at the very end, too
            stopped = error
        self._open = self._late = False
        with self._lock:
            self._finished += 1
            self._early = False
        return result, stopped

    def _begin(self) -> None:
        with self._lock:
            self._open, early, self._early = True, self._early, False
        if early:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        if threading.get_ident() == self._main:
            self._held += 1

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() != self._main:
            return
        self._held -= 1
        if self._late and not self._held:
            self._late = False
            if self._open:
                raise KeyboardInterrupt

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._open and not self._held:
            raise KeyboardInterrupt
        self._late = self._open
