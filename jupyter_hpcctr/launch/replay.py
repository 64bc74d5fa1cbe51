"""What a notebook's page has missed: each cell's last execution, and what it has put out, from the kernel's journal."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ..core.facts import Policy
from ..edge.executions import Execution
from ..edge.journal import Journal, with_parents
from ..edge.loop import in_thread
from ..edge.records import SAID, records
from . import places
from .outputs import Outputs

RECENT = 2000
_GAP = "[{:,} bytes of this output are missing here: the server has kept what came last]\n"


def begin(policy: Policy, kernel_id: str) -> Journal | None:
    """Open a kernel's journal, or go on with it; None where the site wants none, or the kernel has no name."""
    try:
        directory = places.of_kernel(policy.state_dir, kernel_id)
    except ValueError:
        return None
    return Journal(directory, policy.journal_mb * 1_000_000) if policy.journal_mb and policy.state_dir else None


def listed(journal: Journal) -> list[dict[str, Any]]:
    """Describe the last execution of each cell, without outputs, in the order in which they were asked for."""
    return [_described(each) for each in journal.executions.all()]


async def replayed(journal: Journal, cell: str) -> dict[str, Any] | None:
    """Describe the last execution of a cell with its outputs; None where none is known. In the edge loop."""
    execution = journal.executions.of_cell(cell)
    if execution is None:
        return None
    return await in_thread(replay, dataclasses.replace(execution), journal)


def replay(execution: Execution, journal: Journal) -> dict[str, Any]:
    """Read an execution's messages and return what its page would have; blocking.

    ``recent`` are the ids of its last messages on iopub, so that a page can leave out what comes to it once more;
    ``reply`` is the execute reply, null while there is none.
    """
    outputs, recent = Outputs(), collections.deque[str](maxlen=RECENT)
    reply: Mapping[str, Any] | None = None
    ended = execution.ended
    for header, parent, content in _messages(execution.msg_id, journal.read()):
        kind, said = str(header.get("msg_type", "")), _read(content)
        if parent.get("msg_id") != execution.msg_id:
            if kind == "update_display_data":
                outputs.update(said)
            continue
        if kind == "execute_reply":
            reply = {"header": header, "parent_header": parent, "metadata": {}, "content": said}
            continue
        if kind == "status":
            if said.get("execution_state") == "idle":
                ended = ended or header.get("date")
        else:
            outputs.take(kind, said)
        recent.append(str(header.get("msg_id", "")))
    items, displays = outputs.items, outputs.displays
    missing = 0 if outputs.cleared else execution.missing
    if missing:
        items.insert(0, {"output_type": "stream", "name": "stderr", "text": _GAP.format(missing)})
        displays.insert(0, None)
    # What has come since it was asked for is in the files already, and that it has ended only there.
    now = dataclasses.replace(execution, ended=ended, missing=missing)
    if reply is not None:
        now.status, now.count = reply["content"].get("status", ""), reply["content"].get("execution_count") or None
    return {**_described(now), "outputs": items, "displays": displays, "recent": list(recent), "reply": reply}


_Message = tuple[Mapping[str, Any], Mapping[str, Any], bytes]


def _messages(msg_id: str, contents: Iterable[bytes]) -> Iterable[_Message]:
    """Give the messages about an execution, and all updates of displays: header, parent, content."""
    wanted, last, read = f'"{msg_id}"'.encode(), b"", _read(b"")
    for data in contents:
        for record, parent in with_parents(records(data)):
            if record.kind != SAID:
                continue
            header, _, content = record.parts
            if wanted in parent or b'"update_display_data"' in header:
                if parent != last:
                    last, read = parent, _read(parent)
                yield _read(header), read, content


def _described(execution: Execution) -> dict[str, Any]:
    return {
        "cell": execution.cell,
        "msg_id": execution.msg_id,
        "state": execution.state,
        "status": execution.status,
        "started": execution.started,
        "ended": execution.ended,
        "changed": datetime.fromtimestamp(execution.changed, timezone.utc).isoformat(),
        "execution_count": execution.count,
        "bytes": execution.older + execution.newer,
        "missing_bytes": execution.missing,
    }


def _read(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
