"""One rank of a world on this node, as its relay sees it: two processes, two FIFOs, and what waits for a mark."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from ..guest.mpirun import offspring
from .bundle import Bundle
from .fifo import CAPACITY, Fifo
from .noted import Noted
from .spill import Spill

KILL_S = 0.5


class RankProcess:
    """Puts text and messages of a rank in order, and bounds the text of a cell."""

    def __init__(self, world: str, rank: int, *, directory: str, token: str, wrapper: int) -> None:
        self.world, self.rank, self._wrapper = world, rank, wrapper
        base = f"{directory}/{world}.{rank}"
        with contextlib.ExitStack() as opened:
            self.out, self.err = (
                opened.enter_context(contextlib.closing(Fifo(f"{base}.{name}", token))) for name in ("out", "err")
            )
            self.wrapper_fd = os.pidfd_open(wrapper)
            opened.pop_all()
        self.pid = 0
        self.status: int | None = None
        self.gone = False
        self.spill: Spill | None = None
        self._pid_fd = -1
        self._ended: set[int] = set()
        self._waiting: collections.deque[tuple[int, str, tuple[Any, ...]]] = collections.deque()
        self._passed = 0
        self._noted = Noted()

    def entered(self, pid: int) -> None:
        """Remember the process itself; one that has ended already is none."""
        self.pid = pid
        with contextlib.suppress(ProcessLookupError):
            self._pid_fd = os.pidfd_open(pid)

    def signal(self, signum: int) -> None:
        """Send a signal to the process, never to another one that got its number."""
        _send(self._pid_fd, signum)

    def begin_kill(self) -> None:
        """Stop the wrapper, which frees no number of its children then, and kill the process and its group."""
        _send(self.wrapper_fd, signal.SIGSTOP)
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._pid_fd, 0)  # the number is still its own
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
        _send(self._pid_fd, signal.SIGKILL)

    def note_offspring(self) -> None:
        """Remember what the process has started by now, in case that it and its wrapper are killed."""
        self._noted.look(self.pid, self._wrapper)

    def kill_noted(self) -> None:
        """Kill what was remembered: the wrapper was killed, and does not do it."""
        self._noted.kill()

    def kill_children(self) -> bool:
        """Kill what is below the stopped wrapper now; return whether there may be more.

        A child hands its own to the wrapper when it ends, perhaps after these were listed: only where all that are
        listed had ended before, there are no others.
        """
        listed = offspring.children(self._wrapper)
        new = [pid for pid in listed if pid not in self._ended]
        for pid in new:
            with contextlib.suppress(OSError):
                descriptor = os.pidfd_open(pid)
                try:
                    signal.pidfd_send_signal(self.wrapper_fd, 0)  # it is the wrapper still whose children these are
                    if offspring.has_ended(descriptor):
                        self._ended.add(pid)
                    elif offspring.parent(pid) == self._wrapper:
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                finally:
                    os.close(descriptor)
        return bool(new)

    def kill_wrapper(self) -> None:
        """Kill the wrapper itself, at last."""
        _send(self.wrapper_fd, signal.SIGKILL)

    def catches(self, signum: int) -> bool:
        """Return whether the process has a handler for a signal (proc(5), "SigCgt"); else it would end by it."""
        try:
            with open(f"/proc/{self.pid}/status", encoding="utf-8", errors="replace") as file:
                caught = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt:"))
        except (OSError, StopIteration):
            return False
        return bool(caught >> (signum - 1) & 1)

    def say(self, seq: int, kind: str, *rest: Any) -> None:
        """Keep a message until both FIFOs have shown its mark."""
        self._waiting.append((seq, kind, rest))

    def pump(self, bundle: Bundle) -> None:
        """Hand on what is in order by now."""
        while True:
            for stream, fifo in (("stdout", self.out), ("stderr", self.err)):
                while fifo.pieces and not self._is_ahead(fifo.pieces[0]):
                    self._text(bundle, stream, fifo.pieces.popleft())
            if self.gone:
                self._forget_marks()
            elif not self._passed_mark():
                return
            if self._waiting:
                _, kind, rest = self._waiting.popleft()
                if kind == "done" and self.spill is not None:
                    self._close_spill(bundle)
                bundle.add(kind, [self.rank], *rest)
            elif not (self.out.pieces or self.err.pieces):
                return

    def _is_ahead(self, piece: str | int) -> bool:
        """Whether it is a mark that has not been passed: a forked child may repeat its parent's."""
        return isinstance(piece, int) and piece > self._passed

    def _passed_mark(self) -> bool:
        """Drop a mark from both, when it is at the head of both and its message has come."""
        heads = [fifo.pieces[0] if fifo.pieces else None for fifo in (self.out, self.err)]
        if None in heads or not self._waiting or heads[0] != heads[1] or heads[0] != self._waiting[0][0]:
            return False
        self._passed = self._waiting[0][0]
        self._forget_marks()
        return True

    def _forget_marks(self) -> None:
        for fifo in (self.out, self.err):
            if fifo.pieces and isinstance(fifo.pieces[0], int):
                fifo.pieces.popleft()

    def _text(self, bundle: Bundle, stream: str, text: str | int) -> None:
        if isinstance(text, int):
            return
        shown = text if self.spill is None else self.spill.take(text)
        if shown:
            bundle.add("out", [self.rank], stream, shown)

    def _close_spill(self, bundle: Bundle) -> None:
        if self.spill is not None and (spilled := self.spill.close()) is not None:
            bundle.add("spilled", [self.rank], *spilled)
        self.spill = None

    def owes_message(self, bundle: Bundle) -> bool:
        """Whether both FIFOs have shown the mark of a message that has not come; hands on what is before it."""
        self.out.read()
        self.err.read()
        self.pump(bundle)  # leaves no mark at a head that has been passed
        out, err = (fifo.pieces[0] if fifo.pieces else "" for fifo in (self.out, self.err))
        return isinstance(out, int) and out == err and not self._waiting

    def end(self, bundle: Bundle) -> None:
        """Read what is left after the process has ended, and say that it is gone."""
        for fifo in (self.out, self.err):
            fifo.read(most=2 * CAPACITY)  # all that can be there; what it has left behind may go on for ever
            fifo.read(most=1)  # the end
        self.gone = True
        self.pump(bundle)
        self._close_spill(bundle)
        bundle.add("gone", [self.rank], self.status)

    def close(self) -> None:
        """Close every descriptor."""
        self._noted.close()
        self.out.close()
        self.err.close()
        for descriptor in (self._pid_fd, self.wrapper_fd):
            if descriptor >= 0:
                os.close(descriptor)


def _send(descriptor: int, signum: int) -> None:
    """Send a signal to the process of a pidfd, -1 for none; one that has ended gets none."""
    if descriptor >= 0:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signum)


def kill(ranks: Sequence[RankProcess], patience_s: float = KILL_S) -> None:
    """End ranks with all that they have started, in whatever sessions, and then their wrappers.

    A wrapper adopts what its rank leaves, so all of it is below the wrapper for as long as that lives; it is killed
    after ``patience_s`` seconds in any case.
    """
    for rank in ranks:
        rank.begin_kill()
    until = time.monotonic() + patience_s
    while sum(rank.kill_children() for rank in ranks) and time.monotonic() < until:
        time.sleep(offspring.TICK_S)
    for rank in ranks:
        rank.kill_wrapper()
