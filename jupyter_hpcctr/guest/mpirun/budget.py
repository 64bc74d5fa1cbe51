"""How much of what a cell displays is passed on: a notebook does not survive all that a loop can show."""

from __future__ import annotations

import json

from .labels import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DISPLAYS_MOST = 1000
CONTENT_MOST = 16_000_000  # characters: images are base64


class Budget:
    """What one cell of one rank may still show; used from any of its threads.

    What takes the place of another display is no more to hold: it is bounded by itself alone.
    """

    def __init__(self) -> None:
        self._displays = self._content = 0
        self._refused = self._refused_content = 0

    def allows(self, kind: str, content: dict[str, Any]) -> bool:
        """Whether a message of ``display`` is to be passed on."""
        if kind == "clear_output":
            self._displays = self._content = 0
            return True
        length = _length(content["data"])
        if kind == "update_display_data":
            allowed = length <= CONTENT_MOST
        else:
            # The value of the last line is one, however many displays came before.
            room = self._displays < DISPLAYS_MOST or kind == "execute_result"
            allowed = room and self._content + length <= CONTENT_MOST
            self._displays += allowed
            self._content += length if allowed else 0
        self._refused += not allowed
        self._refused_content += 0 if allowed else length
        return allowed

    def renewed(self) -> str:
        """Begin anew for the next cell; return a line on what was not passed on, "" where all was."""
        refused, content = self._refused, self._refused_content
        self._displays = self._content = self._refused = self._refused_content = 0
        if not refused:
            return ""
        what = f"{refused:,} display{'s are' if refused > 1 else ' is'} not shown ({size(content)})"
        return f"… {what}: each rank may show {DISPLAYS_MOST:,} in a cell, of {CONTENT_MOST // 1_000_000} MB in all\n"


def _length(data: Any) -> int:
    """Return about how many characters the forms of a display are."""
    return sum(len(form) if isinstance(form, str) else len(json.dumps(form, default=str)) for form in data.values())
