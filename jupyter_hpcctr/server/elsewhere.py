"""This user's kernels that other processes have, or nobody: found by their records, ended, and taken over."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_core.utils import ensure_async

from ..core.life.state import Mode
from ..errors import KernelOwned, RecordError
from ..launch import Hub, Launch, LaunchView, calls
from ..launch import record as records
from ..launch.found import is_owned, looked_through
from ..launch.keeper import Claim
from ..launch.places import of_kernel
from ..launch.record import Kernel, Record, Session
from .adoption import adopt_one, is_wanted
from .errors import NotHere

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

_ENDED = "open its notebook and restart the kernel to submit a new job"


@dataclass(frozen=True, slots=True)
class Other:
    """A kernel that is not this server's. ``owner`` is what a person calls the process that has it, "" for nobody.

    ``notebook`` is its path below this server's root directory, None where it has none there.
    """

    view: LaunchView
    owner: str
    notebook: str | None
    kernel_name: str
    logs: tuple[str, ...]


class Others:
    """The kernels beside those of a hub. Used in the server's loop."""

    def __init__(self, app: ServerApp, hub: Hub) -> None:
        self._app, self._hub = app, hub

    async def look(self) -> dict[str, Other]:
        """Return them by their launches' ids."""
        found = await asyncio.to_thread(self._found, self._ours())
        ours = self._ours()
        return {name: other for name, other in found.items() if other.view.kernel_id not in ours}

    def _ours(self) -> set[str]:
        launches = (*tuple(self._hub.launches), *tuple(self._hub.unsettled))
        return {*self._hub.claimed, *(each.kernel_id for each in launches if each.handover.has_record)}

    def _found(self, ours: Collection[str]) -> dict[str, Other]:
        state_dir = self._hub.policy.state_dir
        with contextlib.suppress(OSError):
            found, _ = looked_through(state_dir, but=ours)
            others = [(was, self._other(state_dir, was)) for was in found]
            return {was.name: other for was, other in others if _is_shown(was, other)}
        return {}

    def _other(self, state_dir: str, was: Record) -> Other:
        owner = was.kernel.owner if is_owned(state_dir, was) else ""
        session = _session(was, self._app.root_dir)
        notebook = session.path if session is not None and session.type == "notebook" else None
        logs = tuple(was.jobs[number].plan.log_file for number in sorted(was.jobs))
        return Other(was.view, owner, notebook, was.kernel.name, logs)

    async def end(self, kernel_id: str) -> Launch | None:
        """Have the process that has a kernel end it and its job.

        Returns
        -------
        Launch or None
            Where nobody has the kernel, its launch, which this server now has and is to stop.

        Raises
        ------
        KernelOwned
            The process that has it does not answer.
        HpcctrError
            Its agents cannot be told where to dial, or its record cannot be read.
        """
        state_dir = self._hub.policy.state_dir
        here = Kernel.here(kernel_id, "", "")
        try:
            claim, was = await asyncio.to_thread(_claimed, state_dir, kernel_id, by="")
        except KernelOwned:
            await asyncio.to_thread(calls.stop, state_dir, kernel_id, here.owner)
            return None
        return await self._hub.edge.call(Launch.go_on(self._hub, was, claim, kernel=here))

    async def take(self, kernel_id: str, *, by_force: bool) -> None:
        """Go on with a kernel in this server, under its id.

        Its session comes with it where its file is below our root directory and has no other kernel here. With
        ``by_force`` also where another process has it, which gives it up and tells its notebook.

        Raises
        ------
        KernelOwned
            Another process has it, or does not give it up.
        NotHere
            It has ended meanwhile.
        HpcctrError
            Its agents cannot be told where to dial, or its record or kernelspec cannot be read.
        """
        app, hub = self._app, self._hub
        kernels: Any = app.kernel_manager
        by = Kernel.here("", "", app.root_dir).owner if by_force else ""
        await self._check(kernel_id)  # before anybody gives it up
        claim, was = await asyncio.to_thread(_claimed, hub.policy.state_dir, kernel_id, by=by)
        try:
            if not is_wanted(was):
                raise NotHere("its job has ended", hint=_ENDED)
            if kernel_id in kernels:  # what is left of it from when it was taken from this server
                await kernels.shutdown_kernel(kernel_id, now=True)
                await app.session_manager.list_sessions()  # which forgets those of kernels that are gone
            session = _session(was, app.root_dir)
            if session is not None and await app.session_manager.session_exists(session.path):
                session = None
            await adopt_one(app, hub, was, claim, session=session)
        except BaseException:
            claim.release()
            raise

    async def _check(self, kernel_id: str) -> None:
        try:
            was = await asyncio.to_thread(records.read, of_kernel(self._hub.policy.state_dir, kernel_id))
            specs: Any = self._app.kernel_spec_manager
            await ensure_async(specs.get_kernel_spec(was.kernel.name))
        except FileNotFoundError:
            raise NotHere("the kernel has ended") from None
        except NoSuchKernel as error:
            hint = f"add the kernelspec again, or run: jupyter hpcctr kernels attach {kernel_id}"
            raise RecordError(f"its kernelspec {was.kernel.name!r} does not exist here", hint=hint) from error
        if not is_wanted(was):
            raise NotHere("its job has ended", hint=_ENDED)


def _is_shown(was: Record, other: Other) -> bool:
    """Whether there is something to see: not where a process is just ending it, or has only its job to cancel."""
    ending = bool(other.owner) and was.life.mode in (Mode.STOPPING, Mode.GONE)
    return not ending and was.view.state != "gone"


def _claimed(state_dir: str, kernel_id: str, *, by: str) -> tuple[Claim, Record]:
    """Claim a kernel, from the process that has it where ``by`` says who wants it; return its record as well."""
    directory = of_kernel(state_dir, kernel_id)
    claim = calls.take(state_dir, kernel_id, by) if by else Claim(directory)
    try:
        return claim, records.read(directory)
    except FileNotFoundError:
        claim.remove()
        raise NotHere("the kernel has ended") from None
    except BaseException:
        claim.release()
        raise


def _session(was: Record, root: str) -> Session | None:
    """Return a kernel's session as a server with another root directory would have it, None where it cannot."""
    if was.session is None or not was.kernel.root:
        return None
    path = PurePosixPath(os.path.normpath(f"{was.kernel.root}/{was.session.path}"))
    if not path.is_relative_to(os.path.normpath(root)):
        return None
    below = str(path.relative_to(os.path.normpath(root)))
    return Session(was.session.id, below, was.session.name, was.session.type)
