"""A container's programs on this node: the engine's words of the plan, with what the node alone knows.

That is the image's open file, the environment, and the devices.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..guest import environment
from ..protocol import shared
from ..protocol.shared import EngineCommand, Rules
from ..protocol.words import HOLDER_PID
from . import room
from .children import Child
from .devices import NodeDevices
from .image import ImageFile


class NodeContainer:
    """The container of a kernel, or of the ranks on another node.

    Parameters
    ----------
    rules : Rules
        How its environment is composed.
    recorded : ImageFile or None
        The image's file, as the plan recorded it.
    devices : Devices or None
        What the node is to look up.
    run_dir : str
        The private directory on this node.
    workdir : str
        Where programs without a container work.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        recorded: shared.ImageFile | None,
        devices: shared.Devices | None,
        run_dir: str,
        workdir: str,
    ) -> None:
        self._rules, self._recorded, self._wanted = rules, recorded, devices
        self._run_dir, self._workdir = run_dir, workdir
        self._image = ImageFile(None)
        self._devices = NodeDevices(None, "")
        self._env: dict[str, str] = {}
        self.image_env: Mapping[str, str] = dict(rules.image_env)
        """Variables that give way to the job's: the image's, and those of the devices."""

    def prepare(self) -> None:
        """Open the image, look up the devices, lay out what they need and write the environment down.

        Raises
        ------
        ImageChanged
            The image is not what was recorded.
        DevicesMissing
            A device that was asked for is not there.
        OSError
            The run directory cannot be written.
        """
        rules = self._rules
        self._devices = NodeDevices(self._wanted, f"{self._run_dir}/kernel")
        self._devices.lay()
        self.image_env = {**rules.image_env, **self._devices.env}
        self._env = environment.compose(rules.env, os.environ, rules.pass_env, rules.drop_env, self.image_env)
        room.write(f"{self._run_dir}/env", environment.lines(self._env))
        if not self._image.fds:
            self._image = ImageFile(self._recorded)

    def start(
        self, command: EngineCommand, *, opens: bool, holder_pid: str = "", output: int | None = None
    ) -> Child:
        """Start an engine's command; ``opens`` says whether it opens the image, and does not join a container."""
        words = [word.replace(HOLDER_PID, holder_pid) for word in self._devices.words(command)]
        fds = self._image.fds if opens else ()
        words = self._image.words(words) if opens else words
        reads = command.reads_env_file
        env = environment.of_command(self._env, os.environ, self._rules.drop_env, reads_env_file=reads)
        return Child(words, env=env, cwd=self._run_dir if reads else self._workdir, fds=fds, output=output)

    def fault(self) -> str:
        """Say why the image cannot use what the devices brought, once its holder runs; "" where it can."""
        return self._devices.fault(self._env)
