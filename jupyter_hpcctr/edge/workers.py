"""Worker processes of schedulers: calls as JSON-RPC 2.0, a message a line; started, timed and restarted here."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import logging
import os
import queue
import select
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..core.job import Command
from ..core.questions import Call, Result
from ..errors import CommandError, SchedulerAway, SchedulerUnreachable
from . import process

log = logging.getLogger(__name__)

END_S = 1.0
BACKOFF_S, BACKOFF_MAX_S = 0.1, 30.0
_AGAIN = "nothing was concluded from that; the worker is started again with the next question"


class WorkerProcess:
    """A program that answers calls, one after the other; a new one is started after one that failed. For any thread.

    Between failures in a row it waits longer and longer, up to ``BACKOFF_MAX_S``.
    """

    def __init__(self, name: str, argv: tuple[str, ...], env: Callable[[], Mapping[str, str]]) -> None:
        self._name, self._argv, self._env = name, argv, env
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._numbers = itertools.count(1)
        self._failures, self._not_before, self._last = 0, 0.0, ""
        self._closed = False

    def call(self, call: Call) -> Result:
        """Call a method and return what the worker answers. Blocking.

        Raises
        ------
        SchedulerAway
            The worker has not been told: it cannot be started, or is busy.
        SchedulerUnreachable
            It did not answer in time, ended, or printed what is no answer. It is ended.
        """
        until = time.monotonic() + call.timeout_s
        if not self._lock.acquire(timeout=call.timeout_s):
            raise SchedulerAway(f"the worker {self._name!r} is busy since {call.timeout_s:g} s", hint=_AGAIN)
        try:
            running = self._started()
            try:
                result = running.answer(next(self._numbers), call, until)
            except _Failed as fault:
                self._running = None
                self._failed(running.end(patience_s=END_S) if fault.ended else str(fault))
                raise SchedulerUnreachable(f"the worker {self._name!r} {self._last}", hint=_AGAIN) from None
            self._failures = 0
            return result
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process, which is given ``END_S`` seconds to end by itself; whoever waits for it hears of that."""
        self._closed = True
        running = self._running
        if running is not None:
            running.end(patience_s=END_S)
        with self._lock:
            self._running = None

    def _started(self) -> _Running:
        if self._running is not None and not self._running.is_over:
            return self._running
        if self._running is not None:
            self._failed(self._running.end(patience_s=0))
            self._running = None
        if self._closed:
            raise SchedulerAway(f"the worker {self._name!r} is not needed any more", hint="nothing was asked")
        left = self._not_before - time.monotonic()
        if left > 0:
            raise SchedulerAway(
                f"the worker {self._name!r} {self._last}",
                hint=f"nothing was asked; it is started again in {left:.1f} s",
            )
        try:
            self._running = _Running(Command(self._argv), self._env())
        except CommandError as error:
            self._failed(f"cannot be started: {error.message}")
            raise SchedulerAway(f"the worker {self._name!r} {self._last}", hint=error.hint) from error
        return self._running

    def _failed(self, how: str) -> None:
        log.warning("the worker %r %s", self._name, how)
        self._last = how
        self._not_before = time.monotonic() + min(BACKOFF_S * 2**self._failures, BACKOFF_MAX_S)
        self._failures = min(self._failures + 1, 16)


class _Failed(Exception):  # noqa: N818
    """A call came to nothing; ``ended``: because the process did."""

    def __init__(self, why: str, *, ended: bool = False) -> None:
        super().__init__(why)
        self.ended = ended


class _Running:
    """One process, and the thread that has started it and reads what it prints.

    The process is killed when that thread ends (prctl(2), PR_SET_PDEATHSIG), so that thread is the process's own.
    """

    def __init__(self, command: Command, env: Mapping[str, str]) -> None:
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._errors: collections.deque[bytes] = collections.deque(maxlen=10)
        self._silent = threading.Event()
        began: queue.SimpleQueue[process.Conversation | Exception] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(command, env, began), name="hpcctr-worker", daemon=True).start()
        child = began.get()
        if isinstance(child, Exception):
            raise child
        self._child = child
        self._hearing = threading.Thread(target=self._hear, args=(child,), name="hpcctr-worker-errors", daemon=True)
        self._hearing.start()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or answers no more; it cannot be asked while another thread waits for it."""
        return self._silent.is_set() or self._child.poll() is not None

    def _read(self, command: Command, env: Mapping[str, str], began: queue.SimpleQueue[Any]) -> None:
        try:
            child = process.converse(command, env=env)
        except Exception as error:  # noqa: BLE001  (raised again where it is waited for)
            began.put(error)
            return
        began.put(child)
        assert child.stdout is not None  # noqa: S101  (it converses)
        with child.stdout:
            for line in child.stdout:
                self._lines.put(line)
        self._silent.set()
        self._lines.put(None)
        child.wait()

    def _hear(self, child: process.Conversation) -> None:
        assert child.stderr is not None  # noqa: S101  (it converses)
        with child.stderr:
            for line in child.stderr:
                self._errors.append(line)

    def answer(self, number: int, call: Call, until: float) -> Result:
        """Make a call and wait for its answer; raises ``_Failed``."""
        asked = {"jsonrpc": "2.0", "id": number, "method": call.method, "params": dict(call.params)}
        self._write(json.dumps(asked).encode() + b"\n", until, call)
        try:
            line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            self.end(patience_s=0)
            raise _Failed(f"did not answer {call.method} in {call.timeout_s:g} s, and was ended") from None
        if line is None:
            raise _Failed("ended", ended=True)
        try:
            return _read(json.loads(line), number)
        except (ValueError, KeyError, TypeError):
            self.end(patience_s=0)
            raise _Failed(f"printed what is no answer, and was ended: {line[:100]!r}") from None

    def _write(self, data: bytes, until: float, call: Call) -> None:
        assert self._child.stdin is not None  # noqa: S101  (it converses)
        pipe = self._child.stdin.fileno()
        try:
            while data:
                left = until - time.monotonic()
                if left <= 0 or not select.select((), (pipe,), (), left)[1]:
                    self.end(patience_s=0)
                    raise _Failed(f"did not take {call.method} in {call.timeout_s:g} s, and was ended")
                data = data[os.write(pipe, data) :]
        except (OSError, ValueError):
            raise _Failed("ended", ended=True) from None

    def end(self, *, patience_s: float) -> str:
        """End it, and return how it ended: that, and its last words."""
        with contextlib.suppress(OSError):
            if self._child.stdin is not None:
                self._child.stdin.close()
        code = process.end_conversation(self._child, patience_s=patience_s)
        self._hearing.join(0.5)
        said = b"".join(self._errors).decode(errors="replace").strip()[-500:]
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"{how}: {said}" if said else how


def _read(found: Any, number: int) -> Result:
    if found["id"] != number:
        raise ValueError("another call's")
    if "error" in found:
        return Result(None, str(found["error"]["message"]), int(found["error"].get("code", 0)))
    return Result(found["result"])
