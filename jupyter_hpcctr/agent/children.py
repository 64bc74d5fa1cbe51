"""The agent's door to other programs: each child leads a session of its own and is ended as a group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence


class Child:
    """A program that the agent started; its output goes where the agent's goes: into the job's log."""

    def __init__(self, words: Sequence[str], *, env: Mapping[str, str], cwd: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            list(words), stdin=subprocess.DEVNULL, env=dict(env), cwd=cwd, start_new_session=True
        )

    @property
    def code(self) -> int | None:
        """Exit status, minus the signal's number where one ended it, None while it runs."""
        return self._process.poll()

    def signal(self, signum: int) -> None:
        """Send a signal to the whole group; none left is no error."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)

    def end(self, *, patience_s: float) -> None:
        """End the whole group: SIGTERM, and SIGKILL for what is left after ``patience_s`` seconds."""
        if patience_s > 0 and self._process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
        self.signal(signal.SIGKILL)
        self._process.wait()
