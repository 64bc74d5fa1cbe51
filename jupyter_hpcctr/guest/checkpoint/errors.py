"""What ``%hpcctr`` raises in the notebook: one sentence, and none of our own frames."""

from __future__ import annotations


class CheckpointError(Exception):
    """A checkpoint cannot be registered, or not be asked about; ``hint`` says what to do, or is None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        first = f"\x1b[0;31m{type(self).__name__}\x1b[0m: {self}"
        return [first, self.hint] if self.hint else [first]


class UsageError(CheckpointError):
    """Words that %hpcctr does not understand. Nothing has been done."""
