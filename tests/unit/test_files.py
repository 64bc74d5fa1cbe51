"""Directories that are the user's alone: how they are made, and what is refused."""

import os
from types import SimpleNamespace

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


@pytest.fixture
def trust():
    return files.Trust.of()


def kept(tmp_path, below="a/b/store"):
    """A directory with two above it, of which the middle one will be opened up."""
    place = tmp_path / below
    place.mkdir(parents=True)
    for step in (place, place.parent, place.parent.parent):
        step.chmod(0o755)
    return place


@pytest.mark.parametrize("up", [0, 1, 2])
@pytest.mark.parametrize(("opened", "said"), [(0o777, "everybody may write in"), (0o757, "everybody may write in")])
def test_a_way_in_which_others_may_rename_is_refused_at_each_step(tmp_path, trust, up, opened, said):
    place = kept(tmp_path)
    files.check_way(place, trust)
    step = [place, *place.parents][up]
    step.chmod(opened)
    with pytest.raises(UnsafePath) as refused:
        files.check_way(place, trust)
    assert f"{said} {step}" == refused.value.message
    assert f"chmod go-w {step}" in refused.value.hint
    step.chmod(opened | 0o1000)
    files.check_way(place, trust)


def test_a_group_of_others_may_not_write_on_the_way_unless_it_is_trusted(tmp_path, monkeypatch):
    place = kept(tmp_path)
    place.parent.chmod(0o775)
    gid = place.parent.stat().st_gid
    monkeypatch.setattr(files, "_private_group", set)
    if gid != 0:  # root's own group is trusted
        with pytest.raises(UnsafePath, match=f"the group .* may write in {place.parent}"):
            files.check_way(place, files.Trust.of())
    name = files._group(gid)
    files.check_way(place, files.Trust.of([f"@{name}"]))


def test_the_users_private_group_is_nobody_else(tmp_path, monkeypatch, trust):
    place = kept(tmp_path)
    place.parent.chmod(0o775)
    monkeypatch.setattr(files, "_private_group", lambda: {place.parent.stat().st_gid})
    files.check_way(place, trust)
    monkeypatch.setattr(files, "_has_acl", lambda path: path == place.parent)
    with pytest.raises(UnsafePath, match="the group"):
        files.check_way(place, trust)


@pytest.mark.parametrize(
    ("group", "members", "private"), [("me", [], True), ("me", ["me"], True), ("me", ["you"], False), ("us", [], False)]
)
def test_a_private_group_has_the_users_name_and_nobody_else_in_it(monkeypatch, group, members, private):
    monkeypatch.setattr("pwd.getpwuid", lambda uid: SimpleNamespace(pw_name="me"))
    monkeypatch.setattr("grp.getgrgid", lambda gid: SimpleNamespace(gr_name=group, gr_mem=members, gr_gid=gid))
    assert files._private_group() == ({os.getgid()} if private else set())


def test_a_way_through_links_is_followed_and_what_is_missing_is_no_fault(tmp_path, trust):
    place = kept(tmp_path)
    (tmp_path / "link").symlink_to(place.parent)
    files.check_way(tmp_path / "link" / "store" / "not" / "there", trust)
    place.parent.chmod(0o777)
    with pytest.raises(UnsafePath, match=str(place.parent)):
        files.check_way(tmp_path / "link" / "store", trust)


def test_an_administrator_who_owns_the_way_is_trusted_by_name(tmp_path, monkeypatch):
    place = kept(tmp_path)
    me = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: 12345)
    monkeypatch.setattr("pwd.getpwnam", lambda name: {"admin": SimpleNamespace(pw_uid=me)}[name])
    if me != 0:  # root is trusted by everybody
        with pytest.raises(UnsafePath, match=rf"belongs to another user \(id {me}\)"):
            files.check_way(place, files.Trust.of())
    files.check_way(place, files.Trust.of(["admin"]))
    with pytest.raises(UnsafePath, match="there is no user or group nobody-of-that-name"):
        files.Trust.of(["nobody-of-that-name"])
