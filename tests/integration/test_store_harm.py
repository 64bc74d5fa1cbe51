"""The store when something is wrong: it says what, and is as it was before."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.small_images import PULL, listing, make, plain, quiet, store

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import CommandMissing, ImageError
from jupyter_hpcctr.images import fetch
from jupyter_hpcctr.images.store import SquashStore

__all__ = ["make", "store"]  # fixtures


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


def test_a_pull_that_is_killed_takes_its_tools_along(make, tmp_path):
    """Else skopeo goes on, and makes its directory again behind the next pull."""
    for name in ("bin", "tmp"):
        (tmp_path / name).mkdir()
    stub = tmp_path / "bin/skopeo"
    real = shutil.which("skopeo")
    script = f'case "$*" in *copy*) echo $$ > {tmp_path}/pid; exec sleep 600;; *) exec {real} "$@";; esac'
    stub.write_text(f"#!/bin/sh\n{script}\n")
    stub.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp")}
    words = (sys.executable, "-c", PULL, str(tmp_path / "a store"), make(plain))
    until = time.monotonic() + 60
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, env=env) as pulling:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < until and pulling.poll() is None
            time.sleep(0.02)
        pulling.kill()
    skopeo = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline")
    while skopeo.exists() and skopeo.read_bytes():  # a zombie has none
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("opened", [0o777, 0o757])
def test_a_store_below_a_directory_that_others_may_change_is_refused(make, tmp_path, opened):
    """Another user could move the store away, and put one with the same names in its place."""
    place = tmp_path / "project" / "images"
    place.parent.mkdir()
    reference = ImageRef(make(plain))
    SquashStore(Policy(store=str(place))).pull(reference, quiet)
    place.parent.chmod(opened)
    with pytest.raises(ImageError, match=f"could replace the images in {place}") as caught:
        SquashStore(Policy(store=str(place))).find(reference)
    assert str(place.parent) in caught.value.message
    assert "store_owners" in caught.value.hint
    with pytest.raises(ImageError, match="could replace"):
        SquashStore(Policy(store=str(place))).pull(reference, quiet)
    place.parent.chmod(0o1777)
    assert SquashStore(Policy(store=str(place))).find(reference) is not None


def test_what_others_put_in_the_way_of_a_pull_stays(store, make, tmp_path):
    reference, names = ImageRef(make(plain)), set()

    def look(line):
        names.update(path.name for path in (tmp_path / "tmp").iterdir())

    store.pull(reference, look)
    store.remove(reference)
    (prefix,) = {name.rpartition("-")[0] for name in names}
    victim = tmp_path / "victim"
    (victim / "inner").mkdir(parents=True)
    for place in (victim, victim / "inner"):
        place.chmod(0o750)
    planted = [tmp_path / "tmp" / f"{prefix}-{name}" for name in ("link", "file", "foreign")]
    planted[0].symlink_to(victim)
    planted[1].write_text("in the way")
    if os.getuid() == 0:
        planted[2].mkdir()
        os.chown(planted[2], 1, 1)
    stay = [path for path in planted if os.path.lexists(path)]
    try:
        store.pull(reference, quiet)
        assert all(map(os.path.lexists, stay))
        assert [p.stat().st_mode & 0o777 for p in (victim, victim / "inner")] == [0o750, 0o750]
    finally:
        for path in stay:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


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
    with pytest.raises(ImageError, match="than the one that was pulled|could replace|not what was put there"):
        SquashStore(Policy(store=str(tmp_path / "a store"))).find(reference)


def test_no_store_directory_is_said():
    with pytest.raises(ImageError, match="has no directory"):
        SquashStore(Policy())
