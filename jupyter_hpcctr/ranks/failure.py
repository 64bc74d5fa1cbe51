"""What goes wrong with ranks, for people: a kind, a sentence, and what to do."""

from __future__ import annotations


class RankError(Exception):
    """A request that cannot be carried out; the notebook shows it under the name ``etype``."""

    def __init__(self, etype: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.etype, self.hint = etype, hint
