"""A small batch system for one machine: ``python -m jupyter_hpcctr.downscale.localjobs WORD …``.

=========  ==============================  =====================================================
word       gets                            prints
=========  ==============================  =====================================================
submit     a job as JSON on stdin          ``{"id": …}``, or ``{"refused": …, "hint": …}`` and exits 2
find       tokens                          ``{"token": …, "id": …}``, a line for each job that is known
query      ids                             a JSON line for each job that is known
cancel     ids                             nothing; ends jobs with all of their processes
signal     an id and a number              nothing; signals the job's first process
site       nothing                         ``{"cpus": …, "memory_mb": …, "gpus": …}``
=========  ==============================  =====================================================

A job starts at once, as a session with a supervisor of its own. Exit status 3 says that the records cannot
be read or written.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..edge import locks
from ..errors import SubmitRefused, UnsafePath
from . import processes, records
from .records import Record

REFUSED, BROKEN = 2, 3
PARTITION = "local"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one word of the command line."""
    word, *rest = sys.argv[1:] if argv is None else argv
    words: dict[str, Callable[[Path, Sequence[str]], None]] = {
        "submit": _submit,
        "find": _find,
        "query": _query,
        "cancel": _cancel,
        "signal": _signal,
        "site": lambda where, rest: print(json.dumps(machine())),
    }
    try:
        words[word](records.directory(), rest)
    except SubmitRefused as error:
        print(json.dumps({"refused": error.message, "hint": error.hint}))
        return REFUSED
    except (UnsafePath, OSError) as error:
        print(f"localjobs: {error}", file=sys.stderr)
        return BROKEN
    return 0


def machine() -> dict[str, int]:
    """Return how many CPUs and GPUs and how much memory (MiB) jobs can have here."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "gpus": sum(1 for path in Path("/dev").iterdir() if re.fullmatch(r"nvidia[0-9]+", path.name)),
    }


def _submit(where: Path, rest: Sequence[str]) -> None:
    wanted = json.load(sys.stdin)
    _check(wanted, machine())
    with locks.locked(where / "lock"):
        records.prune(where)
        record = Record(
            id=records.next_id(where),
            argv=tuple(wanted["argv"]),
            name=wanted["name"],
            token=wanted.get("token", ""),
            workdir=wanted["workdir"],
            log_file=wanted["log_file"],
            time_limit_s=wanted["time_limit_s"],
            mem_mb=wanted["mem_mb"],
            cpus=_choose_cpus(where, wanted["cpus"]),
        )
        records.save(where, record)
    _launch(where, record)
    print(json.dumps({"id": record.id}))


def _check(wanted: Mapping[str, object], has: Mapping[str, int]) -> None:
    """Refuse what one machine without a queue cannot give."""
    for name, unit in (("cpus", "CPUs"), ("gpus", "GPUs"), ("memory_mb", "MiB of memory")):
        asked = wanted["mem_mb" if name == "memory_mb" else name]
        if isinstance(asked, int) and asked > has[name]:
            raise SubmitRefused(f"{asked} {unit} are asked for, this machine has {has[name]}", hint="ask for less")
    if wanted["nodes"] != 1:
        raise SubmitRefused("several nodes are asked for, this machine is one", hint="ask for one node")
    if wanted["partition"] not in (None, PARTITION):
        raise SubmitRefused(
            f"there is no partition {wanted['partition']!r}", hint=f"leave it out, or say {PARTITION!r}"
        )
    if not Path(str(wanted["workdir"])).is_dir():
        raise SubmitRefused(f"the work directory {wanted['workdir']!r} is not there", hint="make it first")
    try:
        Path(str(wanted["log_file"])).open("ab").close()
    except OSError as error:
        raise SubmitRefused(f"the log file cannot be written: {error}", hint="choose another one") from error


def _choose_cpus(where: Path, count: int | None) -> tuple[int, ...]:
    """Choose CPUs that fewer running jobs hold before others; none where none are asked for."""
    if count is None:
        return ()
    held = [cpu for record in records.everything(where) if records.supervisor(record) for cpu in record.cpus]
    return tuple(sorted(sorted(os.sched_getaffinity(0), key=lambda cpu: (held.count(cpu), cpu))[:count]))


def _launch(where: Path, record: Record) -> None:
    """Fork the supervisor into a session of its own, and wait until the job runs."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _detach(where, record, writer)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        if pipe.read(1) != b"+":
            raise SubmitRefused("the job's supervisor did not start", hint=f"its log file says why: {record.log_file}")


def _detach(where: Path, record: Record, writer: int) -> None:
    """Become the supervisor; never returns. What goes wrong is told in the job's log."""
    os.setsid()
    if os.fork():
        os._exit(0)
    log = os.open(record.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(fd, target)
    from .supervisor import supervise  # ctypes and select are only needed here

    def ready() -> None:
        os.write(writer, b"+")
        os.close(writer)

    supervise(where, record, ready)
    sys.exit(0)


def _find(where: Path, rest: Sequence[str]) -> None:
    for record in sorted(records.everything(where), key=lambda record: int(record.id)):
        if record.token and record.token in rest:
            print(json.dumps({"token": record.token, "id": record.id}))


def _query(where: Path, rest: Sequence[str]) -> None:
    for job in rest:
        record = records.load(where, job)
        if record is not None:
            print(json.dumps(_status(where, record)))


def _status(where: Path, record: Record) -> dict[str, object]:
    ending, reason = record.ending, ""
    if not ending and records.supervisor(record) is None:
        latest = records.load(where, record.id) or record  # it may have ended since the record was read
        ending = latest.ending or "LOST"
        reason = "" if latest.ending else "its supervisor is gone"
        record = latest
    limit = record.started + record.time_limit_s if record.time_limit_s is not None else 0.0
    end = record.ended or limit
    return {
        "id": record.id,
        "state": "ENDED" if ending else "RUNNING",
        "reason": reason,
        "ending": ending or None,
        "exit_code": record.exit_code,
        "signal": record.signal,
        "end_time": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(end)) if end else None,
    }


def _cancel(where: Path, rest: Sequence[str]) -> None:
    for job in rest:
        record = records.load(where, job)
        if record is None or record.ending:
            continue
        owner, main_process = records.supervisor(record), records.main_process(record)
        if owner is not None:
            processes.send([owner], signal.SIGTERM)
        elif main_process is not None:  # the supervisor was killed: nobody else ends what it leaves
            processes.send([main_process, *processes.descendants(main_process.pid)], signal.SIGKILL)


def _signal(where: Path, rest: Sequence[str]) -> None:
    job, number = rest
    record = records.load(where, job)
    found = None if record is None else records.main_process(record)
    if found is not None:
        processes.send([found], signal.Signals(int(number)))


if __name__ == "__main__":
    sys.exit(main())
