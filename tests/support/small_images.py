"""Small images, made in a moment, for tests of the store; and what is in the files that come of them."""

import shutil
import tarfile
import textwrap

import pytest

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.images import fetch
from jupyter_hpcctr.images.store import SquashStore

from .images import RECIPES, push

PULL = textwrap.dedent("""
    import sys
    from jupyter_hpcctr.core.facts import Policy
    from jupyter_hpcctr.core.request import ImageRef
    from jupyter_hpcctr.errors import HpcctrError
    from jupyter_hpcctr.images.store import SquashStore
    try:
        image = SquashStore(Policy(store=sys.argv[1])).pull(ImageRef(sys.argv[2]), lambda line: print(line, flush=True))
    except HpcctrError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(image.path)
""")


def quiet(line):
    assert line


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, and a TMPDIR of the test's own in which nothing may be left."""
    work = tmp_path / "tmp"
    work.mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    monkeypatch.setattr("tempfile.tempdir", str(work))
    yield SquashStore(Policy(store=str(tmp_path / "a store")))
    assert list(work.iterdir()) == []


@pytest.fixture
def make(tmp_path, registry, monkeypatch, request):
    """Make a small image of some files, push it, and return the reference to pull it by."""
    monkeypatch.syspath_prepend(str(RECIPES))
    import layout

    class Odd(layout.Layout):
        """Writes what the builder never does: a hard link, and a config that differs from its manifest."""

        config_architecture = None

        def _add(self, tar, root, name, what):
            if what[0] != "hard":
                return super()._add(tar, root, name, what)
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.LNKTYPE, what[1]
            return tar.addfile(info)

        def document(self, value, media_type):
            if self.config_architecture and media_type.endswith("config.v1+json"):
                value = value | {"architecture": self.config_architecture}
            return super().document(value, media_type)

    count = iter(range(100))

    def image(  # noqa: PLR0913  (each is what one test is about)
        fill, *, architecture=None, config_architecture=None, created=None, labels=None, more=None, tag="1", zstd=False
    ):
        place = tmp_path / f"image{next(count)}"
        root = place / "root"
        root.mkdir(parents=True)
        fill(root)
        out = Odd(place / "oci", 1_700_000_000)
        out.config_architecture = config_architecture
        descriptor, diff = out.layer(root, {}, layout.snapshot(root) | (more or {}))
        manifest = {"schemaVersion": 2, "mediaType": f"{layout.OCI}.manifest.v1+json", "layers": [descriptor]}
        config = {"os": "linux", "architecture": architecture or fetch.architecture(), "created": out.created}
        config |= {
            "config": {"Labels": labels or {}, "Env": ["A=b c"]},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        }
        config |= {"created": created} if created else {}
        out.finish(manifest | {"annotations": {"org.example.a": "1"}}, config, "x")
        if zstd:
            words = ("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--dest-compress-format=zstd")
            process.check(Command((*words, f"oci:{place}/oci:x", f"oci:{place}/zstd:x")))
            shutil.rmtree(place / "oci")
            (place / "zstd").rename(place / "oci")
        name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-")
        return push(registry, place / "oci", "x", f"test/{name[:60].strip('-')}:{tag}")

    return image


def plain(root):
    (root / "etc").mkdir()
    (root / "etc/motd").write_text("hello\n")
    (root / "mnt").mkdir()
    (root / "usr/lib/python3.11/dist-packages/ipykernel-7.4.0.dist-info").mkdir(parents=True)


def listing(image):
    """What is in a SquashFS: names, with kind and mode as unsquashfs(1) prints them."""
    lines = process.check(Command(("unsquashfs", "-lln", image.path))).splitlines()
    rows = [line.split(None, 5) for line in lines if "squashfs-root/" in line]
    return {row[5].removeprefix("squashfs-root/"): (row[0], row[1]) for row in rows}
