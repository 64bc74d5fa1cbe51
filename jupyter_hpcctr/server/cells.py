"""What the cells of this server's kernels have put out, for pages that were away."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from .. import compose
from ..edge.journal import Journal
from ..launch import Hub
from ..launch.replay import listed, replayed
from .errors import NotHere


async def listing(kernel: str) -> dict[str, Any]:
    """Return the last execution of each cell, without outputs; none where the site keeps none. Raises ``NotHere``."""
    hub, journal = _journal(kernel)

    async def read() -> list[dict[str, Any]]:
        return [] if journal is None else listed(journal)

    return {"cells": await hub.edge.call(read())}


async def one(kernel: str, cell: str) -> str:
    """Return the last execution of a cell with its outputs, as JSON: it may be large. Raises ``NotHere``."""
    hub, journal = _journal(kernel)
    if journal is None:
        raise NotHere("this site keeps no outputs of cells", hint="HpcctrSite.journal_mb is 0")
    found = await hub.edge.call(replayed(journal, cell))
    if found is None:
        raise NotHere("nothing is known of this cell", hint="it was not run since its kernel was started")
    return await asyncio.to_thread(json.dumps, found)


def _journal(kernel: str) -> tuple[Hub, Journal | None]:
    for hub in compose.hubs():
        for launch in tuple(hub.launches):
            if launch.kernel_id == kernel and launch.handover.is_ours:
                return hub, launch.journal
    raise NotHere(
        "this server has no container kernel with this id",
        hint="outputs of cells are kept for container kernels, until they are shut down",
    )
