"""What the handlers answer from: one a server, over the hub that its provisioners use."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import compose
from ..launch.reaper import reap
from .adoption import Sessions, adopt
from .elsewhere import Others
from .jobs import Jobs
from .offers import Offers
from .pulls import Pulls
from .requests import Requests

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

log = logging.getLogger(__name__)

SCHEMAS = "https://jupyter-hpcctr.github.io/schemas"
JOB, PULL = f"{SCHEMAS}/job/v1", f"{SCHEMAS}/pull/v1"
DAY_S, NOTE_S = 86_400, 1.0
_EVENTS = Path(__file__).with_name("events")


class Service:
    """Everything behind the routes. Made while the server loads its extensions; lives in the server's loop."""

    def __init__(self, app: ServerApp, loop: asyncio.AbstractEventLoop) -> None:
        self._app, self._loop = app, loop
        if app.event_logger is None:
            raise RuntimeError("the server has no event logger")
        self._events = app.event_logger
        for name in ("job", "pull"):
            self._events.register_event_schema(_EVENTS / f"{name}.yaml")
        self.hub = compose.here(app.config)
        self.offers = Offers(self.hub)
        self.pulls = Pulls(self.hub.store, self.hub.policy, lambda data: self._emit(PULL, data))
        self.cwd = str(app.root_dir)
        self.requests = Requests(self.hub, self.offers, self.pulls.left_s, cwd=self.cwd)
        self.jobs = Jobs(
            self.hub,
            loop,
            tell=lambda data: self._emit(JOB, data),
            notebooks=self._notebooks,
            kernel_name=self._kernel_name,
            others=Others(app, self.hub),
        )
        self._collecting: asyncio.Task[Any] | None = None
        self._noting: asyncio.Task[None] | None = None
        self._reaping: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Go on with the kernels of a server that is gone, before anybody asks for sessions."""
        await adopt(self._app, self.hub)
        self._noting = self._loop.create_task(self._note())
        self._reaping = self._loop.create_task(self._reap())

    def leave(self) -> None:
        """Leave the kernels to the next server: this one is being stopped, by a signal."""
        if self.hub.policy.at_stop == "keep":
            self.hub.leave()

    async def _reap(self) -> None:
        try:
            await self.hub.edge.call(reap(self.hub))
        except Exception:
            log.exception("what earlier servers have left could not be looked through")

    async def _note(self) -> None:
        sessions = Sessions(self._app, self.hub)
        while True:
            await asyncio.sleep(NOTE_S)
            try:
                await sessions.note()
            except Exception:
                log.exception("the sessions of kernels could not be looked at")

    def collect_daily(self) -> None:
        """Remove old kernelspecs that were made for one start: now, and again each day."""
        self._collecting = self._loop.create_task(self._collect())
        self._loop.call_later(DAY_S, self.collect_daily)

    async def _collect(self) -> None:
        try:
            removed = await self.requests.collect(self._names_in_use)
        except Exception:
            log.exception("kernelspecs of single starts were not looked through")
            return
        if removed:
            log.info("removed kernelspecs of single starts: %s", ", ".join(removed))

    def _names_in_use(self) -> set[str]:
        kernels = self._app.kernel_manager
        return {self._kernel_name(kernel) for kernel in kernels.list_kernel_ids()}

    def _emit(self, schema: str, data: dict[str, Any]) -> None:
        try:
            self._events.emit(schema_id=schema, data=data)
        except Exception:  # an event that is lost is asked for again by the next page; the pace must go on
            log.exception("an event was not sent")

    async def _notebooks(self) -> dict[str, str]:
        sessions = await self._app.session_manager.list_sessions()
        return {each["kernel"]["id"]: each["path"] for each in sessions if each["type"] == "notebook"}

    def _kernel_name(self, kernel_id: str) -> str:
        kernels = self._app.kernel_manager
        return str(kernels.get_kernel(kernel_id).kernel_name) if kernel_id in kernels else ""
