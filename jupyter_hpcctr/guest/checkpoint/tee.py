"""Output that goes to the notebook and to the job's log."""

from __future__ import annotations

import contextlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Tee:
    """A stream that also writes to where its process printed before ipykernel took over."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._log: int = getattr(stream, "_original_stdstream_copy", None) or 2

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
