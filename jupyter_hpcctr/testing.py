"""Contracts for the authors of plug-ins: what an engine must keep, checked on the real thing.

``Node`` does with an engine what the agent does on a node, ``LOOK`` is a program that tells what it sees
from inside, and ``broken_promises`` says in sentences what is wrong with it::

    with Node(engine, Container(...), run_dir=tmp_path, env={"PATH": "/usr/bin:/bin"}) as node:
        inside = look(node.join, words=("a b", ""))
        assert broken_promises(inside, node, words=("a b", "")) == []

``tests/contract/test_engines.py`` is the whole suite; it runs over every engine that is given to it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .core.facts import DROP_ENV
from .core.job import Command, Output
from .core.plan import Container
from .core.seams import Engine
from .edge import process
from .errors import EngineError
from .guest import environment
from .protocol.shared import EngineCommand
from .protocol.words import HOLDER_PID

if TYPE_CHECKING:
    import subprocess

LOOK = """
import json, os, re, sys
def creates(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    except OSError:
        return False
    os.unlink(path)
    return True
text = lambda raw: raw.decode("utf-8", "surrogateescape")
unescape = lambda found: bytes([int(found[1], 8)])
mounts = [re.sub(rb"\\\\([0-7]{3})", unescape, l.split()[4]) for l in open("/proc/self/mountinfo", "rb")]
status = dict(line.rstrip("\\n").partition(":\\t")[::2] for line in open("/proc/self/status"))
pairs = [pair.partition(b"=")[::2] for pair in open("/proc/self/environ", "rb").read().split(b"\\0") if pair]
json.dump({
    "words": sys.argv[1:], "cwd": os.getcwd(), "pid": os.getpid(), "ids": [os.getuid(), os.getgid()],
    "env": {text(k): text(v) for k, v in pairs}, "mounts": [text(m) for m in mounts],
    "no_new_privs": status["NoNewPrivs"], "writable": [d for d in ("/", "/usr/", "/etc/") if creates(d + ".probe")],
    "shm_device": os.stat("/dev/shm").st_dev,
    "namespaces": {n: os.readlink("/proc/self/ns/" + n) for n in ("user", "mnt", "net", "ipc", "pid", "uts")},
}, sys.stdout)
"""
"""A Python program that prints what it sees as JSON."""

PATIENCE_S = 60.0
Run = Callable[[Sequence[str]], Output]


class Node:
    """One container on this machine, started as the agent starts it; a context manager.

    Parameters
    ----------
    engine : Engine
        Whose words are run.
    container : Container
        What they are made for. Its ``env_file`` is written and its ``mount_point`` made.
    run_dir : Path
        A directory of our own: work directory and log of the commands.
    env : mapping
        The environment that programs are to have inside.
    host_env : mapping
        More of the environment outside, none of which may get in but what a program without a container needs.
    drop_env : sequence of str
        Patterns of variables outside that may not get in at all.
    """

    def __init__(
        self,
        engine: Engine,
        container: Container,
        *,
        run_dir: Path,
        env: Mapping[str, str],
        host_env: Mapping[str, str] | None = None,
        drop_env: Sequence[str] = DROP_ENV,
    ) -> None:
        self.engine = engine
        self.container = container
        self.run_dir = run_dir
        self.env = dict(env)
        self.drop_env = tuple(drop_env)
        self.host_env = {"PATH": os.environ["PATH"], "USER": "contract", **(host_env or {})}
        self.holder: subprocess.Popen[bytes] | None = None
        self.holder_pid = HOLDER_PID

    def __enter__(self) -> Node:
        """Make what the engine was told of.

        Raises
        ------
        EngineError
            The engine refuses it; then nothing was made.
        """
        self.engine.check(self.container)
        Path(self.container.mount_point).mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(self.container.env_file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write_environment()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the holder and everything in its session."""
        self.end()

    def write_environment(self) -> None:
        """Write ``env`` to the container's environment file, as the agent does before it runs a command."""
        Path(self.container.env_file).write_text(environment.lines(self.env), encoding="utf-8")

    def command(self, argv: Sequence[str]) -> Output:
        """Run a program in a container of its own, to its end."""
        return self._run(self.engine.command(self.container, argv))

    def join(self, argv: Sequence[str]) -> Output:
        """Run a program in the held container, to its end."""
        return self._run(self.joining(argv))

    def joining(self, argv: Sequence[str]) -> EngineCommand:
        """Return the words that run a program in the held container.

        Raises
        ------
        EngineError
            The engine cannot join.
        """
        words = self.engine.join(self.container, self.holder_pid, argv)
        if words is None:
            raise EngineError(f"the engine {self.engine.name!r} cannot join", hint="use its command")
        return words

    def start(self, words: EngineCommand) -> subprocess.Popen[bytes]:
        """Start a command in the background, in a session of its own."""
        env, cwd = self._surroundings(words)
        return process.start(Command(words.argv), env=env, log_file=self.run_dir / "log", cwd=cwd)

    def hold(self, argv: Sequence[str], pid_file: Path) -> None:
        """Start the parked program and wait until it has written its process id.

        Raises
        ------
        EngineError
            It ended instead, or did not write it in time.
        """
        self.holder = self.start(self.engine.hold(self.container, argv))
        until = time.monotonic() + PATIENCE_S
        while not pid_file.exists():
            if self.holder.poll() is not None or time.monotonic() > until:
                said = (self.run_dir / "log").read_text(errors="replace")[-2000:]
                raise EngineError(f"the holder did not start: {said}", hint="run its words by hand")
            time.sleep(0.01)
        self.holder_pid = pid_file.read_text().strip()

    def end(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal to the holder's process group and wait for the engine's command."""
        if self.holder is not None:
            if self.holder.poll() is None:
                os.killpg(self.holder.pid, signum)
            self.holder.wait(PATIENCE_S)

    def _run(self, words: EngineCommand) -> Output:
        env, cwd = self._surroundings(words)
        return process.run(Command(words.argv), env=env, cwd=cwd, timeout_s=PATIENCE_S)

    def _surroundings(self, words: EngineCommand) -> tuple[Mapping[str, str], Path]:
        reads = words.reads_env_file
        env = environment.of_command(self.env, self.host_env, self.drop_env, reads_env_file=reads)
        return env, self.run_dir if reads else Path(self.container.workdir)


def look(run: Run, *, python: str = "python3", words: Sequence[str] = ()) -> Mapping[str, Any]:
    """Run ``LOOK`` with ``words`` by a Node's ``command`` or ``join`` and return what it saw.

    Raises
    ------
    EngineError
        It did not run, or said something else.
    """
    out = run((python, "-c", LOOK, *words))
    if out.returncode != 0:
        raise EngineError(f"status {out.returncode}: {out.stderr[-2000:]}", hint="run the engine's words by hand")
    seen: Mapping[str, Any] = json.loads(out.stdout)
    return seen


def broken_promises(
    inside: Mapping[str, Any], node: Node, *, words: Sequence[str] = (), marks: frozenset[str] = frozenset()
) -> list[str]:
    """Return what an engine did not keep, as sentences; empty where all is well.

    Parameters
    ----------
    inside : mapping
        What ``look`` saw.
    node : Node
        Where it looked.
    words : sequence of str
        The words that it was given.
    marks : frozenset of str
        Names of the variables by which an engine tells programs that they are in a container.
    """
    container = node.container
    env = {name: value for name, value in inside["env"].items() if name not in marks}
    bare = container.kind == "none"
    outside = environment.compose({}, node.host_env, environment.HOST_ENV, node.drop_env) if bare else {}
    expected: list[tuple[str, object, object]] = [
        ("words", list(words), inside["words"]),
        ("work directory", container.workdir, inside["cwd"]),
        ("uid and gid", [os.getuid(), os.getgid()], inside["ids"]),
        ("environment", {**outside, **node.env}, env),
        ("device of /dev/shm", os.stat("/dev/shm").st_dev, inside["shm_device"]),  # noqa: PTH116, S108
        *((f"{ns} namespace", os.readlink(f"/proc/self/ns/{ns}"), inside["namespaces"][ns]) for ns in ("net", "pid")),  # noqa: PTH115
    ]
    if not bare:
        expected += [
            ("NoNewPrivs", "1", inside["no_new_privs"]),
            ("writable places of the image", [], inside["writable"]),
            *((f"times that {m.target!r} is mounted", 1, inside["mounts"].count(m.target)) for m in container.mounts),
        ]
    return [f"{what}: {wanted!r} wanted, {got!r} seen" for what, wanted, got in expected if wanted != got]


def leftovers(node: Node) -> list[str]:
    """Return the processes and mounts that a node's holder has left behind, once it has ended."""
    session = "" if node.holder is None else str(node.holder.pid)
    found = [f"process {pid}" for pid in _processes() if _field(pid, 3) == session or str(pid) == node.holder_pid]
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    return found + ([f"mount {node.container.mount_point}"] if f" {node.container.mount_point} " in mounts else [])


def _processes() -> list[int]:
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in numbers if _field(pid, 0) not in ("", "Z", "X")]


def _field(pid: int, number: int) -> str:
    # proc(5), /proc/pid/stat: state, parent, process group, session … after the name in parentheses
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[number]
    except (FileNotFoundError, ProcessLookupError):
        return ""
