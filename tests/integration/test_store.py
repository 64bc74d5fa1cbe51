"""The store against a real registry: what is pulled is there, once, and whole."""

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from support.images import ENVIRONMENT
from support.small_images import PULL, listing, make, plain, quiet, store

from jupyter_hpcctr import plugins
from jupyter_hpcctr.cli.main import main
from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import ImageError, PullCancelled
from jupyter_hpcctr.images.store import SquashStore
from jupyter_hpcctr.protocol.container import Container, Mount
from jupyter_hpcctr.testing import Node

__all__ = ["make", "store"]  # fixtures


def test_pull_find_list_remove(store, make, tmp_path):
    reference = make(plain, labels={"org.example.b": "2"})
    said = []
    assert store.find(ImageRef(reference)) is None
    assert store.list() == ()
    image = store.pull(ImageRef(reference), said.append)
    steps = [line.split()[0].strip(":") for line in said]
    assert list(dict.fromkeys(steps)) == ["resolving", "fetching", "unpacking", "flattening", "done"]
    assert image.reference == reference
    assert image.ipykernel == "7.4.0"
    assert image.env == {"A": "b c"}
    assert image.annotations == {"org.example.a": "1", "org.example.b": "2"}
    assert image.created == "2023-11-14T22:13:20Z"
    assert (image.roots["etc"], image.roots["mnt"], image.roots["scratch"], image.roots["hpcctr"]) == (
        False,
        True,
        True,
        False,
    )
    inside = listing(image)
    assert set(image.roots) == {name for name in inside if "/" not in name}
    assert {"hpcctr/guest", "hpcctr/run", "etc/motd"} <= set(inside)
    assert {owner for _, owner in inside.values()} == {"0/0"}
    assert Path(image.path).stat().st_mode & 0o777 == 0o444
    assert store.find(ImageRef(reference)) == image
    by_digest = f"{reference.rpartition(':')[0]}@{image.digest}"
    assert store.find(ImageRef(by_digest)) == dataclasses.replace(image, reference=by_digest)
    assert [i.reference for i in store.list()] == [reference]
    store.remove(ImageRef(reference))
    assert store.find(ImageRef(by_digest)) is None
    assert store.list() == ()
    left = {p.name for p in (tmp_path / "a store").rglob("*") if p.is_file()}
    assert left == {image.digest.removeprefix("sha256:")}  # its lock
    with pytest.raises(ImageError, match="does not have"):
        store.remove(ImageRef(reference))


@pytest.mark.parametrize("step", ["resolving", "fetching", "unpacking", "flattening"])
def test_a_pull_that_is_cancelled_leaves_nothing(store, make, step):
    reference = ImageRef(make(plain))

    def report(said):
        if said.startswith(step):
            raise PullCancelled("enough")

    with pytest.raises(PullCancelled):
        store.pull(reference, report)
    assert store.find(reference) is None
    assert store.list() == ()
    assert store.pull(reference, quiet).reference == reference.text


def test_each_step_says_how_far_it_is(store, make, monkeypatch):
    monkeypatch.setattr(process, "LOOK_S", 0.02)

    def noise(root):
        plain(root)
        for number in range(8):  # which no tool packs
            (root / f"noise{number}").write_bytes(os.urandom(2_000_000))

    said = []
    image = store.pull(ImageRef(make(noise)), said.append)
    for name in ("fetching", "unpacking", "flattening"):
        steps = [each for each in said if getattr(each, "name", "") == name]
        reached = [each.done for each in steps]
        assert reached == sorted(reached), f"{name} goes on"
        assert reached[-1] > 0
        assert 15_000_000 < steps[-1].total < 20_000_000
    assert image.size_bytes > 15_000_000
    again = []
    store.remove(ImageRef(image.reference))
    store.pull(ImageRef(image.reference), again.append)
    first = next(each for each in again if getattr(each, "name", "") == "fetching")
    assert first.left_s > 0, "the first pull's speed is an estimate for the next"


def test_record_tells_where_an_image_is_from(store, make):
    reference = make(plain)
    image = store.pull(ImageRef(reference), quiet)
    record = json.loads(Path(image.path).with_suffix(".json").read_text())
    assert record["sha256"] == hashlib.sha256(Path(image.path).read_bytes()).hexdigest()
    assert record["reference"] == reference
    assert record["index"].startswith("sha256:")
    assert record["index"] != record["digest"]
    assert {tool: bool(text) for tool, text in record["tools"].items()} == dict.fromkeys(
        ("skopeo", "umoci", "mksquashfs"), True
    )
    by_index = ImageRef(f"{reference.rpartition(':')[0]}@{record['index']}")
    assert store.find(by_index).path == image.path


def test_second_name_of_the_same_image_fetches_nothing(store, make, registry):
    first = make(plain, tag="1")
    second = make(plain, tag="2")
    image = store.pull(ImageRef(first), quiet)
    before = len(registry.gets("/blobs/"))
    assert store.pull(ImageRef(second), quiet).path == image.path
    assert len(registry.gets("/blobs/")) == before
    assert {i.reference for i in store.list()} == {first, second}
    store.remove(ImageRef(first))
    assert store.find(ImageRef(second)).path == image.path
    assert Path(image.path).exists()
    store.remove(ImageRef(second))
    assert not Path(image.path).exists()


def test_pull_by_digest_checks_it(store, make, registry):
    name = make(plain).rpartition(":")[0]
    raw = process.check(Command(("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}:1")))
    entry = json.loads(raw)["manifests"][0]
    image = store.pull(ImageRef(f"{name}@{entry['digest']}"), quiet)
    assert image.digest == entry["digest"]
    before = registry.log_file.read_text().count("GET")
    assert store.pull(ImageRef(f"{name}@{entry['digest']}"), quiet) == image
    assert registry.log_file.read_text().count("GET") == before, "a digest that is here is not asked for"
    with pytest.raises(ImageError, match="no such image"):
        store.pull(ImageRef(f"{name}@sha256:{'0' * 64}"), quiet)


def test_moved_tag_is_another_image_and_the_old_one_stays(store, make):
    old = store.pull(ImageRef(make(plain)), quiet)

    def newer(root):
        plain(root)
        (root / "etc/motd").write_text("newer\n")

    reference = make(newer)
    assert store.find(ImageRef(reference)) == old
    new = store.pull(ImageRef(reference), quiet)
    assert new.digest != old.digest
    name = reference.rpartition(":")[0]
    assert store.find(ImageRef(f"{name}@{old.digest}")).path == old.path
    assert sorted(i.digest for i in store.list()) == sorted((old.digest, new.digest))
    store.remove(ImageRef(f"{name}@{old.digest}"))
    assert [i.digest for i in store.list()] == [new.digest]
    assert not Path(old.path).exists()


def test_same_image_flattens_to_the_same_bytes(store, make, tmp_path):
    reference = ImageRef(make(plain))
    images = [SquashStore(Policy(store=str(tmp_path / n))).pull(reference, quiet) for n in ("one", "two")]
    assert len({Path(i.path).read_bytes() for i in images}) == 1


def test_four_at_once_fetch_once(store, make, registry, tmp_path):
    def big(root):
        plain(root)
        (root / "etc/noise").write_bytes(os.urandom(3_000_000))

    reference = make(big)
    before = len(registry.gets("/blobs/"))
    words = (sys.executable, "-c", PULL, str(tmp_path / "a store"), reference)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        outputs = list(pool.map(lambda _: process.check(Command(words), timeout_s=120), range(4)))
    blobs = registry.gets("/blobs/")[before:]
    assert len(blobs) == len(set(blobs)) == 2, "config and one layer, each once"
    assert len({text.splitlines()[-1] for text in outputs}) == 1
    assert sum("fetching" in text for text in outputs) == 1


def test_zstd_layers(store, make):
    def unique(root):  # or skopeo would find the registry's gzip layer good enough
        plain(root)
        (root / "etc/noise").write_bytes(os.urandom(1000))

    reference = make(unique, zstd=True)
    raw = process.check(Command(("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}")))
    entry = json.loads(raw)["manifests"][0]["digest"]
    name = f"docker://{reference.rpartition(':')[0]}@{entry}"
    assert "tar+zstd" in process.check(Command(("skopeo", "inspect", "--raw", "--tls-verify=false", name)))
    image = store.pull(ImageRef(reference), quiet)
    assert image.digest == entry
    assert "etc/noise" in listing(image)


@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive"])
def test_local_files(store, make, tmp_path, transport):
    reference = make(plain)
    place = tmp_path / "an image, local"
    text = f"{transport}:{place}" + (":x" if transport == "oci" else "")
    words = ("skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", f"docker://{reference}", text)
    process.check(Command(words))
    image = store.pull(ImageRef(text), quiet)
    assert image.ipykernel == "7.4.0"
    assert store.find(ImageRef(text)) == image
    assert "etc/motd" in listing(image)
    with pytest.raises(ImageError, match="no such image"):
        store.pull(ImageRef(text.replace("local", "gone")), quiet)


def test_command_line(make, tmp_path, monkeypatch, capsys):
    reference = make(plain)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    assert main(["images", "pull", reference]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.is_relative_to(tmp_path / "data")
    assert main(["images", "list"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["IMAGE", "DIGEST", "SIZE", "IPYKERNEL"]
    assert row.split()[0] == reference
    assert main(["images", "list", "--json"]) == 0
    (known,) = json.loads(capsys.readouterr().out)
    assert known["path"] == str(path)
    assert main(["images", "remove", reference]) == 0
    assert main(["images", "remove", reference]) == 1
    assert "what to do: see: jupyter hpcctr images list" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.image
def test_shipped_images(image_store, kernel_image, mpi_image):
    assert kernel_image.ipykernel == "7.4.0"
    assert image_store.find(ImageRef(mpi_image.reference)) == mpi_image
    notes = mpi_image.annotations
    assert notes["org.supercontainers.mpi.implementation"] == "openmpi"
    assert notes["org.supercontainers.mpi.version"] == "4.1.4"
    assert notes["org.supercontainers.mpi.portability.mode"] == "mpi_system"
    assert notes["org.supercontainers.glibc.version"] == kernel_image.annotations["org.supercontainers.glibc.version"]
    assert kernel_image.env["LANG"] == "C.UTF-8"
    for name in ("home", "mnt", "srv", "opt", "scratch"):
        assert kernel_image.roots[name], name


@pytest.mark.image
def test_shipped_images_have_all_their_modules_compiled(kernel_image):
    inside = {name for name, (mode, _) in listing(kernel_image).items() if mode.startswith("-")}
    sources = {name for name in inside if name.endswith(".py") and name.startswith("usr/")}
    compiled = {name.replace("__pycache__/", "").replace(".cpython-311.pyc", ".py") for name in inside}
    assert len(sources) > 1000
    assert sources - compiled == set()


@pytest.mark.image
@pytest.mark.timeout(600)
def test_images_are_reproducible(built_images, tmp_path):
    from support.images import build

    (tmp_path / ".cache").symlink_to(built_images["python"].parent / ".cache")
    record = json.loads((built_images["python"].parent / "python.json").read_text())
    epoch = ENVIRONMENT.get("SOURCE_DATE_EPOCH") or "1793491200"  # the recipe's
    again = build(tmp_path, "python", SOURCE_DATE_EPOCH=epoch, LC_ALL="C")
    assert list(again.values()) == [record["digest"]]


def nothing(root):
    """Programs come from the host; of what an engine mounts over there is nothing."""
    (root / "usr").mkdir()
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")


def test_an_image_without_the_kernels_file_systems_and_etc_runs(store, make, tmp_path):
    image = store.pull(ImageRef(make(nothing)), quiet)
    assert store.missing(image, ["/usr/local", "/etc/passwd", "/hpcctr/run"]) == ("/usr/local",)
    container = Container(
        name="hpcctr-store", image=image.path, kind="squashfs", reference=image.reference, digest=image.digest,
        mounts=(Mount("/usr", "/usr"),), workdir="/", scratch=str(tmp_path / "run/engine"),
    )  # fmt: skip
    engine = plugins.engine("charliecloud")
    with Node(engine, container, run_dir=tmp_path, env={"PATH": "/usr/bin"}) as node:
        out = node.command(("sh", "-c", "id -u; cat /etc/resolv.conf; ls -d /dev/null /proc/self /sys/kernel"))
    assert (out.returncode, out.stdout.splitlines()[0]) == (0, str(os.getuid())), out.stderr
    assert Path("/etc/resolv.conf").read_text() in out.stdout
