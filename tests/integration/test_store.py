"""The store against a real registry: what is pulled is there, once, whole, or not at all."""

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.images import ENVIRONMENT, RECIPES, push

from jupyter_hpcctr.cli.main import main
from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import CommandMissing, ImageError
from jupyter_hpcctr.images import fetch
from jupyter_hpcctr.images.store import SquashStore

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

    count = iter(range(100))

    def image(fill, *, architecture=None, labels=None, tag="1", zstd=False):
        place = tmp_path / f"image{next(count)}"
        root = place / "root"
        root.mkdir(parents=True)
        fill(root)
        out = layout.Layout(place / "oci", 1_700_000_000)
        descriptor, diff = out.layer(root, {}, layout.snapshot(root))
        manifest = {"schemaVersion": 2, "mediaType": f"{layout.OCI}.manifest.v1+json", "layers": [descriptor]}
        config = {"os": "linux", "architecture": architecture or fetch.architecture(), "created": out.created}
        config |= {
            "config": {"Labels": labels or {}, "Env": ["A=b c"]},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        }
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


def test_pull_find_list_remove(store, make, tmp_path):
    reference = make(plain, labels={"org.example.b": "2"})
    said = []
    assert store.find(ImageRef(reference)) is None
    assert store.list() == ()
    image = store.pull(ImageRef(reference), said.append)
    assert [line.split()[0].strip(":") for line in said] == ["resolving", "fetching", "unpacking", "flattening", "done"]
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


def test_killed_pull_leaves_nothing_half_and_the_next_clears_up(store, make, tmp_path):
    def many(root):
        plain(root)
        for n in range(6000):
            (root / f"etc/{n}").write_bytes(os.urandom(512))

    reference = make(many)
    words = (sys.executable, "-c", PULL, str(tmp_path / "a store"), reference)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as pulling:
        for line in pulling.stdout:
            if line.startswith("unpacking"):
                os.killpg(pulling.pid, signal.SIGKILL)
        assert pulling.wait() == -signal.SIGKILL
    assert store.find(ImageRef(reference)) is None
    assert store.list() == ()
    assert list((tmp_path / "tmp").iterdir()) != []
    assert store.pull(ImageRef(reference), quiet).roots["etc"] is False
    assert not list((tmp_path / "a store/sha256").glob(".*"))


def test_image_for_another_machine_is_refused(store, make):
    other = "s390x" if fetch.architecture() != "s390x" else "amd64"
    with pytest.raises(ImageError, match=f"but for linux/{other}"):
        store.pull(ImageRef(make(plain, architecture=other)), quiet)
    assert store.list() == ()


def test_signature_policy_is_kept(store, make, monkeypatch, tmp_path):
    """The policy of the user who pulls, whatever the machine's is."""
    (tmp_path / ".config/containers").mkdir(parents=True)
    (tmp_path / ".config/containers/policy.json").write_text('{"default": [{"type": "reject"}]}')
    reference = make(plain)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ImageError, match="signature policy"):
        store.pull(ImageRef(reference), quiet)
    assert store.list() == ()


def test_layer_that_was_changed_is_not_unpacked(store, make, registry):
    def unique(root):
        plain(root)
        (root / "etc/noise").write_bytes(os.urandom(1000))

    reference = make(unique)
    layer = max(
        registry.data.glob("**/blobs/sha256/*/*/data"), key=lambda p: p.stat().st_mtime_ns * (p.stat().st_size > 1000)
    )
    content = bytearray(layer.read_bytes())
    content[len(content) // 2] ^= 1
    layer.write_bytes(content)
    with pytest.raises(ImageError, match="skopeo failed") as caught:
        store.pull(ImageRef(reference), quiet)
    assert layer.parent.name in str(caught.value)
    assert store.list() == ()


def test_no_such_tag_and_no_such_name(store, make, registry):
    reference = make(plain)
    for text in (f"{reference}-not", f"{registry.host}/not/there"):
        with pytest.raises(ImageError, match="no such image") as caught:
            store.pull(ImageRef(text), quiet)
        assert not caught.value.transient
        assert caught.value.hint


def test_registry_that_is_down_is_worth_another_try(store):
    with pytest.raises(ImageError, match="does not answer") as caught:
        store.pull(ImageRef("127.0.0.1:1/a:1"), quiet)
    assert caught.value.transient


def test_plain_http_is_asked_only_where_the_site_says_so(store, make, tmp_path):
    careful = SquashStore(Policy(store=str(tmp_path / "other"), insecure_registries=()))
    with pytest.raises(ImageError, match="plain http only"):
        careful.pull(ImageRef(make(plain)), quiet)


def test_missing_tool_is_named_with_its_package(store, make, monkeypatch, tmp_path):
    reference = make(plain)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/skopeo").symlink_to(shutil.which("skopeo"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(CommandMissing, match=r"umoci is not installed.*apt install umoci"):
        store.pull(ImageRef(reference), quiet)
    assert store.list() == ()


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


def test_hostile_and_awkward_trees(store, make, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()

    def awkward(root):
        plain(root)
        (root / "home").symlink_to(victim)
        (root / "scratch").write_text("a file")
        (root / "a b'\"\n,:é").mkdir()

    inside = listing(store.pull(ImageRef(make(awkward, tag="1")), quiet))
    assert inside["home -> " + str(victim)][0].startswith("l")
    assert inside["scratch"][0].startswith("-")
    assert list(victim.iterdir()) == []

    def hostile(root):
        (root / "hpcctr").symlink_to(victim)

    with pytest.raises(ImageError, match="/hpcctr that is not a directory"):
        store.pull(ImageRef(make(hostile, tag="2")), quiet)
    assert list(victim.iterdir()) == []


def test_full_disk(store, make, tmp_path):
    def big(root):
        plain(root)
        (root / "etc/noise").write_bytes(os.urandom(4_000_000))

    small = tmp_path / "small"
    small.mkdir()
    user = f"unshare --user --map-user={os.getuid()} --map-group={os.getgid()}"
    mount = f'mount -t tmpfs -o size=1m none "$1" && exec {user} "$2" -c "$3" "$1/store" "$4"'
    words = ("unshare", "-rm", "sh", "-c", mount, "sh", str(small), sys.executable, PULL, make(big))
    done = process.run(Command(words), timeout_s=120)
    assert done.returncode == 1, done.stderr
    assert "ImageError" in done.stderr
    assert "no room" in done.stderr


@pytest.mark.parametrize("harm", ["{}", "[", '{"digest": 1}'])
def test_damaged_records_are_said(store, make, tmp_path, harm):
    reference = ImageRef(make(plain))
    record = Path(store.pull(reference, quiet).path).with_suffix(".json")
    names = list((tmp_path / "a store/refs").iterdir())
    for path in (record, *names):
        path.write_text(harm)
        with pytest.raises(ImageError, match="is damaged"):
            store.find(reference)


def test_store_that_cannot_be_written(make):
    with pytest.raises(ImageError, match="cannot be changed"):
        SquashStore(Policy(store="/proc/here")).pull(ImageRef(make(plain)), quiet)


@pytest.mark.parametrize("harm", ["world-writable", "group-writable", "link", "foreign", "cut short", "no record"])
def test_poisoned_files_are_refused(store, make, harm, monkeypatch, tmp_path):
    reference = ImageRef(make(plain))
    path = Path(store.pull(reference, quiet).path)
    if harm == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif harm == "foreign":
        monkeypatch.setattr("os.getuid", lambda: 12345)
        if path.stat().st_uid == 0:  # root's own files are trusted by everybody
            os.chown(path, 1, 1)
    elif harm == "cut short":
        path.chmod(0o644)
        os.truncate(path, 100)
    elif harm == "no record":
        path.with_suffix(".json").unlink()
        assert store.find(reference) is None
        assert store.pull(reference, quiet).path == str(path)
        return
    else:
        path.chmod(0o446 if harm == "world-writable" else 0o464)
    with pytest.raises(ImageError, match="somebody else|not what was put there"):
        store.find(reference)


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


def test_no_store_directory_is_said():
    with pytest.raises(ImageError, match="has no directory"):
        SquashStore(Policy())


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
    again = build(tmp_path, "python", SOURCE_DATE_EPOCH="1793491200", LC_ALL="C")
    assert ENVIRONMENT.get("SOURCE_DATE_EPOCH") or list(again.values()) == [record["digest"]]
