"""What clients have sent to a front and nobody has answered yet: messages that wait, and cells that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..guest import wire


class Cell(NamedTuple):
    """An execute request: whose it is, and its header."""

    idents: list[bytes]
    header: Mapping[str, Any]


class _Held(NamedTuple):
    channel: str
    frames: list[bytes]
    cell: Cell | None


class Cells:
    """Keeps order and whereabouts of requests; sends nothing itself."""

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._running: dict[str, Cell] = {}

    @property
    def first(self) -> Cell | None:
        """The first cell that has no answer, None where all have one."""
        waiting = (each.cell for each in self._held if each.cell is not None)
        return next(iter(self._running.values()), None) or next(waiting, None)

    def hold(self, channel: str, frames: list[bytes], message: wire.Message) -> Cell | None:
        """Keep a message until there is a kernel; return the cell that it is, None where it is none."""
        cell = Cell(list(message.idents), message.header) if message.kind == "execute_request" else None
        self._held.append(_Held(channel, frames, cell))
        return cell

    def take_messages(self) -> list[tuple[str, list[bytes]]]:
        """Return all messages that wait, in order, and keep none: (channel, frames)."""
        held, self._held = self._held, []
        return [(each.channel, each.frames) for each in held]

    def take_waiting(self) -> list[Cell]:
        """Return the cells that wait, in order, and keep no message."""
        held, self._held = self._held, []
        return [each.cell for each in held if each.cell is not None]

    def take_running(self) -> list[Cell]:
        """Return the cells that the kernel has and has not answered, in order, and keep none."""
        running = list(self._running.values())
        self._running.clear()
        return running

    def passed_on(self, frames: Sequence[bytes]) -> Cell | None:
        """Note what is passed to the kernel on shell; return the cell that it is, None where it is none."""
        at = _start(frames)
        if b'"execute_request"' not in frames[at + 2]:
            return None
        header = wire.header_of(frames[at + 2])
        cell = self._running[header["msg_id"]] = Cell(list(frames[:at]), header)
        return cell

    def refuse(self, cell: Cell) -> None:
        """Take a cell back that could not be passed on."""
        self._running.pop(cell.header["msg_id"], None)

    def answered(self, frames: Sequence[bytes]) -> None:
        """Note what the kernel says on shell."""
        at = _start(frames)
        if self._running and len(frames) > at + 3 and b'"execute_reply"' in frames[at + 2]:
            self._running.pop(wire.header_of(frames[at + 3]).get("msg_id", ""), None)


def _start(frames: Sequence[bytes]) -> int:
    return frames.index(wire.DELIMITER) if wire.DELIMITER in frames else 0
