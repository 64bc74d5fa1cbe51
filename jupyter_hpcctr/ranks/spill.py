"""Where a rank prints more in a cell than a notebook can hold: the whole text goes to a file, which is named."""

from __future__ import annotations

import contextlib
import os
from typing import TextIO


class Spill:
    """The text of one rank in one cell: ``limit`` characters are shown, all of it is kept where there is more."""

    def __init__(self, directory: str, name: str, limit: int) -> None:
        self._directory, self._path, self._left = directory, f"{directory}/{name}", limit
        self._shown: list[str] = []
        self._file: TextIO | None = None
        self._size = 0
        self._error = ""

    def take(self, text: str) -> str:
        """Return the part that is to be shown."""
        if self._left > 0 and len(text) <= self._left:
            self._left -= len(text)
            self._shown.append(text)
            return text
        shown, self._left = text[: self._left], 0
        self._keep(text)
        return shown

    def _keep(self, text: str) -> None:
        if self._error:
            return
        try:
            if self._file is None:
                self._open()
            if self._file is not None:
                self._file.write(text)
                self._size += len(text)
        except OSError as error:
            self._error = f"{error.strerror}: the rest was dropped"

    def _open(self) -> None:
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace")
        for earlier in self._shown:
            self._file.write(earlier)
            self._size += len(earlier)
        self._shown.clear()

    def close(self) -> tuple[str, int, str] | None:
        """Return (path, characters, error or "") where there was too much, else None."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._error = self._error or str(error.strerror)
        return (self._path, self._size, self._error) if self._size or self._error else None
