"""The host side's door to other programs: each child leads a session of its own and is ended as a group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

_running: list[Child] = []


class Child:
    """A program that the agent, or the ranks' hub, started.

    Its output goes where its parent's goes, unless ``output`` is a file descriptor for it or ``log`` names a file.
    ``text`` is what it reads from its standard input; nothing without. It inherits the file descriptors ``fds``.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        log: str | None = None,
        output: int | None = None,
        text: str | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        self.pid_file = ""
        """Names the process that signals are for, where they do not reach it by our group; it leads one of its own."""
        opened = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        out = output if opened is None else opened
        stdin = subprocess.DEVNULL if text is None else subprocess.PIPE
        try:
            self._process = subprocess.Popen(  # noqa: S603
                list(words),
                stdin=stdin,
                stdout=out,
                stderr=out,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                pass_fds=fds,
            )
        finally:
            if opened is not None:
                os.close(opened)
        _running[:] = [each for each in _running if each.code is None]
        _running.append(self)
        if self._process.stdin is not None and text is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin_:
                stdin_.write(text.encode())

    @property
    def pid(self) -> int:
        """The process id, which is its group's and its session's too."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit status, minus the signal's number where one ended it, None while it runs."""
        return self._process.poll()

    def signal(self, signum: int) -> None:
        """Send a signal to the whole group; none left is no error."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)
        with contextlib.suppress(OSError, ValueError):  # not there yet, or gone
            if self.pid_file:
                with open(self.pid_file, encoding="ascii") as file:
                    os.killpg(int(file.read()), signum)

    def ended(self, *, patience_s: float) -> bool:
        """Wait ``patience_s`` seconds at most for its end; return whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        return self.code is not None

    def end(self, *, patience_s: float) -> None:
        """End the whole group: SIGTERM, and SIGKILL for what is left after ``patience_s`` seconds."""
        if patience_s > 0 and self._process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
        self.signal(signal.SIGKILL)
        self._process.wait()


def running() -> set[int]:
    """Return the process ids of all ``Child`` that nobody has taken leave of; other children were adopted."""
    return {each.pid for each in _running}
