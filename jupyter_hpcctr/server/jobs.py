"""Jobs: followed from the launches' own news, listed, shown to every page by events, cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from ..launch import Hub, LaunchView
from ..launch.joblog import JobLog
from ..offers.words import now
from .board import Board, Row, departed, described
from .elsewhere import Others
from .errors import NotHere
from .pace import Pace

PACE_S = 0.4
LOG_BYTES = 65_536
LOOK_AGAIN_S = 1.0
LOOKS = 5

Notebooks = Callable[[], Awaitable[dict[str, str]]]


class Jobs:
    """The jobs of one server.

    Parameters
    ----------
    hub : Hub
        Whose launches they are.
    loop : AbstractEventLoop
        The server's; everything here runs in it but ``_hear``.
    tell : callable
        Sends the data of an event.
    notebooks : callable
        Awaited for the path of each kernel's notebook.
    kernel_name : callable
        Gives the name by which a kernel was started, "" for one that is not there.
    others : Others or None
        Finds the kernels of other processes; they are looked for whenever somebody asks for the list.
    """

    def __init__(
        self,
        hub: Hub,
        loop: asyncio.AbstractEventLoop,
        *,
        tell: Callable[[dict[str, Any]], None],
        notebooks: Notebooks,
        kernel_name: Callable[[str], str],
        others: Others | None = None,
    ) -> None:
        self._hub, self._loop, self._tell = hub, loop, tell
        self._notebooks, self._kernel_name, self._others = notebooks, kernel_name, others
        self._pace = Pace(self._announce, PACE_S)
        self.board = Board(hub.launch, self._pace.touch)
        self._lock = threading.Lock()
        self._heard: dict[tuple[str, bool], LaunchView] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._looks: dict[str, int] = {}
        self._taking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.close = hub.observe(self._hear)

    # -- news

    def _hear(self, view: LaunchView) -> None:
        # In the edge thread: the server's loop is woken once for all that is heard until it comes to it, and gets
        # the last word on each launch; that it is gone is another matter than how it ended.
        with self._lock:
            self._heard[view.launch, view.state == "gone"] = view
            if len(self._heard) > 1:
                return
        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        with self._lock:
            heard, self._heard = self._heard, {}
        for view in heard.values():
            self.board.take(view)

    def _announce(self, launch: str) -> None:
        row = self.board.rows.get(launch)
        if row is not None and not row.gone and row.notebook is None:
            self._look_again(row)
        if row is not None:
            row.kernel_name = row.kernel_name or self._kernel_name(row.view.kernel_id)
        job = departed(launch, self.board.seq) if row is None else described(row)
        self._tell({"seq": job["seq"], "job": job})

    def _look_again(self, row: Row) -> None:
        # A session is known a little later than its kernel; a kernel without any is asked for in vain, so not for ever.
        launch = row.view.launch
        if self._looking is None and self._looks.get(launch, 0) < LOOKS:
            self._looks = {name: count for name, count in self._looks.items() if name in self.board.rows}
            self._looks[launch] = self._looks.get(launch, 0) + 1
            self._looking = self._loop.call_later(LOOK_AGAIN_S, self._look)

    def _look(self) -> None:
        self._looking = None
        self._spawn(self._place_and_go_on())

    async def _place_and_go_on(self) -> None:
        await self._place()
        for row in self.board.rows.values():
            if row.notebook is None and not row.ended:
                self._look_again(row)

    async def _place(self) -> None:
        self.board.place(await self._notebooks(), self._kernel_name)

    # -- what is asked

    async def listing(self) -> dict[str, Any]:
        """Return every job, those that have ended before among them."""
        self._look_at_own()
        if self._others is not None:
            self.board.compare(await self._others.look())
        await self._place()
        return {"jobs": [described(row) for row in self.board.rows.values()], "seq": self.board.seq, "now": now()}

    async def one(self, launch: str) -> dict[str, Any]:
        """Return one job. Raises ``NotHere``."""
        await self.listing()
        return described(self._row(launch))

    async def log(self, launch: str, offset: int) -> dict[str, Any]:
        """Return a piece of a job's log from a byte on; ``ended`` when nothing more will come. Raises ``NotHere``."""
        row = self._row(launch)
        if row.other is not None:
            text, following = await asyncio.to_thread(_log, row.other.logs, offset)
            return {"text": text, "next_offset": following, "ended": row.ended and following - offset < LOG_BYTES}
        if row.launch is None:
            return {"text": "", "next_offset": offset, "ended": row.ended}
        ended = row.ended
        text, following = await self._hub.edge.call(row.launch.log(offset, LOG_BYTES))
        return {"text": text, "next_offset": following, "ended": ended and following - offset < LOG_BYTES}

    async def cancel(self, launch: str) -> bool:
        """End a job, or take one that has ended out of the list.

        Returns
        -------
        bool
            Whether there is a job that will end; nobody waits for it here.

        Raises
        ------
        NotHere
            There is no such job.
        HpcctrError
            As ``Others.end`` does.
        """
        row = self._row(launch)
        if row.other is not None and self._others is not None and not row.ended:
            left = await self._others.end(row.view.kernel_id)
            if left is not None:
                self._spawn(self._hub.edge.call(left.stop()))
            self._spawn(self._follow(launch))
            return True
        if row.ended or row.launch is None:
            self.board.hide(row)
            return False
        self._spawn(self._hub.edge.call(row.launch.cancel()))
        return True

    async def _follow(self, launch: str) -> None:
        # Nobody tells what another process does.
        for _ in range(2 * LOOKS):
            await asyncio.sleep(LOOK_AGAIN_S)
            await self.listing()
            if launch not in self.board.rows or self.board.rows[launch].ended:
                return

    async def take(self, launch: str, *, by_force: bool) -> dict[str, Any]:
        """Go on here with the kernel of a job that is another process's, or nobody's; return the job.

        Raises
        ------
        NotHere
            There is no such job, or it has ended.
        HpcctrError
            As ``Others.take`` does.
        """
        async with self._taking[launch]:  # a second click finds it here
            await self.listing()
            row = self._row(launch)
            if row.other is not None and self._others is not None:
                await self._others.take(row.view.kernel_id, by_force=by_force)
            return await self.one(launch)

    def _look_at_own(self) -> None:
        for view in self._hub.views():
            launch = self._hub.launch(view.launch)
            if launch is None or launch.handover.is_ours:
                self.board.take(view)

    def _row(self, launch: str) -> Row:
        self._look_at_own()
        if launch not in self.board.rows:
            raise NotHere("there is no such job", hint="it may have been removed from the list")
        return self.board.rows[launch]

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _log(logs: Sequence[str], offset: int) -> tuple[str, int]:
    """Read the logs of another process's jobs, one behind the other."""
    found = JobLog()
    for each in logs:
        found.begin(Path(each))
    return found.read(offset, LOG_BYTES)
