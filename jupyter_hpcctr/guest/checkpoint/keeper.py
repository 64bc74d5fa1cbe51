"""Keeps what is registered in this kernel, and runs it when the agent says so.

It runs in the main thread, between two bytecodes of whatever runs there, by a handler of SIGURG: that signal ends no
process that has no handler for it, and libraries use SIGUSR1 and SIGUSR2. A waiting system call returns for it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback

from . import code, words
from .conversation import Conversation
from .errors import CheckpointError
from .tee import Tee

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

SIGNAL = signal.SIGURG


class Keeper:
    """One for a kernel; all but ``_due`` is for the main thread.

    Parameters
    ----------
    path : str
        The agent's socket file.
    log : int
        File descriptor of the job's log.
    """

    def __init__(self, path: str, log: int) -> None:
        if not os.path.exists(path):
            raise CheckpointError("the agent of this kernel is gone", "Restart the kernel.")
        self.name, self.restore = "", ""
        self._run: Optional[Callable[[], Any]] = None
        self._due = self._runs = False
        self._before: Any = None
        self._log = log
        self._agent = Conversation(path, self._call)
        self._agent.start()

    def register(self, run: Callable[[], Any], name: str, before_s: Optional[float]) -> dict[str, Any]:
        """Run this before the end; return what the agent knows of it.

        Raises
        ------
        CheckpointError
            This is not the main thread, or the agent does not answer.
        """
        if threading.current_thread() is not threading.main_thread():
            raise CheckpointError("a checkpoint can be registered from the main thread alone")
        before = signal.signal(SIGNAL, self._on_signal)
        self._before = self._before if before == self._on_signal else before
        self._run, self.name = run, name
        return self._agent.ask(op="register", before_s=before_s)

    def clear(self) -> dict[str, Any]:
        """Run nothing."""
        self._run, self.name = None, ""
        return self._agent.ask(op="clear")

    def remember(self, code: str) -> dict[str, Any]:
        """Have this run first in the next job, "" for nothing."""
        self.restore = code
        return self._agent.ask(op="restore", code=code)

    def status(self) -> dict[str, Any]:
        """Return what the agent knows."""
        return self._agent.ask(op="status")

    # -- running it

    def _call(self) -> None:
        # In the conversation's thread. The signal is sent to the main thread, so that what it waits for returns.
        self._due = True
        signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)

    def _on_signal(self, signum: int, frame: Any) -> None:
        if self._due and not self._runs:
            self._due = False
            self._perform()
        elif callable(self._before):
            self._before(signum, frame)

    def _perform(self) -> None:
        if self._run is None:
            return
        self._agent.say(op="running")
        self._runs, began = True, time.monotonic()
        streams, interrupts = (sys.stdout, sys.stderr), signal.getsignal(signal.SIGINT)
        sys.stdout, sys.stderr = Tee(streams[0], self._log), Tee(streams[1], self._log)
        if interrupts == signal.SIG_IGN:  # no cell runs
            signal.signal(signal.SIGINT, signal.default_int_handler)
        error, interrupted = "", None
        try:
            words.say(words.begins(self.name))
            self._run()
        except KeyboardInterrupt as interrupt:
            error, interrupted = "it was interrupted", interrupt
        except BaseException as failure:  # also of exit(): the cell goes on
            error = words.of_error(failure)
            traceback.print_exception(type(failure), failure, code.frames(failure))
        finally:
            if interrupts == signal.SIG_IGN:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            words.say(words.ends(error, time.monotonic() - began))
            sys.stdout, sys.stderr = streams
            self._runs = False
            self._agent.say(op="ran", error=error)
        if interrupted is not None and interrupts != signal.SIG_IGN:  # it is for the running cell as well
            raise interrupted
