"""Hands on to the kernel what ranks print and show, gathered for a moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .conversation import Conversation

TOGETHER_S = 0.03


class Output:
    """Keeps text for at most ``TOGETHER_S``; whatever else is said comes after the text before it."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._items: list[list[Any]] = []
        self._last = 0.0

    def take(self, kind: str, ranks: list[int], rest: Sequence[Any]) -> bool:
        """Pass an item on if it is output; return whether it was."""
        if kind == "out":
            self._items.append([ranks, *rest])
        elif kind == "display":
            self.say("display", rank=ranks[0], message=rest[1], content=rest[2])
        elif kind == "spilled":
            self.say("spilled", rank=ranks[0], stream="", path=rest[0], bytes=rest[1], error=rest[2])
        else:
            return False
        return True

    def say(self, event: str, **what: Any) -> None:
        """Say something after all text that came before."""
        self.flush()
        self._conversation.say(event, **what)

    def tick(self) -> None:
        """Send what has waited long enough."""
        if self._items and time.monotonic() - self._last > TOGETHER_S:
            self.flush()

    def flush(self) -> None:
        """Send what there is."""
        if self._items:
            self._conversation.say("out", items=self._items)
            self._items = []
        self._last = time.monotonic()
