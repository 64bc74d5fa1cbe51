"""Output that goes to the notebook and to the job's log."""

from __future__ import annotations

import contextlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def log_of(stderr: Any) -> int:
    """Return where a process printed before ipykernel put a stream of its own, ``stderr``, in the way."""
    return getattr(stderr, "_original_stdstream_copy", None) or 2


class Tee:
    """A stream that writes to the file descriptor ``log`` as well."""

    def __init__(self, stream: Any, log: int) -> None:
        self._stream, self._log = stream, log

    def write(self, text: str) -> int:
        """Write to both; nobody is held up by a log that cannot be written."""
        self._stream.write(text)
        with contextlib.suppress(OSError):
            os.write(self._log, text.encode(errors="replace"))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
