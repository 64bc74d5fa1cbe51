"""What a distributed cell raises in the notebook: one sentence, and none of our own frames."""

from __future__ import annotations

RED, PLAIN = "\x1b[0;31m", "\x1b[0m"


class MpirunError(Exception):
    """Something about the ranks did not work; ``hint`` says what to do, or is None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        return _rendered(self, [self.hint] if self.hint else [])


class MpirunUsageError(MpirunError):
    """Words that %mpirun does not understand. Nothing has been done."""


class RankError(MpirunError):
    """A rank failed, whose traceback has been shown before."""


class RankTimeoutError(MpirunError):
    """The time limit of the cell was reached."""


class RefusedError(MpirunError):
    """The ranks cannot do what was asked; nothing has been done."""


class HubGoneError(MpirunError):
    """The process that looks after the ranks has ended."""


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted, and the ranks with it; ``hint`` says what became of them, or is None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def _render_traceback_(self) -> list[str]:
        return _rendered(self, [self.hint] if self.hint else [])


Interrupted.__name__ = "KeyboardInterrupt"  # what front ends look for

_KINDS: dict[str, type[MpirunError]] = {"timeout": RankTimeoutError, "refused": RefusedError}


def of_end(status: str, etype: str | None, message: str, hint: str | None) -> BaseException:
    """Return what to raise for a request that ended with ``status``; ``etype`` names it, if not None."""
    if status == "interrupted":
        return Interrupted(message, hint)
    kind = _KINDS.get(status, RankError)
    if etype and etype.isidentifier() and etype != kind.__name__:
        kind = type(etype, (kind,), {"__module__": __name__})
    return kind(message, hint)


def _rendered(error: BaseException, more: list[str]) -> list[str]:
    return [f"{RED}{type(error).__name__}{PLAIN}: {error}", *more]
