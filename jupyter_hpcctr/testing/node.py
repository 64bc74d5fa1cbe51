"""One container on this machine, started as the agent starts it on a node: all that the suite knows of engines.

The suite's cases speak of programs and what they see; whatever an engine's methods are, ``Node`` calls them.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from .. import enginekit
from ..agent.children import Child
from ..agent.engine import cgroups
from ..core.facts import Policy
from ..core.job import Command, Output
from ..core.seams import Engine
from ..edge import process
from ..errors import EngineError
from ..guest import environment
from ..protocol.container import Container, EngineCommand, NodeFacts, Program
from . import rules, waiting
from .waiting import PATIENCE_S

_SCRIPTS = Path(enginekit.__file__).parent
_MIDDLE = "import json, subprocess, sys; subprocess.run(json.loads(sys.argv[1]), start_new_session=True)"


class Node:
    """A container and the programs in it; a context manager.

    Parameters
    ----------
    engine : Engine
        Whose words are run.
    container : Container
        What they are made for. Its ``scratch`` directory is made.
    run_dir : Path
        A directory of our own: work directory and log of the commands.
    env : mapping
        The environment that the launch sets for the programs inside.
    host_env : mapping
        More of the job's environment, beside PATH, HOME, USER and LOGNAME.
    image_env : mapping
        What the image says where the job says nothing.
    policy : Policy or None
        ``pass_env`` and ``drop_env``: which of the job's variables get in, and which never do.
    """

    def __init__(
        self,
        engine: Engine,
        container: Container,
        *,
        run_dir: Path,
        env: Mapping[str, str],
        host_env: Mapping[str, str] | None = None,
        image_env: Mapping[str, str] | None = None,
        policy: Policy | None = None,
    ) -> None:
        user = pwd.getpwuid(os.getuid())
        own = {"PATH": os.environ["PATH"], "HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
        self.engine = engine
        self.container = container
        self.run_dir = run_dir
        self.env = dict(env)
        self.host_env = {**own, **(host_env or {})}
        self.image_env = dict(image_env or {})
        self.policy = policy or rules.POLICY
        self.holder: Child | None = None
        self.holder_pid = ""
        self._begun: list[Child] = []
        self._commands = 0

    def __enter__(self) -> Node:
        """Make what the engine was told of.

        Raises
        ------
        EngineError
            The engine refuses it; then nothing was made.
        """
        self.check()
        Path(self.container.scratch).mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what was begun, then the holder, with everything in their sessions."""
        for child in self._begun:
            child.end(patience_s=0)
        self.end()
        self.remove()
        if self.holder_pid and waiting.is_running(int(self.holder_pid)):  # a case's own one does not watch its parents
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(self.holder_pid), signal.SIGKILL)

    def check(self) -> None:
        """Ask the engine whether it can run this container, as ``plan`` does; raises ``EngineError``."""
        self.engine.check(self.container)

    def inside(self) -> dict[str, str]:
        """Return the environment that programs in the container are to have, composed as the agent does."""
        rules = self.policy
        return environment.compose(self.env, self.host_env, rules.pass_env, rules.drop_env, self.image_env)

    def write_environment(self, name: str = "env", *, quoted: bool = True) -> None:
        """Write that environment down, as the agent does before it runs a command."""
        (self.run_dir / name).write_text(environment.lines(self.inside(), quoted=quoted), encoding="utf-8")

    # -- programs that are waited for

    def command(self, argv: Sequence[str]) -> Output:
        """Run a program in a container of its own, to its end; raises ``CommandMissing`` without the engine's own."""
        self._commands += 1
        name, scratch = (f"{text}-{self._commands}" for text in (self.container.name, self.container.scratch))
        Path(scratch).mkdir(mode=0o700)
        own = replace(self.container, name=name, scratch=scratch)
        return self._run(self.engine.start(own, self._program(argv), self.facts))

    def join(self, argv: Sequence[str]) -> Output:
        """Run a program in the held container, to its end."""
        return self._run(self.entering(argv))

    def enter(self, argv: Sequence[str]) -> Output:
        """Run a program in the held container as ranks are: each has an environment file of its own.

        The command is a child of the ranks' launcher then, with its whole environment but ``TMPDIR``.
        """
        command = self.engine.enter(self.container, self.holder_pid, self._program(argv, "rank.env"), self.facts)
        whole = {name: value for name, value in self.host_env.items() if name != "TMPDIR"}
        return self._run(command, name="rank.env", env=None if command.environment == "process" else whole)

    # -- programs in the background

    def begin(self, argv: Sequence[str]) -> Child:
        """Start a program in the held container, in a session of its own, as the agent does with a kernel."""
        self._begun.append(self._start(self.entering(argv)))
        return self._begun[-1]

    def hold(self, argv: Sequence[str], pid_file: Path) -> None:
        """Start the parked program and wait until it has written its process id.

        Raises
        ------
        EngineError
            It ended instead, or did not write it in time.
        """
        self.holder = holder = self._start(self.engine.start(self.container, self._program(argv), self.facts))
        waiting.until(lambda: pid_file.exists() or holder.code is not None, "the holder does not start")
        if not pid_file.exists():
            said = (self.run_dir / "log").read_text(errors="replace")[-2000:]
            raise EngineError(f"the holder did not start: {said}", hint="run its words by hand")
        self.holder_pid = pid_file.read_text().strip()

    def hold_below(self, argv: Sequence[str], pid_file: Path) -> Child:
        """Start the parked program as the child of another process, and return that one."""
        command = self.engine.start(self.container, self._program(argv), self.facts)
        middle = (sys.executable, "-c", _MIDDLE, json.dumps(command.argv))
        self._begun.append(self._start(replace(command, argv=middle)))
        self.holder_pid = waiting.content(pid_file).strip()
        return self._begun[-1]

    def end(self, signum: int = signal.SIGKILL, *, group: bool = True) -> None:
        """Send a signal to the engine's command that holds the container, or to its whole group, and wait for it."""
        if self.holder is not None:
            if self.holder.code is None:
                self.holder.signal(signum) if group else os.kill(self.holder.pid, signum)
            self.holder.ended(patience_s=PATIENCE_S)

    def remove(self) -> None:
        """Remove what is left of the container, as the next agent on the node does."""
        if (command := self.engine.remove(self.container, self.facts)) is not None:
            self._run(command)

    # -- how

    @property
    def facts(self) -> NodeFacts:
        """What the engine is told of this machine."""
        return NodeFacts(sys.executable, str(_SCRIPTS), os.getuid(), os.getgid(), cgroups())

    def entering(self, argv: Sequence[str]) -> EngineCommand:
        """Return what runs a program in the held container."""
        return self.engine.enter(self.container, self.holder_pid, self._program(argv), self.facts)

    def _program(self, argv: Sequence[str], name: str = "env") -> Program:
        return Program(tuple(argv), f"{self.run_dir}/{name}", {} if name == "rank.env" else self.inside())

    def _start(self, command: EngineCommand) -> Child:
        env, cwd = self._surroundings(command, "env")
        child = Child(command.argv, env=env, cwd=str(cwd), log=str(self.run_dir / "log"))
        child.pid_file = command.pid_file
        return child

    def _run(self, command: EngineCommand, *, name: str = "env", env: Mapping[str, str] | None = None) -> Output:
        own, cwd = self._surroundings(command, name)
        return process.run(Command(command.argv), env=own if env is None else env, cwd=cwd, timeout_s=PATIENCE_S)

    def _surroundings(self, command: EngineCommand, name: str) -> tuple[Mapping[str, str], Path]:
        """Return environment and work directory of a command, whose files are written."""
        reads, inside = command.environment != "process", self.inside()
        if reads:
            self.write_environment(name, quoted=command.environment == "quoted")
        for path, text in command.files.items():
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")
        env = environment.of_command(inside, self.host_env, self.policy.drop_env, reads_env_file=reads)
        return env, self.run_dir if reads else Path(self.container.workdir)


def leftovers(node: Node) -> list[str]:
    """Return the processes and mounts that a node's holder has left behind, once it has ended."""
    session = "" if node.holder is None else str(node.holder.pid)
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    running = [pid for pid in numbers if waiting.is_running(pid)]
    ours = (pid for pid in running if waiting.stat_field(pid, 3) == session or str(pid) == node.holder_pid)
    found = [f"process {pid}" for pid in ours]
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    return found + ([f"mount {node.container.scratch}"] if f" {node.container.scratch}" in mounts else [])
