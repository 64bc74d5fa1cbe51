"""Directories that are the user's alone: how they are made, and what is refused."""

import os

import pytest

from jupyter_hpcctr.edge import files
from jupyter_hpcctr.errors import UnsafePath


def mode(path):
    return path.lstat().st_mode & 0o777


@pytest.fixture
def lax_umask():
    before = os.umask(0o002)
    yield
    os.umask(before)


def test_all_that_is_made_is_for_its_owner_alone(tmp_path, lax_umask):
    place = tmp_path / "state" / "jobs" / "1"
    assert files.private_dir(place) == place
    assert [mode(p) for p in (place, place.parent, place.parent.parent)] == [0o700] * 3
    files.private_dir(place)


def test_a_group_that_may_write_higher_up_is_the_users_affair(tmp_path, lax_umask):
    (tmp_path / "home").mkdir()
    assert mode(tmp_path / "home") == 0o775
    assert mode(files.private_dir(tmp_path / "home" / "a")) == 0o700


@pytest.mark.parametrize("below", ["a", "b/a", "../open/a", "../link/a", "../chain/b/a"])
def test_a_directory_in_which_everybody_may_rename_is_no_way(tmp_path, below):
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    (tmp_path / "link").symlink_to("open")
    (tmp_path / "chain").symlink_to(tmp_path / "link")
    with pytest.raises(UnsafePath) as refused:
        files.private_dir(place / below)
    assert str(place) in refused.value.message
    assert str(place) in refused.value.hint
    assert list(place.iterdir()) == []
    place.chmod(0o1777)
    assert mode(files.private_dir(place / below)) == 0o700


def test_the_way_may_have_links_of_our_own(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to("disk/../disk")
    files.private_dir(tmp_path / "home" / "a" / "b")
    assert mode(tmp_path / "disk" / "a" / "b") == 0o700
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        files.private_dir(tmp_path / "loop" / "a")


def test_a_relative_path_is_one_below_the_work_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.private_dir(tmp_path.relative_to(tmp_path) / "a" / "b")
    assert mode(tmp_path / "a") == 0o700


@pytest.mark.parametrize("kind", ["link", "file", "open"])
def test_what_is_there_must_be_a_private_directory(tmp_path, kind):
    place = tmp_path / "place"
    if kind == "link":
        (tmp_path / "other").mkdir(mode=0o700)
        place.symlink_to("other")
    elif kind == "file":
        place.write_text("x")
    else:
        place.mkdir()
        place.chmod(0o750)
    with pytest.raises(UnsafePath, match="of your own"):
        files.private_dir(place)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_no_way(tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o755)
    os.chown(tmp_path / "theirs", 1, 1)
    with pytest.raises(UnsafePath, match="another user"):
        files.private_dir(tmp_path / "theirs" / "a")
    os.lchown(tmp_path / "theirs", 0, 0)
    (tmp_path / "link").symlink_to("theirs")
    os.lchown(tmp_path / "link", 1, 1)
    with pytest.raises(UnsafePath, match="link belongs to another user"):
        files.private_dir(tmp_path / "link" / "a")
