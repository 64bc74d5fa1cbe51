"""What of its node's devices a container gets: looked up once, laid into the kernel's directory, mounted.

The room ``devices`` has the descriptions and what they mean; it is imported only where a job asks for devices.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..protocol.container import Mount
from ..protocol.shared import Devices
from .children import Child

if TYPE_CHECKING:
    from ..devices.laid import Laid

log = logging.getLogger("hpcctr.agent")

LDCONFIG_S = 5.0


class DevicesMissing(Exception):  # noqa: N818  (it is a finding)
    """A device that was asked for is not described on this node; the message is for people."""


FORCE = "HPCCTR_FORCE"
"""Variable of a kernel whose user knows better than the checks."""


class NodeDevices:
    """The devices of one container.

    Parameters
    ----------
    wanted : Devices or None
        What the plan wants; None for none.
    directory : str
        The kernel's directory on the host; the container sees it at ``wanted.inside``'s parent.
    """

    def __init__(self, wanted: Devices | None, directory: str) -> None:
        self._inside = "" if wanted is None else wanted.inside
        self._directory = directory
        self._laid: Laid | None = None
        self._glibc: tuple[tuple[int, int], str] = ((0, 0), "")
        self._report: dict[str, Any] = {}
        if wanted is not None:
            self._look(wanted)

    @property
    def env(self) -> Mapping[str, str]:
        """Variables that the devices want, where the job says nothing else."""
        return {} if self._laid is None else self._laid.env

    def _look(self, wanted: Devices) -> None:
        from ..devices import found, laid

        try:
            has = found.look(wanted, os.environ, home=os.path.expanduser("~"), libraries=_known_libraries)
        except found.DeviceError as error:
            raise DevicesMissing(f"{os.uname().nodename}: {error}") from error
        self._laid = laid.lay_out(has.injection, self._inside)
        self._glibc = (has.injection.glibc, has.injection.library_wanting)
        self._report = {**has.report, "said": [*has.report["said"], *self._laid.said]}
        for sentence in self._report["said"]:
            log.info("devices: %s", sentence)

    def lay(self) -> None:
        """Make what the container's mounts need; the kernel's directory is there now.

        Raises
        ------
        OSError
            It cannot be written.
        """
        if self._laid is not None:
            from ..devices import laid

            laid.make(self._laid, f"{self._directory}/{os.path.basename(self._inside)}", self._report)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The files that the container is to see, each on a place in a directory that it sees anyway."""
        laid = () if self._laid is None else self._laid.mounts
        return tuple(Mount(host_path, f"{self._inside}/{place}") for host_path, place in laid)

    def fault(self, env: Mapping[str, str]) -> str:
        """Say why the image cannot load the libraries, "" if it can; its holder has written down its glibc."""
        if self._laid is None or env.get(FORCE) or not self._laid.mounts:
            return ""
        from ..devices import preflight

        try:
            with open(f"{self._directory}/libc", encoding="ascii", errors="replace") as file:
                libc = file.read()
        except FileNotFoundError:
            return ""
        wanted, library = self._glibc
        return preflight.glibc(libc, wanted, library)


def _known_libraries() -> str:
    """Return what ldconfig(8) ``-p`` prints, "" where it does not."""
    for program in ("/sbin/ldconfig", "/usr/sbin/ldconfig"):
        if os.path.exists(program):
            break
    else:
        return ""
    fd = os.memfd_create("ldconfig")
    try:
        child = Child((program, "-p"), env={"LC_ALL": "C"}, cwd="/", output=fd)
        if not child.ended(patience_s=LDCONFIG_S):
            child.end(patience_s=0)
            return ""
        with open(fd, encoding="utf-8", errors="replace", closefd=False) as file:
            file.seek(0)
            return file.read()
    finally:
        os.close(fd)
