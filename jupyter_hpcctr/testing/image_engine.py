"""What every engine that runs images must keep besides ``engine.EngineContract``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from ..core.facts import GUEST_ROOT, HOST_ROOTS, ImageInfo
from ..core.job import Command
from ..edge import process
from ..errors import CommandMissing, EngineError
from ..protocol.container import ImageKind, Mount
from .bench import Bench
from .engine import EngineContract


class ImageEngineContract(EngineContract):
    """For an engine that runs images of one kind; for each further kind, one more subclass.

    A subclass also gives the fixture ``image``: an ``ImageInfo`` with Python 3.9 or later, a shell and cat(1), with
    ``/hpcctr/guest`` and ``/hpcctr/run`` and two more empty directories in its root (``directory_image``).

    Attributes
    ----------
    program : str
        The engine's own program, which may be missing on a node.
    kind : str
        ``directory`` or ``squashfs``: of ``image``, and of the images that the suite makes.
    python : str
        The image's Python.
    places : tuple of str
        What must be in an image for this engine to start it: directories, and files of ``/etc``. Image stores
        give their images all of these. Whatever is not named here the suite's own image does not have.
    """

    program: ClassVar[str]
    kind: ClassVar[ImageKind] = "directory"
    python: ClassVar[str] = "python3"
    places: ClassVar[tuple[str, ...]] = HOST_ROOTS
    roles: ClassVar[tuple[str, ...]] = ("source", "target", "image", "run", "workdir")

    @pytest.fixture
    def image(self) -> ImageInfo:
        """The image to run; to be overridden."""
        raise NotImplementedError("give the fixture 'image': an ImageInfo, of directory_image(PATH) for example")

    @pytest.fixture
    def bench(self, tmp_path: Path, image: ImageInfo) -> Bench:
        """Makes the test's nodes."""
        return Bench(self.engine, image, tmp_path, self.python, self.driver)

    @pytest.fixture
    def scant_image(self, tmp_path: Path) -> ImageInfo:
        """An image with nothing but ``places``: its programs are those of the node, by a mount over its ``/usr``."""
        root = tmp_path / "scant"
        for name in ("usr", f"{GUEST_ROOT}/guest", f"{GUEST_ROOT}/run"):
            (root / name.lstrip("/")).mkdir(parents=True)
        for name in ("bin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        for place in (root / name.lstrip("/") for name in self.places):
            place.parent.mkdir(exist_ok=True)
            place.touch() if place.parent.name == "etc" else place.mkdir(exist_ok=True)
        path = root
        if self.kind == "squashfs":
            path = root.with_suffix(".sqfs")
            process.check(Command(("mksquashfs", str(root), str(path), "-no-progress", "-quiet")))
        return ImageInfo("scant", "sha256:" + "0" * 64, str(path), self.kind, roots={"usr": True})

    def mounted(self, bench: Bench) -> tuple[Mount, ...]:
        """Return a mount below an empty root directory, and one over another root directory."""
        for name in ("one", "two"):
            (bench.place / name).mkdir(exist_ok=True)
            (bench.place / name / "mark").write_text(name)
        below, over = bench.rooms()
        return Mount(str(bench.place / "one"), below), Mount(str(bench.place / "two"), over)

    def test_an_image_with_empty_places_and_no_file_in_etc_runs(self, scant_image: ImageInfo, tmp_path: Path) -> None:
        bench = Bench(self.engine, scant_image, tmp_path, driver=self.driver)
        script = "id -u; ls -d /dev/null /proc/self /sys/kernel /tmp; pwd"
        with bench.node(mounts=(Mount("/usr", "/usr"),), workdir="/") as node:
            parked = 'echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 600'
            node.hold(("sh", "-c", parked, "sh", f"{bench.kernel_dir}/holder.pid"), bench.outside("holder.pid"))
            for run in (node.command, node.join):
                out = run(("sh", "-c", script))
                expected = [str(os.getuid()), "/dev/null", "/proc/self", "/sys/kernel", "/tmp", "/"]  # noqa: S108
                assert (out.stdout.splitlines(), out.stderr) == (expected, "")

    def test_a_read_only_mount_is_one_or_is_refused(self, bench: Bench) -> None:
        mount = replace(self.mounted(bench)[0], read_only=True)
        node = bench.node(mounts=(mount,), workdir="/")
        try:
            node.check()
        except EngineError as refusal:
            assert refusal.hint
            return
        with node:
            bench.hold(node)
            for run in (node.command, node.join):
                out = run(("sh", "-c", f"cat {mount.target}/mark; touch {mount.target}/new"))
                assert (out.stdout, out.returncode != 0) == ("one", True)
        assert not Path(mount.source, "new").exists()

    def test_an_image_without_an_absolute_path_is_refused(self, bench: Bench) -> None:
        with pytest.raises(EngineError) as refusal:
            bench.node(image_path="-v").check()
        assert refusal.value.hint

    def test_two_mounts_at_one_place_are_refused(self, bench: Bench) -> None:
        mounts = self.mounted(bench)
        with pytest.raises(EngineError) as refusal:
            bench.node(mounts=(*mounts, Mount(mounts[0].source, mounts[1].target))).check()
        assert refusal.value.hint

    def test_another_kind_of_image_is_refused(self, bench: Bench, image: ImageInfo) -> None:
        assert image.kind == self.kind and self.kind in self.engine.accepts
        bench.image = None
        with pytest.raises(EngineError) as refusal:
            bench.node().check()
        assert refusal.value.hint

    def test_a_node_without_the_engines_program_says_so_in_one_sentence(self, bench: Bench, tmp_path: Path) -> None:
        with bench.node() as node:
            bench.hold(node)
            node.host_env["PATH"] = str(programs_but(self.program, tmp_path / "programs"))
            for run in (node.command, node.join):
                try:
                    out = run(("true",))
                except CommandMissing as missing:
                    said = missing.message
                else:
                    said = out.stderr.strip()
                    if run == node.join and out.returncode == 0:  # by the kernel's own calls, without the program
                        continue
                    assert out.returncode != 0
                assert self.program in said and len(said.splitlines()) == 1, said


def programs_but(program: str, place: Path) -> Path:
    """Make a directory of links to all programs that can be found here, but one, and return it."""
    place.mkdir()
    for directory in filter(os.path.isdir, os.get_exec_path()):
        for name in os.listdir(directory):  # noqa: PTH208
            if name != program and not os.path.lexists(place / name):
                (place / name).symlink_to(f"{directory}/{name}")
    return place
