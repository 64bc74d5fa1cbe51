"""Finds jobs and files that no kernel's record names, and what is wrong with records; removes what it may."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..core.job import JobId, JobState
from ..core.plan import STARTUP
from ..core.questions import opening
from ..edge import files, leftovers
from ..edge.loop import in_thread
from ..errors import HpcctrError
from . import carried
from .found import is_owned, looked_through
from .hub import Hub
from .keeper import Claim
from .places import of_kernel
from .record import NAME, Record

log = logging.getLogger(__name__)

Kind = Literal["state", "scheduler", "record", "kernel", "files", "job", "configuration"]
OLD_S = 3600.0
"""Younger files may be of a launch that is just beginning."""
FORGOTTEN_S = 86_400.0
"""The record of a program's kernel that has ended is kept for this long, for people who ask what became of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do.

    ``remove`` removes ``path`` and cancels ``job`` of ``scheduler``. Where there is neither, only a person can help.
    ``sure``: it can be removed without asking anybody. ``done``: it is.
    """

    kind: Kind
    what: str
    hint: str = ""
    path: str = ""
    scheduler: str = ""
    job: str = ""
    sure: bool = False
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Left:
    """A job's directory, named by its token: who made it, and how long ago something in it was written."""

    path: Path
    scheduler: str
    host: str
    age_s: float

    @property
    def token(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a scheduler has said: the job of each token, and which jobs have not ended."""

    jobs: Mapping[str, JobId]
    alive: frozenset[JobId]

    def of(self, token: str) -> JobId | None:
        job = self.jobs.get(token)
        return job if job in self.alive else None


async def examine(hub: Hub, schedulers: Collection[str] = ()) -> list[Finding]:
    """Return everything that is wrong; nothing is removed. In the edge loop.

    It asks ``schedulers`` for jobs, besides those that records and files name.
    """
    state_dir = hub.policy.state_dir
    if wrong := await in_thread(_state, state_dir):
        return wrong
    before, unreadable = await in_thread(looked_through, state_dir)
    left = await in_thread(lambda: list(_directories(state_dir)))
    names = {*schedulers, *(each.scheduler for each in left), *(plan for was in before for plan in _schedulers(was))}
    ids = [each.job for was in before for each in was.jobs.values() if each.job is not None]
    answers: dict[str, _Answer] = {}
    found = [Finding("record", error.message, error.hint) for error in unreadable]
    for name in sorted(names - {""}):
        try:
            answers[name] = await _ask(hub, name, [each.token for each in left], ids)
        except HpcctrError as error:
            found.append(Finding("scheduler", f"{name} does not answer: {error.message}", error.hint))
    # Looked at again: a launch writes its record before its job's directory, and that before it submits.
    after, _ = await in_thread(looked_through, state_dir)
    recorded = {was.name for was in (*before, *after)}
    sure = not unreadable
    found += _without_record(hub, [each for each in left if _name(each.token) not in recorded], answers, sure=sure)
    found += _elsewhere(hub, {each.token for each in left}, recorded, answers)
    found += await in_thread(lambda: list(_dead(state_dir, after, answers)))
    return found


async def remove(hub: Hub, found: Finding) -> Finding:
    """Remove or cancel what was found; ``done`` says whether that could be done. In the edge loop."""
    if found.job:
        done = await hub.cancel(found.scheduler, JobId(found.job))
    elif found.kind == "kernel":
        done = await in_thread(_bury, hub.policy.state_dir, Path(found.path))
    elif found.path:
        done = await in_thread(_remove, found.path)
    else:
        done = False
    return dataclasses.replace(found, done=done)


async def sweep() -> None:
    """Remove the socket directories of this host's processes that have ended. In the edge loop."""
    await in_thread(leftovers.sweep, Path(tempfile.gettempdir()))


async def reap(hub: Hub) -> None:
    """Remove what nobody can want any more, and log the rest. In the edge loop."""
    await in_thread(carried.archive, "")  # this process's own: the package may be another one by the first launch
    await sweep()
    for found in await examine(hub):
        if found.sure and (await remove(hub, found)).done:
            log.info("removed: %s", found.what)
        elif found.kind != "scheduler":
            log.warning("%s (%s)", found.what, found.hint)
    for each in await in_thread(carried.sweep, Path(hub.policy.state_dir)):
        log.info("removed: %s, which no job has", each)


# -- what there is


def _state(state_dir: str) -> list[Finding]:
    """Say what is wrong with the state directory itself."""
    root = Path(state_dir)
    try:
        files.private_dir(root)
        for name in ("jobs", "kernels", "calls", carried.DIRECTORY, STARTUP):
            if (root / name).exists():
                files.private_dir(root / name)
        probe = root / "doctor"
        files.write_private(probe, "")
        probe.unlink(missing_ok=True)
    except HpcctrError as error:
        return [Finding("state", error.message, error.hint)]
    except OSError as error:
        hint = "free some space there, or set HpcctrSite.state_dir to a directory of your own that the nodes share"
        return [Finding("state", f"{state_dir} cannot be written: {error.strerror or error}", hint)]
    return []


def _directories(state_dir: str) -> Iterator[_Left]:
    try:
        found = sorted((Path(state_dir) / "jobs").iterdir())
    except FileNotFoundError:
        return
    for path in found:
        try:
            if path.is_symlink() or not path.is_dir():
                continue
            own = [path, *(each for each in path.iterdir() if not each.is_symlink())]
            age_s = time.time() - max(each.stat().st_mtime for each in own)
        except OSError:
            continue  # it goes this moment
        yield _Left(path, *_made_by(path), age_s)


def _made_by(path: Path) -> tuple[str, str]:
    """Return the scheduler and the host of a job's directory, as its agent's file says; "" where it does not."""
    for file in path.glob("*.json"):
        try:
            said = json.loads(files.read_private(file))
            return str(said["scheduler"]), str(said.get("host", ""))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return "", ""


def _name(token: str) -> str:
    """Return the launch's name that a token was made from."""
    return token.rpartition("-")[0]


def _schedulers(was: Record) -> set[str]:
    return {each.plan.scheduler for each in was.jobs.values()}


async def _ask(hub: Hub, name: str, tokens: Collection[str], ids: Iterable[JobId]) -> _Answer:
    scheduler = hub.scheduler(name)
    jobs = await hub.run(name, scheduler.find(tokens))
    asked = sorted({*jobs.values(), *ids})
    statuses = await hub.run(name, scheduler.query(asked)) if asked else {}
    return _Answer(jobs, frozenset(job for job, said in statuses.items() if said.state is not JobState.ENDED))


# -- what is wrong


def _without_record(
    hub: Hub, left: Iterable[_Left], answers: Mapping[str, _Answer], *, sure: bool
) -> Iterator[Finding]:
    for each in left:
        names = (each.scheduler,) if each.scheduler else tuple(hub.policy.schedulers)
        running = next(((name, job) for name in answers if (job := answers[name].of(each.token))), None)
        if running is not None:
            name, job = running
            what = f"{name} job {job} belongs to no recorded kernel: its server is gone, or could not write the record"
            hint = f"it ends by itself if no server comes back; to end it now: {_cancel(hub, name, job)}"
            yield Finding("job", what, hint, scheduler=name, job=job)
        elif each.age_s > OLD_S and all(name in answers for name in names):
            what = f"{each.path} is left over: its launch has neither a record nor a job"
            here = each.host == socket.gethostname()
            where = "" if here else f" if no launch on {each.host or 'another host'} needs it"
            hint = f"to remove it{where}: jupyter hpcctr doctor --remove"
            yield Finding("files", what, hint, path=str(each.path), sure=sure and here)


def _elsewhere(
    hub: Hub, left: Collection[str], recorded: Collection[str], answers: Mapping[str, _Answer]
) -> Iterator[Finding]:
    """Yield jobs of ours of which there is nothing in this state directory."""
    for name, answer in answers.items():
        for token in sorted(answer.jobs):
            job = answer.of(token)
            if job is not None and token not in left and _name(token) not in recorded:
                what = f"{name} job {job} is a kernel's, but {hub.policy.state_dir} knows nothing of it"
                hint = f"another state directory may have it; if none has: {_cancel(hub, name, job)}"
                yield Finding("job", what, hint)


def _dead(state_dir: str, records: Iterable[Record], answers: Mapping[str, _Answer]) -> Iterator[Finding]:
    """Yield kernels whose jobs have ended and that no process has."""
    for was in records:
        if not _schedulers(was) <= set(answers) or is_owned(state_dir, was):
            continue
        tokens = {f"{was.name}-{number}": each for number, each in was.jobs.items()}
        if any(answers[each.plan.scheduler].of(token) for token, each in tokens.items()):
            continue
        if any(each.job in answers[each.plan.scheduler].alive for each in was.jobs.values()):
            continue
        path = of_kernel(state_dir, was.kernel.id)
        try:
            age_s = time.time() - (path / NAME).stat().st_mtime
        except OSError:
            continue
        here = was.kernel.host == socket.gethostname()
        if age_s > OLD_S:
            notebook = "" if was.session is None else f" of {was.session.path}"
            what = f"kernel {was.kernel.id}{notebook} ended while no process had it; the last was {was.kernel.owner}"
            hint = f"to remove what is left of it: jupyter hpcctr kernels stop {was.kernel.id}"
            forgotten = here and not was.kernel.root and age_s > FORGOTTEN_S
            yield Finding("kernel", what, hint, path=str(path), sure=forgotten)


def _cancel(hub: Hub, name: str, job: JobId) -> str:
    return opening(hub.scheduler(name).cancel([job])).shown


def _remove(path: str) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)


def _bury(state_dir: str, directory: Path) -> bool:
    """Remove the record of a kernel that has ended, and its jobs' directories; False where a process has it now."""
    try:
        claim = Claim(directory)
    except (OSError, HpcctrError) as error:
        log.info("a kernel's record is not removed: %s", error)
        return False
    names = {was.name for was in looked_through(state_dir)[0] if was.kernel.id == directory.name}
    for each in _directories(state_dir):
        if _name(each.token) in names:
            shutil.rmtree(each.path, ignore_errors=True)
    claim.remove()
    return not os.path.lexists(directory)
