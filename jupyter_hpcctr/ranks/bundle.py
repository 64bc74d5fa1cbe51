"""What a node has to tell, gathered for a moment, with equal things of many ranks said once."""

from __future__ import annotations

import json
from typing import Any

Item = list[Any]
"""``[kind, ranks, *rest]``: what the ranks of a node have to tell, a JSON list."""

_TOGETHER = ("out", "done", "pushed")


class Bundle:
    """Items in each rank's order.

    An item of one of the kinds that often are alike joins an equal earlier one, unless its rank has said
    something else since.
    """

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._last: dict[int, int] = {}
        self._places: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._items)

    @property
    def urgent(self) -> bool:
        """Whether there is more in it than output."""
        return any(item[0] != "out" for item in self._items)

    def add(self, kind: str, ranks: list[int], *rest: Any) -> None:
        """Add an item of these ranks."""
        if kind not in _TOGETHER:
            self._append(kind, ranks, rest, "")
            return
        key = json.dumps((kind, rest))
        place = self._places.get(key, -1)
        if place >= 0 and all(self._last.get(rank, -1) < place for rank in ranks):
            self._items[place][1] += ranks
            self._last.update(dict.fromkeys(ranks, place))
        else:
            self._append(kind, list(ranks), rest, key)

    def _append(self, kind: str, ranks: list[int], rest: tuple[Any, ...], key: str) -> None:
        self._last.update(dict.fromkeys(ranks, len(self._items)))
        if key:
            self._places[key] = len(self._items)
        self._items.append([kind, ranks, *rest])

    def take(self) -> list[Item]:
        """Return the items and begin anew."""
        items = self._items
        self.__init__()  # type: ignore[misc]
        return items
