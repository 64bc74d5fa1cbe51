"""A local job's supervisor: starts it, holds it to its limits, and leaves no process of it behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from ..core.job import Command, Ending
from ..edge import process
from ..errors import CommandMissing
from . import processes, records
from .records import Record

GRACE_S = 3.0
"""Seconds between SIGTERM and SIGKILL for a job that is ended."""
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2), linux/prctl.h
_MEMORY_CHECK_S = 0.5
_CHECK_S = 3600.0


def supervise(where: Path, record: Record, ready: Callable[[], None]) -> None:
    """Run a job to its end. ``ready`` is called once its record says that it runs, or has ended already.

    SIGTERM to the supervisor cancels the job. Whatever a job's process forks, and however it detaches
    itself, stays below this process (a child subreaper, prctl(2)) and is ended with the job.
    """
    wake = _wake_on_signals()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    me = processes.read(os.getpid())
    record = record._replace(pid=os.getpid(), pid_start=me.start if me else 0, started=time.time())
    if record.cpus:
        os.sched_setaffinity(0, record.cpus)
    try:
        main = _start(record)
    except (CommandMissing, OSError) as error:
        with Path(record.log_file).open("a") as log:
            print(f"the job's program cannot be started: {error}", file=log)
        code = 127 if isinstance(error, CommandMissing) else 126
        records.save(where, _ended(record, Ending.FAILED, code))
        return ready()
    found = processes.read(main)
    record = record._replace(main=main, main_start=found.start if found else 0)
    records.save(where, record)
    ready()
    job = _Job(main, wake)
    ending = job.wait(record)
    job.clear()
    code = job.code if job.code is not None else -signal.SIGKILL
    if ending is None:
        ending = Ending.COMPLETED if code == 0 else Ending.FAILED
    records.save(where, _ended(record, ending, code))
    return None


def _start(record: Record) -> int:
    env = {**os.environ, "HPCCTR_JOB_ID": record.id}
    child = process.start(Command(record.argv), env=env, log_file=Path(record.log_file), cwd=Path(record.workdir))
    child.returncode = 0  # collected below, together with what the job leaves to its supervisor
    return child.pid


class _Job:
    """The processes below this one, of which one is the job's first."""

    def __init__(self, main: int, wake: socket.socket) -> None:
        self._main = main
        self._wake = wake
        self.code: int | None = None
        """The first process's exit code, negative for a signal; None while it runs."""

    def wait(self, record: Record) -> Ending | None:
        """Wait for the first process's end, or a reason to end the job; None for an end of its own accord."""
        limit = record.time_limit_s
        deadline = time.monotonic() + limit if limit is not None else float("inf")
        while not self._collect():
            if time.monotonic() >= deadline:
                return Ending.TIMEOUT
            if record.mem_mb is not None and processes.resident_mb(_below()) > record.mem_mb:
                return Ending.OUT_OF_MEMORY
            step = _CHECK_S if record.mem_mb is None else _MEMORY_CHECK_S
            if signal.SIGTERM in self._pause(min(step, deadline - time.monotonic())):
                return Ending.CANCELLED
        return None

    def clear(self) -> None:
        """End every process that is left, also those that are forked meanwhile: SIGTERM, then SIGKILL."""
        told: set[processes.Process] = set()
        killing = time.monotonic() + GRACE_S
        while left := set(_below()):
            late = time.monotonic() > killing
            processes.send(left if late else left - told, signal.SIGKILL if late else signal.SIGTERM)
            told |= left
            self._pause(0.05)
            self._collect()
        self._collect()

    def _pause(self, seconds: float) -> bytes:
        readable, _, _ = select.select([self._wake], [], [], max(0.0, seconds))
        return self._wake.recv(64) if readable else b""

    def _collect(self) -> bool:
        """Take leave of processes that have ended; say whether the first one is among them."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self._main:
                    self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None


def _below() -> tuple[processes.Process, ...]:
    return processes.descendants(os.getpid())


def _ended(record: Record, ending: Ending, code: int) -> Record:
    signum = -code if code < 0 else None
    return record._replace(ended=time.time(), ending=ending.name, exit_code=max(0, code), signal=signum)


def _wake_on_signals() -> socket.socket:
    """Return a socket on which each SIGTERM and SIGCHLD arrives as a byte (signal.set_wakeup_fd)."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach())
    for signum in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(signum, lambda *_: None)
    return reader
