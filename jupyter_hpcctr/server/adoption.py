"""The kernels of a server that is gone, taken over by the next one under their ids, with their sessions."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ..core.life.state import Mode, Wish
from ..errors import HpcctrError, RecordError
from ..launch import Hub, Launch, Listed
from ..launch.found import left
from ..launch.keeper import Claim
from ..launch.record import Kernel, Record, Session

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

log = logging.getLogger(__name__)


async def adopt(app: ServerApp, hub: Hub) -> None:
    """Go on with what servers with the same root directory have left. Nothing is raised: what fails is logged.

    No session may be listed before: jupyter_server removes those whose kernels it does not know.
    """
    found = await asyncio.to_thread(lambda: list(left(hub.policy.state_dir)))
    for was, claim in found:
        try:
            if not is_wanted(was):
                await hub.edge.call(Launch.go_on(hub, was, claim, kernel=Kernel.here(was.kernel.id, "", "")))
            elif was.kernel.root == app.root_dir:
                await adopt_one(app, hub, was, claim, session=was.session)
            else:
                claim.release()  # of a program, or of a server of other notebooks: who wants it can attach it
        except Exception as error:
            claim.release()
            trace = not isinstance(error, HpcctrError)
            log.error("kernel %s could not be taken over: %s", was.kernel.id, error, exc_info=trace)


def is_wanted(was: Record) -> bool:
    """Whether there is a kernel to go on with, or will be one."""
    return was.life.mode in (Mode.WANTED, Mode.DETACHED) and was.life.wish is not Wish.END


async def adopt_one(app: ServerApp, hub: Hub, was: Record, claim: Claim, *, session: Session | None) -> None:
    """Go on with a kernel under its id, and with a session of it.

    Raises
    ------
    RecordError
        The kernelspec that it was started by is no longer one of ours; the claim is the caller's still.
    HpcctrError, NoSuchKernel
        It cannot be gone on with.
    """
    kernel = was.kernel
    kernels: Any = app.kernel_manager
    hub.claimed[kernel.id] = (was, claim)
    try:
        await kernels.start_kernel(kernel_id=kernel.id, kernel_name=kernel.name)
    finally:
        untouched = hub.claimed.pop(kernel.id, None) is not None
    if untouched:
        await kernels.shutdown_kernel(kernel.id, now=True)
        hint = f"give it the kernel provisioner hpcctr again, or run: jupyter hpcctr kernels attach {kernel.id}"
        raise RecordError(f"the kernelspec {kernel.name!r} now starts another kind of kernel", hint=hint)
    log.info("kernel %s goes on: %s had it", kernel.id, kernel.owner)
    if session is not None:
        await _open(app.session_manager, session, kernel.id)


async def _open(sessions: Any, session: Session, kernel_id: str) -> None:
    known = {"path": session.path, "name": session.name, "type": session.type, "kernel_id": kernel_id}
    await sessions.save_session(session.id, **known)


class Sessions:
    """Tells launches which session they belong to, so that their records say it."""

    def __init__(self, app: ServerApp, hub: Hub) -> None:
        self._app, self._hub = app, hub

    async def note(self) -> None:
        """Look at the server's sessions once."""
        launches = {launch.kernel_id: launch for launch in tuple(self._hub.launches) if launch.kernel_id}
        if not launches:
            return
        rows = await self._app.session_manager.list_sessions()
        found = {each["kernel"]["id"]: Session(each["id"], each["path"], each["name"], each["type"]) for each in rows}
        self._hub.edge.post(lambda: _tell(launches, found))


def _tell(launches: dict[str, Listed], found: dict[str, Session]) -> None:
    for kernel_id, launch in launches.items():
        launch.handover.session = found.get(kernel_id)
