"""How the hub's answer to a request that did not go well is told."""

from __future__ import annotations

from .errors import of_end
from .failures import cut
from .labels import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .pulse import Said
    from .view import View

    Event = dict[str, Any]

UNTOUCHED = "The notebook's variables are untouched."


def problem(op: str, end: Event, view: View | Said | None) -> BaseException:
    """Return what to raise for an ``end`` that is not ``ok``."""
    status = end.get("status", "error")
    message = end.get("message") or _what_happened(status, view)
    hints = [end["hint"]] if end.get("hint") else []
    if op == "execute" and status != "refused" and "respawned" in end:  # else it has not begun
        if end.get("respawned"):
            after = "The ranks were ended and started again: what they held in memory is lost."
        else:
            after = "The ranks keep what they hold in memory."
        hints.append(f"{after} {UNTOUCHED}")
    return of_end(status, end.get("etype"), message, " ".join(hints) or None)


def _what_happened(status: str, view: View | Said | None) -> str:
    """Return a sentence where the hub gave none."""
    if status == "interrupted":
        return "the ranks were interrupted"
    if status == "timeout":
        return "the ranks took longer than --timeout allows"
    if status != "error":
        return "the ranks cannot do this now"
    parts = [f"{label(ranks)} failed with {ename}: {evalue}" for ranks, ename, evalue in view.failures] if view else []
    parts += [f"{label([rank])} {why}" for rank, why in view.gone] if view else []
    return cut("; ".join(parts)) or "something went wrong with the ranks"
