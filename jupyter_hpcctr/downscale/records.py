"""What is kept of local jobs: one 0600 JSON file each, in one directory, written whole or not at all."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..edge import files
from . import processes

KEEP_S = 24 * 3600.0
"""Seconds for which the record of an ended job is kept."""


class Record(NamedTuple):
    """One job. Times are seconds since the epoch; ``pid`` and ``pid_start`` are its supervisor's, ``main``
    and ``main_start`` its first process's (see ``processes.Process.start``). ``ending`` and ``signal`` are as
    in ``core.job.JobStatus``; ``ending`` is "" until the job has ended. ``token`` is what the job can be found by.
    """

    id: str
    argv: tuple[str, ...]
    name: str
    workdir: str
    log_file: str
    time_limit_s: float | None = None
    mem_mb: int | None = None
    cpus: tuple[int, ...] = ()
    pid: int = 0
    pid_start: int = 0
    main: int = 0
    main_start: int = 0
    started: float = 0.0
    ended: float = 0.0
    ending: str = ""
    exit_code: int | None = None
    signal: int | None = None
    token: str = ""


def directory() -> Path:
    """Return the directory of the records, made if needed.

    It is that of ``HPCCTR_LOCAL_JOBS``, else one in the user's state directory.

    Raises
    ------
    UnsafePath, OSError
        It cannot be used, or is not the caller's alone.
    """
    given = os.environ.get("HPCCTR_LOCAL_JOBS")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return files.private_dir(Path(given) if given else Path(state) / "jupyter_hpcctr" / "local")


def save(where: Path, record: Record) -> None:
    """Write a job's record."""
    files.write_private(where / f"{record.id}.json", json.dumps(record._asdict()))


def load(where: Path, job: str) -> Record | None:
    """Read a job's record, None where there is none."""
    if not job.isdecimal():
        return None
    try:
        plain = json.loads((where / f"{job}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Record(**plain | {"argv": tuple(plain["argv"]), "cpus": tuple(plain["cpus"])})


def everything(where: Path) -> Iterator[Record]:
    """Yield all records."""
    for path in where.glob("[0-9]*.json"):
        found = load(where, path.stem)
        if found is not None:
            yield found


def next_id(where: Path) -> str:
    """Return an id that no job of this directory has had; the caller holds the directory's lock."""
    counter = where / "last"
    last = int(counter.read_text()) if counter.exists() else 0
    files.write_private(counter, str(last + 1))
    return str(last + 1)


def prune(where: Path) -> None:
    """Forget jobs that ended long ago."""
    for path in where.glob("[0-9]*.json"):
        record = load(where, path.stem)
        if record is not None and record.ending and time.time() - record.ended > KEEP_S:
            path.unlink(missing_ok=True)


def supervisor(record: Record) -> processes.Process | None:
    """Return the job's supervisor, None where it is gone."""
    return _same(record.pid, record.pid_start)


def main_process(record: Record) -> processes.Process | None:
    """Return the job's first process, None where it is gone."""
    return _same(record.main, record.main_start)


def _same(pid: int, start: int) -> processes.Process | None:
    found = processes.read(pid) if pid else None
    return found if found is not None and found.start == start else None
