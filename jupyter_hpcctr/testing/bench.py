"""Nodes for an engine's tests: an image, directories and mounts laid out as a launch lays them out."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import guest
from ..core.facts import GUEST_ROOT, HOST_ROOTS, ImageInfo
from ..core.plan import stage
from ..core.seams import Engine
from ..errors import ImageError
from ..protocol.container import Container, Mount
from .node import Node

_NUMBERS = itertools.count()
GUEST = Path(guest.__file__).parent
ENV = {"LANG": "C.UTF-8", "HOME": "/tmp", "A": "it's '", "B": "'$PATH:x'", "C": "", "D": " é 😀"}  # noqa: S108
IMAGE_ENV = {"OF_THE_IMAGE": "yes", "LC_TIME": "of the image", "A": "of the image"}
SECRET = "s3cret"  # noqa: S105  (it is none)
JOB_ENV = {
    "JUPYTER_TOKEN": SECRET, "SLURM_MY_TOKEN": SECRET, "SLURM_JWT": SECRET, "OMPI_PASSWORD": SECRET,
    "SLURM_JOB_ID": "4711", "LC_TIME": "of the job", "OF_THE_JOB": "x", "LD_LIBRARY_PATH": "/opt/x",
}  # fmt: skip
"""What a job may have in its environment: some of it for the kernel, some for nobody."""


@dataclass
class Bench:
    """Makes nodes for one engine in a directory of the test's own.

    Parameters
    ----------
    engine : Engine
        Whose nodes they are.
    image : ImageInfo or None
        What its containers are made from; None for an engine that runs programs as they are.
    place : Path
        The directory.
    image_python : str
        The image's Python.
    driver : type of Node
        What the nodes are.
    """

    engine: Engine
    image: ImageInfo | None
    place: Path
    image_python: str = "python3"
    driver: type[Node] = Node
    run_dir: Path = field(init=False)

    @property
    def python(self) -> str:
        """A Python as programs in the container call it."""
        return sys.executable if self.image is None else self.image_python

    @property
    def kernel_dir(self) -> str:
        """The last node's directory that it shares with its container, as programs there see it."""
        return f"{self.run_dir}/kernel" if self.image is None else f"{GUEST_ROOT}/run"

    def outside(self, name: str) -> Path:
        """Return the path of a file of that directory as it is seen outside."""
        return self.run_dir / "kernel" / name

    def rooms(self) -> tuple[str, str]:
        """Return two places to mount on: below one empty root directory of the image, and another one itself.

        Raises
        ------
        ImageError
            The image has none.
        """
        roots = {} if self.image is None else self.image.roots
        taken = {*HOST_ROOTS, GUEST_ROOT}
        free = [f"/{name}" for name, empty in sorted(roots.items()) if empty and f"/{name}" not in taken]
        if len(free) < 2:
            raise ImageError("the image has nothing to mount on", hint="give it two empty directories: /home and /mnt")
        return f"{free[0]}/alice", free[1]

    def node(
        self,
        *,
        run: str = "run",
        mounts: tuple[Mount, ...] = (),
        workdir: str | None = None,
        image_path: str | None = None,
        host_env: Mapping[str, str] | None = None,
    ) -> Node:
        """Return a node whose run directory is called ``run``; its image's file may have another name."""
        self.run_dir = self.place / run
        for name in ("kernel", "work"):
            (self.run_dir / name).mkdir(parents=True, exist_ok=True)
        container = Container(
            name=f"hpcctr-contract-{os.getpid()}-{next(_NUMBERS)}",
            reference="" if self.image is None else self.image.reference,
            digest="" if self.image is None else self.image.digest,
            image=image_path or ("" if self.image is None else self.image.path),
            kind="none" if self.image is None else self.image.kind,
            mounts=self._mounts(mounts),
            workdir=workdir or str(self.run_dir / "work"),
            scratch=f"{self.run_dir}/engine",
        )
        path = os.environ["PATH"] if self.image is None else "/usr/local/bin:/usr/bin:/bin"
        return self.driver(
            self.engine,
            container,
            run_dir=self.run_dir,
            env={**ENV, "PATH": path},
            host_env={**JOB_ENV, "TMPDIR": str(self.place), **(host_env or {})},
            image_env=IMAGE_ENV,
        )

    def holder(self) -> tuple[tuple[str, ...], Path]:
        """Return the words of the last node's parked program, and the file that it writes its process id to."""
        where = GUEST if self.image is None else f"{GUEST_ROOT}/guest"
        return (self.python, "-S", "-E", f"{where}/holder.py", f"{self.kernel_dir}/holder.pid"), self.outside(
            "holder.pid"
        )

    def hold(self, node: Node) -> None:
        """Park the program that a launch parks."""
        node.hold(*self.holder())

    def _mounts(self, asked: tuple[Mount, ...]) -> tuple[Mount, ...]:
        if self.image is None:
            return asked
        own = (Mount(str(GUEST), f"{GUEST_ROOT}/guest"), Mount(f"{self.run_dir}/kernel", f"{GUEST_ROOT}/run"))
        staged, directories = stage(asked, self.image, str(self.run_dir))
        for directory in directories:
            Path(directory).mkdir(parents=True, exist_ok=True)
        return own + staged + asked


def directory_image(path: str | Path) -> ImageInfo:
    """Describe an unpacked image, as a store would: what is in its root, and where one can mount.

    It must have the directories ``/hpcctr/guest`` and ``/hpcctr/run``.
    """
    place = Path(path)
    kernels = {"dev", "proc", "sys"}
    roots = {
        each.name: each.name not in kernels and each.is_dir() and not each.is_symlink() and not any(each.iterdir())
        for each in place.iterdir()
    }
    return ImageInfo(reference=place.name, digest="sha256:" + "0" * 64, path=str(place), kind="directory", roots=roots)
