"""Shows one request's events in the notebook as they come."""

from __future__ import annotations

import os
import time

from .fold import Fold
from .labels import label, size
from .rich import PLAIN, WIDGET, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .screen import Screen

    Event = dict[str, Any]
    Slots = dict[tuple[int, str], Slot]
    """Where displays that have an id are, by rank and id; later cells may change them."""

SLOTS_MOST = 1000
SPILLED_MOST = 8


class View:
    """The output of a request in which ``ranks`` of a world of ``world`` ranks take part."""

    def __init__(
        self,
        screen: Screen,
        ranks: Iterable[int],
        world: int,
        quiet: bool = False,
        known: Slots | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures: list[tuple[list[int], str, str]] = []
        self.gone: list[tuple[int, str]] = []
        self._screen = screen
        self._world = world
        self._quiet = quiet
        self._clock = clock
        self._fold = Fold(ranks, world)
        self._known: Slots = {} if known is None else known
        self._slots: dict[str, Slot] = {}
        self._touched: set[Slot] = set()
        self._numbers: dict[tuple[int, str], int] = {}
        self._clearing: set[int] = set()
        self._spilled: dict[tuple[int, str], Event] = {}
        self._notices: set[str] = set()
        self._failed: dict[str, list[int]] = {}

    def handle(self, event: Event, _buffers: object = None) -> None:
        """Show an event. Unknown ones are of a newer hub and no concern of ours."""
        method = getattr(self, f"_on_{event.get('event')}", None)
        if method is not None:
            method(event)

    def tick(self) -> float | None:
        """Show what is due; return in how many seconds there will be more, or None."""
        now = self._clock()
        self._fold.pump(now)
        self._write_pieces()
        for slot in self._touched:
            if slot.shown and slot.changed and slot.due <= now:
                self._show(slot, live=True)
        times = [slot.due for slot in self._touched if slot.shown and slot.changed]
        due = self._fold.due()
        if due is not None:
            times.append(due)
        return min(times) - now if times else None

    def close(self) -> None:
        """Show what is left, at the request's end."""
        self._fold.flush()
        self._write_pieces(live=False)
        for others in filter(None, self._failed.values()):
            self._trouble(f"{label(others)} failed in the same way")
        for slot in self._touched:
            if slot.shown and (slot.changed or slot.provisional):
                self._show(slot, live=False)
            slot.close()
        self._screen.vanish()
        if not self._quiet:
            self._screen.write("stdout", "".join(f"{line}\n" for line in self._missing()))

    def line(self, text: str) -> None:
        """Show a line of our own, unless the hub has said the same before."""
        if text not in self._notices:
            self._notices.add(text)
            self._screen.write("stdout", text + "\n")

    # Events

    def _on_notice(self, event: Event) -> None:
        text, level = str(event["text"]), event.get("level", "info")
        if event.get("fleeting"):
            if not self._quiet:
                self._screen.fleeting(text)
        elif text not in self._notices and (level != "info" or not self._quiet):
            self._notices.add(text)
            if level == "error":
                self._screen.write("stderr", text + "\n")
            else:
                self._screen.remark(text)

    def _on_out(self, event: Event) -> None:
        if self._quiet:
            return
        now = self._clock()
        for ranks, stream, text in event["items"]:
            self._fold.add(ranks, stream, text, now)

    def _on_display(self, event: Event) -> None:
        if self._quiet:
            return
        rank, message, content = event["rank"], event["message"], event["content"]
        if message == "clear_output":
            self._clear(rank, bool(content.get("wait")))
            return
        data = {mime: value for mime, value in content.get("data", {}).items() if mime != WIDGET}
        metadata = content.get("metadata") or {}
        display_id = (content.get("transient") or {}).get("display_id")
        if message == "update_display_data":
            slot = self._known.get((rank, str(display_id)))
            if slot is not None:
                slot.put(rank, data, metadata)
                self._touched.add(slot)
        elif not self._screen.rich or (data.keys() <= {PLAIN} and display_id is None):
            self._fold.block(rank, str(data.get(PLAIN, "")), self._clock())
        else:
            self._place(rank, message, data, metadata, display_id)

    def _on_spilled(self, event: Event) -> None:
        self._spilled[event["rank"], event["stream"]] = event

    def _on_failure(self, event: Event) -> None:
        ranks = list(event["ranks"])
        self.failures.append((ranks, str(event.get("ename")), str(event.get("evalue"))))
        told = "\n".join(event.get("traceback") or [f"{event.get('ename')}: {event.get('evalue')}"])
        self._fold.finished(ranks)
        if told in self._failed:  # shown once; who else failed like that is said at the end
            self._failed[told] += ranks
            return
        self._failed[told] = []
        self._trouble((f"{label(ranks)} failed:\n" if self._world > 1 else "") + told)

    def _on_finished(self, event: Event) -> None:
        self._fold.finished(event["ranks"])

    def _on_stacks(self, event: Event) -> None:
        folded: dict[tuple[str, ...], list[int]] = {}
        for ranks, lines in event["stacks"]:
            folded.setdefault(tuple(lines), []).extend(ranks)
        if folded:
            text = ["where the other ranks stood:" if self.failures or self.gone else "where the ranks stood:"]
            for stack, ranks in sorted(folded.items(), key=lambda item: min(item[1])):
                text += [f"{label(ranks)}:", *(f"  {line}" for line in stack)]
            self._trouble("\n".join(text))

    def _on_gone(self, event: Event) -> None:
        self.gone.append((event["rank"], str(event["why"])))
        self._trouble(f"{label([event['rank']])} {event['why']}")
        self._fold.finished([event["rank"]])

    # Within

    def _trouble(self, text: str) -> None:
        """Show bad news after all that was printed before."""
        self._fold.flush()
        self._write_pieces()
        self._screen.write("stderr", text.rstrip("\n") + "\n")

    def _write_pieces(self, live: bool = True) -> None:
        for kind, text in self._fold.take():
            if kind != "display":
                self._screen.write(kind, text)
            elif not self._slots[text].shown:
                self._show(self._slots[text], live)

    def _show(self, slot: Slot, live: bool) -> None:
        data, metadata = slot.bundle(self._clock(), live and self._screen.rich)
        self._screen.publish(data, metadata, slot.display_id, update=slot.shown)
        slot.shown = True

    def _place(self, rank: int, message: str, data: Event, metadata: Event, display_id: str | None) -> None:
        """Put a result beside those of the same kind and number of other ranks."""
        if rank in self._clearing:
            self._clearing.discard(rank)
            self._empty(rank)
        kind = f"{message} {' '.join(sorted(data))}"
        number = self._numbers[rank, kind] = self._numbers.get((rank, kind), 0) + 1
        name = f"{kind} {number}"
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = Slot(self._world)
        slot.put(rank, data, metadata)
        self._touched.add(slot)
        if display_id is not None:
            self._known[rank, display_id] = slot
            while len(self._known) > SLOTS_MOST:
                del self._known[next(iter(self._known))]
        if not slot.shown:
            self._fold.display(rank, name, self._clock())

    def _clear(self, rank: int, wait: bool) -> None:
        """Begin the output of ``rank`` anew. Text that has been shown stays: it is other ranks' too."""
        self._fold.drop(rank)
        if wait:
            self._clearing.add(rank)
        else:
            self._empty(rank)

    def _empty(self, rank: int) -> None:
        for slot in self._slots.values():
            slot.remove(rank)
        self._numbers = {key: number for key, number in self._numbers.items() if key[0] != rank}

    def _missing(self) -> list[str]:
        """Return what is said about output that is not here."""
        lines = []
        if self._fold.left_out:
            lines.append(f"… {size(self._fold.left_out)} more were printed and are not shown")
        events = [self._spilled[key] for key in sorted(self._spilled)]
        for event in events[:SPILLED_MOST]:
            who, path = label([event["rank"]]), event["path"]
            if event.get("error"):
                lines.append(f"… {who} wrote more, which is not all in {path}: {event['error']}")
            else:
                lines.append(f"… {who} wrote {size(event['bytes'])}: all of it is in {path}")
        more = len(events) - SPILLED_MOST
        if more > 0:
            lines.append(f"… and so did {more} more, in {os.path.dirname(events[0]['path'])}")
        return lines
