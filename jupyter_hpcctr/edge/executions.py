"""The last execution of each cell of a notebook, as the messages of its kernel tell; pure.

JupyterLab names a cell in the metadata of the request (``cellId``). What was executed without such a name is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..guest.wire import header_of

MOST_CELLS = 2000
_CELL = b'"cellId"'


@dataclass(slots=True)
class Execution:
    """An execution of a cell.

    ``asked`` and ``changed`` are seconds since 1970 by the server's clock; ``started`` and ``ended`` are the dates in
    the kernel's messages. ``status`` is the reply's, "" without one. ``older`` and ``newer`` are the bytes of its
    messages in the two files of a journal, ``missing`` those that are not there any more; none of them counts what
    ``clear_output`` has removed.
    """

    cell: str
    msg_id: str
    asked: float
    changed: float
    started: str | None = None
    ended: str | None = None
    status: str = ""
    count: int | None = None
    older: int = 0
    newer: int = 0
    missing: int = 0

    @property
    def state(self) -> str:
        """``running``, also while it waits for others, or ``ended``."""
        return "running" if self.ended is None else "ended"


class Executions:
    """The last execution of each cell, by what is asked and said."""

    def __init__(self) -> None:
        self._by_id: dict[str, Execution] = {}
        self._by_cell: dict[str, Execution] = {}

    def get(self, msg_id: str) -> Execution | None:
        """Return an execution by its request's id, None where it is not the last one of a cell."""
        return self._by_id.get(msg_id)

    def of_cell(self, cell: str) -> Execution | None:
        """Return the last execution of a cell."""
        return self._by_cell.get(cell)

    def all(self) -> list[Execution]:
        """Return the last execution of each cell, in the order in which they were asked for."""
        return list(self._by_id.values())

    def asked(self, header: bytes, metadata: bytes, now: float) -> Execution | None:
        """A cell is to be executed; None where the request names no cell, or is known already."""
        if _CELL not in metadata:
            return None
        cell, msg_id = _read(metadata).get("cellId"), header_of(header).get("msg_id")
        if not isinstance(cell, str) or not isinstance(msg_id, str) or not cell or msg_id in self._by_id:
            return None
        return self._add(Execution(cell, msg_id, now, now))

    def carried(self, text: bytes) -> None:
        """Take over what was known where messages are missing."""
        try:
            self._add(Execution(**_read(text)))
        except TypeError:  # of another version
            return

    @staticmethod
    def carry(execution: Execution) -> bytes:
        """Write what is known, for ``carried``."""
        return json.dumps(asdict(execution)).encode()

    def _add(self, execution: Execution) -> Execution:
        last = self._by_cell.pop(execution.cell, None)
        if last is not None:
            self._by_id.pop(last.msg_id, None)
        self._by_cell[execution.cell] = self._by_id[execution.msg_id] = execution
        if len(self._by_id) > MOST_CELLS:
            first = next(iter(self._by_id.values()))
            del self._by_id[first.msg_id], self._by_cell[first.cell]
        return execution

    @staticmethod
    def said(execution: Execution, header: bytes, content: Callable[[], bytes], now: float) -> bool:
        """The kernel says something about an execution; return whether that tells anything new."""
        if b'"status"' in header:
            state = _read(content()).get("execution_state")
            if state == "busy" and execution.started is None:
                execution.started = str(_read(header).get("date", ""))
            elif state == "idle" and execution.ended is None:
                execution.ended = str(_read(header).get("date", ""))
            else:
                return False
        elif b'"execute_reply"' in header:
            reply = _read(content())
            execution.status = str(reply.get("status", ""))
            if isinstance(count := reply.get("execution_count"), int) and count:
                execution.count = count
        elif b'"clear_output"' in header:
            execution.older = execution.newer = execution.missing = 0
        execution.changed = now
        return True

    def rotated(self) -> None:
        """The older of the journal's files is removed, the newer one takes its place."""
        for each in self._by_id.values():
            each.missing += each.older
            each.older, each.newer = each.newer, 0


def _read(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
