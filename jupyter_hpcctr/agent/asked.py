"""Which cells the kernel was asked to run: a server that goes on for another sends again what it does not know."""

from __future__ import annotations

import json
from collections.abc import Sequence

import zmq

from ..guest import wire

MOST = 10_000


class Asked:
    """The ids of the execute requests that the kernel has got, the last ``MOST``."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def again(self, frames: Sequence[zmq.Frame]) -> bool:
        """Whether a message is an execute request that the kernel has; else it is noted."""
        parts = [frame.bytes for frame in frames[:8]]
        try:
            header = parts[parts.index(wire.DELIMITER) + 2]
            msg_id = json.loads(header)["msg_id"] if b'"execute_request"' in header else None
        except (ValueError, IndexError, KeyError, TypeError):
            return False  # the kernel's to refuse
        if msg_id is None:
            return False
        if msg_id in self._ids:
            return True
        self._ids[msg_id] = None
        if len(self._ids) > MOST:
            del self._ids[next(iter(self._ids))]
        return False
