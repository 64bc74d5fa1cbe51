"""What a rank prints, and the marks in it that keep it in order with what the rank says otherwise."""

from __future__ import annotations

import builtins
import contextlib
import os
import select
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from .interrupts import Interrupts

REFUSAL = "cannot be asked of ranks, whose input is nobody's: set a variable in the notebook and '%mpirun push' it"
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}


class Stdio:
    """Standard output and error of a rank: descriptors 1 and 2, which the relay reads."""

    def __init__(self, token: str, send: Callable[[dict[str, Any]], None], interrupts: Interrupts) -> None:
        self._begin = b"\0" + token.encode()
        self._send, self._interrupts = send, interrupts
        self._lock = threading.Lock()
        self._count, self._pid = 0, os.getpid()
        # A cell may close or redirect 1 and 2, and forget to undo it: the marks must come nevertheless.
        self._descriptors = (os.dup(1), os.dup(2))
        self._streams = _c_streams()

    def prepare(self) -> None:
        """Make Python's streams what the relay expects, and refuse to read."""
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(**_TEXT, line_buffering=True)  # type: ignore[union-attr]
        null = os.open(os.devnull, os.O_RDONLY)  # a launcher may connect the first rank to its own input
        os.dup2(null, 0)
        os.close(null)
        import getpass

        builtins.input = _refusing("input()")
        getpass.getpass = _refusing("getpass()")
        sys.breakpointhook = _refusing("breakpoint()")

    def restore(self) -> None:
        """Give the next cell streams, where one has left none: IPython does not run without."""
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            saved = self._descriptors[descriptor - 1]
            if not _are_same(descriptor, saved):  # closed, or what a file that was opened then has got
                with contextlib.suppress(OSError):
                    os.dup2(saved, descriptor)
            stream = getattr(sys, name, None)
            if not _is_open(stream):
                stream = getattr(sys, f"__{name}__", None)
                if not _is_open(stream):
                    stream = open(descriptor, "w", buffering=1, closefd=False, **_TEXT)  # noqa: SIM115
                    setattr(sys, f"__{name}__", stream)
                setattr(sys, name, stream)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message that the relay is to pass on behind all that was printed before it."""
        self.flush()
        if os.getpid() != self._pid:  # a fork of a cell's has the output, but not the relay's ear
            return
        with self._interrupts, self._lock:
            self._count += 1
            mark = self._begin + b"%08d\n" % self._count
            for descriptor in self._descriptors:
                _write(descriptor, mark)
            self._send({**message, "seq": self._count})

    def note(self, line: str) -> None:
        """Write a line of our own behind all that was printed, wherever standard error goes now."""
        if line:
            self.flush()
            _write(self._descriptors[1], line.encode())

    def flush(self) -> None:
        """Hand over what is in Python's buffers and in C's."""
        for name in ("stdout", "stderr"):
            with contextlib.suppress(Exception):  # whatever the user has put there, or taken away
                getattr(sys, name).flush()
        flush, streams = self._streams
        for stream in streams:  # not fflush(NULL): it waits for each file that some thread is reading
            flush(stream)


def _is_open(stream: Any) -> bool:
    """Whether it can be written to, as far as it says."""
    try:
        return hasattr(stream, "write") and not getattr(stream, "closed", False)
    except Exception:  # a class of the user's
        return False


def _are_same(one: int, other: int) -> bool:
    """Whether two descriptors are of the same file."""
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False


def _c_streams() -> tuple[Any, tuple[Any, ...]]:
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        libc.fflush.argtypes = [ctypes.c_void_p]
        return libc.fflush, tuple(ctypes.c_void_p.in_dll(libc, name) for name in ("stdout", "stderr"))
    except (ImportError, OSError, ValueError, AttributeError):  # a Python without ctypes, a libc with other names
        return None, ()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # the cell has made it non-blocking, and others who share it
            select.select((), (descriptor,), ())


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        from IPython.core.error import StdinNotImplementedError

        raise StdinNotImplementedError(f"{what} {REFUSAL}")

    return refuse
