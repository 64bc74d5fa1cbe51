"""A container's programs on this node: the engine's commands, with the open image, the environment and the devices."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..guest import environment
from ..protocol.container import EngineCommand
from ..protocol.ranks import RankPlan
from ..protocol.shared import Rules
from . import removal, room
from .children import Child
from .devices import NodeDevices
from .engine import NodeEngine
from .image import ImageFile


class NodeContainer:
    """The container of a kernel, or of the ranks on another node.

    Parameters
    ----------
    rules : Rules
        How its environment is composed.
    plan : RankPlan
        The container and its engine.
    run_dir : str
        The private directory on this node.
    workdir : str
        Where programs without a container work.
    suffix : str
        What tells ``run_dir`` from the first node's.
    """

    def __init__(self, rules: Rules, plan: RankPlan, *, run_dir: str, workdir: str, suffix: str = "") -> None:
        self._rules, self._plan, self._suffix = rules, plan, suffix
        self._run_dir, self._workdir = run_dir, workdir
        self._env_file = f"{run_dir}/env"
        self._image = ImageFile(None)
        self._devices = NodeDevices(None, "")
        self._env: dict[str, str] = {}
        self._form = ""
        self.image_env: Mapping[str, str] = dict(rules.image_env)
        """Variables that give way to the job's: the image's, and those of the devices."""

    def prepare(self) -> None:
        """Load the engine, open the image, look up the devices and lay out what they need.

        Raises
        ------
        ImageChanged
            The image is not what was recorded.
        DevicesMissing
            A device that was asked for is not there.
        EngineError
            The engine is not in the job's archive, or cannot add what the devices need.
        OSError
            The run directory cannot be written.
        """
        rules, plan = self._rules, self._plan
        self._engine = NodeEngine(plan, self._suffix)
        self._devices = NodeDevices(plan.devices, f"{self._run_dir}/kernel")
        self._devices.lay()
        self._engine.add(self._devices.mounts)
        self.image_env = {**rules.image_env, **self._devices.env}
        self._env = environment.compose(rules.env, os.environ, rules.pass_env, rules.drop_env, self.image_env)
        self._form = ""
        if not self._image.fds:
            self._image = ImageFile(plan.image)
        if (command := self._engine.remove()) is not None:
            removal.note(self._run_dir, command)

    def hold(self, *, output: int | None = None) -> Child:
        """Start the container with the parked program."""
        return self._child(self._started(self._plan.holder), output, self._image.fds)

    def start(self, argv: Sequence[str], *, holder_pid: str = "", output: int | None = None) -> Child:
        """Start a program in the container of the parked process; without one, in a container of its own."""
        if not holder_pid:
            return self._child(self._started(argv), output, self._image.fds)
        return self._child(self.enter(argv, self._env_file, holder_pid), output, ())

    def enter(self, argv: Sequence[str], env_file: str, holder_pid: str) -> EngineCommand:
        """Return what runs a program whose environment somebody else writes down."""
        return self._engine.enter(argv, env_file, holder_pid)

    def remove(self) -> None:
        """Remove what is left of the container, whose processes have been ended."""
        removal.carry_out(self._run_dir)

    def fault(self) -> str:
        """Say why the image cannot use what the devices brought, once its holder runs; "" where it can."""
        return self._devices.fault(self._env)

    def _started(self, argv: Sequence[str]) -> EngineCommand:
        return self._engine.start(argv, self._env_file, image=self._image.name, env=self._env)

    def _child(self, command: EngineCommand, output: int | None, fds: tuple[int, ...]) -> Child:
        own = command.environment == "process"
        if not own and self._form != command.environment:
            room.rewrite(self._env_file, environment.lines(self._env, quoted=command.environment == "quoted"))
            self._form = command.environment
        for path, text in command.files.items():
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            room.rewrite(path, text)
        env = environment.of_command(self._env, os.environ, self._rules.drop_env, reads_env_file=not own)
        cwd = self._workdir if own else self._run_dir
        child = Child(command.argv, env=env, cwd=cwd, fds=fds, output=output)
        child.pid_file = command.pid_file
        return child
