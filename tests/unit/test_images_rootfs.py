"""What is done to an unpacked image, whatever is in it."""

import os
import stat

import pytest

from jupyter_hpcctr.errors import ImageError
from jupyter_hpcctr.images import rootfs


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "locked/inner/deep").mkdir(parents=True)
    (root / "locked/inner/deep/file").write_text("x")
    (root / "locked/inner/deep/file").chmod(0)
    (root / "locked/inner").chmod(0)
    (root / "locked").chmod(0o111)
    (root / "su").write_text("x")
    (root / "su").chmod(0o6755)
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o1777)
    (root / "dev").mkdir()
    (root / "dangling").symlink_to("/nowhere")
    return root


def modes(root):
    return {str(p.relative_to(root)): stat.S_IMODE(p.lstat().st_mode) for p in root.rglob("*") if not p.is_symlink()}


def test_everything_is_readable_for_its_owner_and_nothing_changes_users(root):
    rootfs.furnish(root, ("/srv", "a/b", "../up", "dangling"), epoch=1000)
    found = modes(root)
    assert found["locked"] == 0o711
    assert found["locked/inner"] == 0o700
    assert found["locked/inner/deep/file"] == 0o400
    assert found["su"] == 0o755
    assert found["sticky"] == 0o1777
    assert {"srv", "a/b", "up", "hpcctr/guest", "hpcctr/run"} <= set(found)
    assert not (root.parent / "up").exists()
    assert (root / "dangling").is_symlink()
    assert {root.stat().st_mtime, *((root / n).stat().st_mtime for n in ("srv", "hpcctr", "hpcctr/run"))} == {1000}
    rootfs.remove(root)
    assert not root.exists()


def test_locked_tree_is_removed(root):
    rootfs.remove(root)
    assert not root.exists()


def test_only_a_tree_of_our_own_is_removed(root, tmp_path, monkeypatch):
    (root / "plain").mkdir(mode=0o750)
    before = modes(root)
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(root)
    file.write_text("x")
    for path in (link, file, tmp_path / "nothing"):
        rootfs.remove(path)
    with monkeypatch.context() as foreign:
        foreign.setattr("os.getuid", lambda: 12345)
        rootfs.remove(root)
    assert link.is_symlink() and file.read_text() == "x"
    assert modes(root) == before


def test_root_directories_that_may_be_laid_over(root):
    rootfs.furnish(root, ("srv", "a/b"), epoch=0)
    assert rootfs.roots(root) == {
        "a": False,
        "dangling": False,
        "dev": False,
        "etc": False,
        "hpcctr": False,
        "locked": False,
        "proc": False,
        "srv": True,
        "sticky": True,
        "su": False,
        "sys": False,
        "tmp": True,
    }


@pytest.mark.parametrize(
    "place",
    ["usr/lib/python3/dist-packages", "opt/conda/lib/python3.12/site-packages", "venv/lib/python3.9/site-packages"],
)
def test_ipykernel_is_found(tmp_path, place):
    assert rootfs.ipykernel(tmp_path) is None
    (tmp_path / place / "ipykernel-7.4.0.dist-info").mkdir(parents=True)
    assert rootfs.ipykernel(tmp_path) == "7.4.0"


NEEDED = {"dev", "proc", "sys", "tmp", "etc/passwd", "etc/group", "etc/hosts", "etc/resolv.conf"}


def test_an_image_of_nothing_gets_what_every_engine_mounts_over(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    rootfs.furnish(root, (), epoch=1000)
    assert {str(path.relative_to(root)) for path in root.rglob("*")} == NEEDED | {
        "etc", "hpcctr", "hpcctr/guest", "hpcctr/run",
    }  # fmt: skip
    assert {path.stat().st_mtime for path in root.rglob("*")} == {1000}
    assert {modes(root)[name] for name in NEEDED if "/" in name} == {0o644}


def test_what_cannot_be_mounted_over_gives_way_and_no_link_is_followed(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "etc").mkdir(parents=True)
    (root / "etc/group").mkdir()
    (root / "etc/group/inner").write_text("x")
    (root / "etc/hosts").write_text("theirs")
    (root / "proc").write_text("x")
    outside.mkdir()
    (outside / "mark").write_text("x")
    for link in ("dev", "etc/passwd", "tmp"):
        (root / link).symlink_to(outside)
    (root / "etc/resolv.conf").symlink_to("../run/nowhere")
    rootfs.furnish(root, (), epoch=1000)
    assert all((root / name).is_dir() and not (root / name).is_symlink() for name in ("dev", "proc", "tmp"))
    files = ("etc/passwd", "etc/group", "etc/resolv.conf")
    assert [(root / name).read_text() for name in files if not (root / name).is_symlink()] == ["", "", ""]
    assert (root / "etc/hosts").read_text() == "theirs"
    assert [path.name for path in outside.iterdir()] == ["mark"]


@pytest.mark.parametrize(("link", "taken"), [("usr/etc", True), ("../outside", False), ("nowhere", False)])
def test_an_etc_that_is_a_link_is_taken_where_it_stays_in_the_image(tmp_path, link, taken):
    root = tmp_path / "root"
    for path in (root / "usr/etc", tmp_path / "outside"):
        path.mkdir(parents=True)
    (root / "etc").symlink_to(link)
    if taken:
        rootfs.furnish(root, (), epoch=0)
        assert (root / "usr/etc/passwd").read_text() == ""
    else:
        with pytest.raises(ImageError, match="/etc is not a directory of its own"):
            rootfs.furnish(root, (), epoch=0)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.fixture
def deep(tmp_path):
    """A tree that is nested deeper than Python's recursion goes, with a locked directory and a file at its end."""
    root = tmp_path / "root"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for number in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        if number == 700:
            os.symlink("/nowhere", "link", dir_fd=here)
            locked = os.dup(below)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0, dir_fd=here))
    os.close(here)
    os.fchmod(locked, 0o500)
    os.close(locked)
    yield root
    rootfs.remove(root)


def test_a_deeply_nested_tree_is_opened_up_and_removed(deep):
    rootfs.furnish(deep, ("srv",), epoch=0)
    end = os.path.join(deep, *["d"] * 1500, "file")
    assert stat.S_IMODE(os.lstat(end).st_mode) == 0o400
    assert rootfs.roots(deep).items() >= {"d": False, "hpcctr": False, "srv": True}.items()
    rootfs.remove(deep)
    assert not deep.exists()


def test_a_tree_with_paths_that_are_too_long_is_refused_and_removed(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(40):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(ImageError, match="longer than this system's limit"):
        rootfs.furnish(root, (), epoch=0)
    rootfs.remove(root)
    assert not root.exists()
