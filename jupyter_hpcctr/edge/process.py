"""The one door to other programs: commands are tuples of words, never a shell line."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..core.job import Command, Output
from ..errors import CommandError, CommandMissing, CommandTimeout
from .figures import Times

log = logging.getLogger(__name__)

# Runs the program in its own place, once the kernel has been told to kill it with the thread that started it. A parent
# that was gone before that has left it to another one.
_MORTAL = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""

LOOK_S = 1.0
SECONDS = Times(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""How long commands have taken in this process, by program and outcome: ok, failed, missing, timeout, other."""
_PASSING = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def run(
    command: Command,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 30.0,
    mortal: bool = False,
    look: Callable[[int], None] | None = None,
) -> Output:
    """Run a command to its end and return what it said, whatever its exit status.

    Parameters
    ----------
    command : Command
        The words, and what goes to standard input.
    env : mapping, optional
        The whole environment; None hands on this process's.
    cwd, timeout_s
        Work directory; seconds after which the command is killed.
    mortal : bool
        Whether the command is to be killed when this process is, even by SIGKILL (prctl(2), PR_SET_PDEATHSIG).
    look : callable, optional
        Called each second with the process id while the command runs. What it raises kills the command and is raised.

    Raises
    ------
    CommandMissing
        The program is not on the PATH.
    CommandTimeout, CommandError
        It did not end in time; it cannot be started: it is not executable, say.
    """
    began, outcome = time.monotonic(), "other"
    try:
        out = _run(command, env, cwd, timeout_s, mortal, look)
        outcome = "ok" if out.returncode == 0 else "failed"
        return out
    except CommandMissing:
        outcome = "missing"
        raise
    except CommandTimeout:
        outcome = "timeout"
        raise
    finally:
        SECONDS.add(time.monotonic() - began, _program(command.argv), outcome)


def _program(argv: Sequence[str]) -> str:
    """Return the name of a program, or of the module of ours that Python runs."""
    if argv[0] == sys.executable and argv[1:2] == ("-m",):
        return argv[2].rpartition(".")[2]
    return Path(argv[0]).name


def _run(
    command: Command,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    timeout_s: float,
    mortal: bool,
    look: Callable[[int], None] | None,
) -> Output:
    name = command.argv[0]
    log.debug("run %s", command.argv)
    try:
        argv = _mortal(command.argv, env) if mortal else command.argv
        if look is None:
            done = _done(argv, command.stdin, env, cwd, timeout_s)
        else:
            done = _watched(argv, command.stdin, env, cwd, timeout_s, look)
    except FileNotFoundError as error:
        raise CommandMissing(f"{name} is not installed", hint=f"install it, or put it on the PATH: {error}") from error
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode(errors="replace")
        raise CommandTimeout(f"{name} did not answer in {timeout_s:g} s", stderr=said) from error
    except OSError as error:
        raise _not_started(name, error) from error
    return Output(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def _mortal(argv: tuple[str, ...], env: Mapping[str, str] | None) -> tuple[str, ...]:
    if shutil.which(argv[0], path=None if env is None else env.get("PATH", os.defpath)) is None:
        raise CommandMissing(f"{argv[0]} is not installed", hint="install it, or put it on the PATH")
    return (sys.executable, "-S", "-E", "-c", _MORTAL, str(os.getpid()), *argv)


def _done(
    argv: Sequence[str], stdin: str, env: Mapping[str, str] | None, cwd: Path | None, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv,
        input=stdin.encode(),
        capture_output=True,
        env=None if env is None else dict(env),
        cwd=cwd,
        timeout=timeout_s,
        check=False,
    )


def _watched(
    argv: Sequence[str],
    stdin: str,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    timeout_s: float,
    look: Callable[[int], None],
) -> subprocess.CompletedProcess[bytes]:
    given: bytes | None = stdin.encode()
    until = time.monotonic() + timeout_s
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if env is None else dict(env),
        cwd=cwd,
    ) as child:
        try:
            while True:
                try:
                    out, err = child.communicate(given, timeout=LOOK_S)
                    return subprocess.CompletedProcess(argv, child.returncode, out, err)
                except subprocess.TimeoutExpired as error:
                    if time.monotonic() >= until:
                        raise subprocess.TimeoutExpired(argv, timeout_s, stderr=error.stderr) from error
                    given = None
                    look(child.pid)
        except BaseException:
            child.kill()
            raise


def _not_started(name: str, error: OSError) -> CommandError:
    passing = error.errno in _PASSING
    hint = "this machine has too little left: try again later" if passing else f"see that {name} can be run by hand"
    told = CommandError(f"{name} cannot be started: {error.strerror or error}", hint=hint)
    told.transient = passing
    return told


def check(
    command: Command,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 30.0,
    mortal: bool = False,
    look: Callable[[int], None] | None = None,
) -> str:
    """Run a command that must succeed, and return its standard output.

    Raises
    ------
    CommandError
        Exit status other than 0; the last lines of its standard error are in the message.
    """
    out = run(command, env=env, cwd=cwd, timeout_s=timeout_s, mortal=mortal, look=look)
    if out.returncode != 0:
        said = (out.stderr.strip() or out.stdout.strip())[-2000:]
        raise CommandError(
            f"{command.argv[0]} failed with status {out.returncode}: {said}",
            returncode=out.returncode,
            stderr=out.stderr,
        )
    return out.stdout


def start(command: Command, *, env: Mapping[str, str], log_file: Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a long-lived program in a session of its own, with its output in a file.

    Raises
    ------
    CommandMissing
        The program is not on the PATH.
    """
    with log_file.open("ab") as out:
        try:
            return subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise CommandMissing(f"{command.argv[0]} is not installed", hint=str(error)) from error


Conversation = subprocess.Popen[bytes]
"""A program with which this process talks."""


def converse(command: Command, *, env: Mapping[str, str]) -> Conversation:
    """Start a program that reads and prints lines, in a session of its own.

    It is killed with the *thread* that has called this, even by SIGKILL (prctl(2), PR_SET_PDEATHSIG).

    Raises
    ------
    CommandMissing, CommandError
        The program is not on the PATH; it cannot be started.
    """
    try:
        child = subprocess.Popen(
            _mortal(command.argv, env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
    except OSError as error:
        raise _not_started(command.argv[0], error) from error
    if child.stdin is not None:
        os.set_blocking(child.stdin.fileno(), False)
    return child


def end_conversation(child: Conversation, *, patience_s: float) -> int:
    """Wait for its end, kill it with what it has started where it takes longer, and return its status."""
    try:
        return child.wait(timeout=patience_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        return child.wait()
