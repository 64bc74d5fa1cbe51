"""One container on this machine, started as the agent starts it on a node: all that the suite knows of engines.

The suite's cases speak of programs and what they see; whatever an engine's methods are, ``Node`` calls them.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ..agent.children import Child
from ..core.facts import Policy
from ..core.job import Command, Output
from ..core.plan import Container
from ..core.seams import Engine
from ..edge import process
from ..errors import EngineError
from ..guest import environment
from ..protocol.shared import EngineCommand
from ..protocol.words import ARGV, HOLDER_PID, NODE
from . import rules, waiting
from .waiting import PATIENCE_S

_MIDDLE = "import json, subprocess, sys; subprocess.run(json.loads(sys.argv[1]), start_new_session=True)"


class Node:
    """A container and the programs in it; a context manager.

    Parameters
    ----------
    engine : Engine
        Whose words are run.
    container : Container
        What they are made for. Its ``env_file`` is written and its ``mount_point`` made.
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

    def __enter__(self) -> Node:
        """Make what the engine was told of.

        Raises
        ------
        EngineError
            The engine refuses it; then nothing was made.
        """
        self.check()
        Path(self.container.mount_point).mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(self.container.env_file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write_environment()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what was begun, then the holder, with everything in their sessions."""
        for child in self._begun:
            child.end(patience_s=0)
        self.end()

    def check(self) -> None:
        """Ask the engine whether it can run this container, as ``plan`` does; raises ``EngineError``."""
        self.engine.check(self.container)

    def inside(self) -> dict[str, str]:
        """Return the environment that programs in the container are to have, composed as the agent does."""
        rules = self.policy
        return environment.compose(self.env, self.host_env, rules.pass_env, rules.drop_env, self.image_env)

    def write_environment(self) -> None:
        """Write that environment down, as the agent does before it runs a command."""
        Path(self.container.env_file).write_text(environment.lines(self.inside()), encoding="utf-8")

    # -- programs that are waited for

    def command(self, argv: Sequence[str]) -> Output:
        """Run a program in a container of its own, to its end; raises ``CommandMissing`` without the engine's own."""
        return self._run(self.engine.command(self.container, argv))

    def join(self, argv: Sequence[str]) -> Output:
        """Run a program in the held container, to its end."""
        return self._run(self.joining(argv))

    def enter(self, argv: Sequence[str]) -> Output:
        """Run a program in the held container as ranks are: by words that were planned for any node and any program.

        The command is a child of the ranks' launcher then, with its whole environment.
        """
        words = self._joined(_anywhere(self.container, str(self.run_dir)), (ARGV,)).argv
        if words[-1:] != (ARGV,):
            raise EngineError(
                f"the words {words} do not end with the program's", hint="put the program's words last, as they are"
            )
        filled = tuple(word.replace(NODE, "") for word in words[:-1])
        known = self._known(EngineCommand((*filled, *argv), self.joining(argv).reads_env_file))
        return self._run(known, env=self.host_env if known.reads_env_file else None)

    # -- programs in the background

    def begin(self, argv: Sequence[str]) -> Child:
        """Start a program in the held container, in a session of its own, as the agent does with a kernel."""
        self._begun.append(self._start(self.joining(argv)))
        return self._begun[-1]

    def hold(self, argv: Sequence[str], pid_file: Path) -> None:
        """Start the parked program and wait until it has written its process id.

        Raises
        ------
        EngineError
            It ended instead, or did not write it in time.
        """
        self.holder = holder = self._start(self.engine.hold(self.container, argv))
        waiting.until(lambda: pid_file.exists() or holder.code is not None, "the holder does not start")
        if not pid_file.exists():
            said = (self.run_dir / "log").read_text(errors="replace")[-2000:]
            raise EngineError(f"the holder did not start: {said}", hint="run its words by hand")
        self.holder_pid = pid_file.read_text().strip()

    def hold_below(self, argv: Sequence[str], pid_file: Path) -> Child:
        """Start the parked program as the child of another process, and return that one."""
        words = self.engine.hold(self.container, argv)
        middle = (sys.executable, "-c", _MIDDLE, json.dumps(words.argv))
        self._begun.append(self._start(EngineCommand(middle, words.reads_env_file)))
        self.holder_pid = waiting.content(pid_file).strip()
        return self._begun[-1]

    def end(self, signum: int = signal.SIGKILL, *, group: bool = True) -> None:
        """Send a signal to the engine's command that holds the container, or to its whole group, and wait for it."""
        if self.holder is not None:
            if self.holder.code is None:
                self.holder.signal(signum) if group else os.kill(self.holder.pid, signum)
            self.holder.ended(patience_s=PATIENCE_S)

    # -- how

    def joining(self, argv: Sequence[str]) -> EngineCommand:
        """Return the words that run a program in the held container; raises ``EngineError`` where there are none."""
        return self._known(self._joined(self.container, argv))

    def _joined(self, container: Container, argv: Sequence[str]) -> EngineCommand:
        words = self.engine.join(container, HOLDER_PID, argv)
        if words is None:
            raise EngineError(f"the engine {self.engine.name!r} cannot join", hint="use its command")
        return words

    def _known(self, words: EngineCommand) -> EngineCommand:
        return replace(words, argv=tuple(word.replace(HOLDER_PID, self.holder_pid) for word in words.argv))

    def _start(self, words: EngineCommand) -> Child:
        env, cwd = self._surroundings(words)
        return Child(words.argv, env=env, cwd=str(cwd), log=str(self.run_dir / "log"))

    def _run(self, words: EngineCommand, env: Mapping[str, str] | None = None) -> Output:
        own, cwd = self._surroundings(words)
        return process.run(Command(words.argv), env=own if env is None else env, cwd=cwd, timeout_s=PATIENCE_S)

    def _surroundings(self, words: EngineCommand) -> tuple[Mapping[str, str], Path]:
        reads = words.reads_env_file
        env = environment.of_command(self.inside(), self.host_env, self.policy.drop_env, reads_env_file=reads)
        return env, self.run_dir if reads else Path(self.container.workdir)


def _anywhere(container: Container, run_dir: str) -> Container:
    def moved(path: str) -> str:
        below = path == run_dir or path.startswith(f"{run_dir}/")
        return f"{run_dir}{NODE}{path[len(run_dir) :]}" if below else path

    return replace(
        container,
        env_file=moved(container.env_file),
        mount_point=moved(container.mount_point),
        mounts=tuple(replace(mount, source=moved(mount.source)) for mount in container.mounts),
    )


def leftovers(node: Node) -> list[str]:
    """Return the processes and mounts that a node's holder has left behind, once it has ended."""
    session = "" if node.holder is None else str(node.holder.pid)
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    running = [pid for pid in numbers if waiting.is_running(pid)]
    ours = (pid for pid in running if waiting.stat_field(pid, 3) == session or str(pid) == node.holder_pid)
    found = [f"process {pid}" for pid in ours]
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    return found + ([f"mount {node.container.mount_point}"] if f" {node.container.mount_point} " in mounts else [])
