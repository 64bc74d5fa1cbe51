"""More text than a notebook can hold: a part is shown, and a file has all of it, or it is said why not."""

import errno
import os
import stat

import pytest

from jupyter_hpcctr.ranks.spill import Spill


@pytest.mark.parametrize("texts", [[], ["0123456789"], ["01234", "56789"]], ids=len)
def test_what_fits_is_shown_and_no_file_is_made(tmp_path, texts):
    spill = Spill(str(tmp_path / "s"), "r.txt", 10)
    assert [spill.take(text) for text in texts] == texts
    assert spill.close() is None
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "texts",
    [["0123456789a"], ["01234", "56789", "a"], ["0123", "456789abc", "def"], ["0123456789é\r\n", "\n\r"]],
    ids="".join,
)
def test_what_is_more_goes_to_a_file_with_all_of_it(tmp_path, texts):
    spill = Spill(str(tmp_path / "a" / "b"), "r.txt", 10)
    whole = "".join(texts)
    assert "".join(spill.take(text) for text in texts) == whole[:10]
    path = tmp_path / "a" / "b" / "r.txt"
    assert spill.close() == (str(path), len(whole), "")
    assert path.read_bytes() == whole.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_shown_where_nothing_may_be(tmp_path):
    spill = Spill(str(tmp_path), "r.txt", 0)
    assert [spill.take("a"), spill.take("b")] == ["", ""]
    assert spill.close() == (str(tmp_path / "r.txt"), 2, "")
    assert (tmp_path / "r.txt").read_text() == "ab"


def test_an_older_file_is_replaced_and_a_link_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "r.txt").symlink_to(tmp_path / "precious")
    spill = Spill(str(tmp_path), "r.txt", 1)
    assert spill.take("abc") == "a"
    assert spill.close() == (str(tmp_path / "r.txt"), 3, "")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "r.txt").read_text() == "abc"


def test_a_directory_that_cannot_be_written_costs_the_rest_and_says_so(tmp_path):
    tmp_path.chmod(0o500)
    try:
        spill = Spill(str(tmp_path / "s"), "r.txt", 3)
        assert [spill.take("abcd"), spill.take("e")] == ["abc", ""]
        closed = spill.close()
    finally:
        tmp_path.chmod(0o700)
    assert closed == (str(tmp_path / "s" / "r.txt"), 0, f"{os.strerror(errno.EACCES)}: the rest was dropped")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", ["e", "e" * 1_000_000], ids=["at its end", "at once"])
def test_a_full_disk_costs_the_rest_and_says_so(tmp_path, monkeypatch, more):
    really = os.open

    def full(path, *more, **also):
        return really("/dev/full", os.O_WRONLY) if str(path).endswith("r.txt") else really(path, *more, **also)

    monkeypatch.setattr(os, "open", full)
    spill = Spill(str(tmp_path), "r.txt", 3)
    before = len(os.listdir("/proc/self/fd"))
    assert [spill.take("abcd"), spill.take(more), spill.take("f")] == ["abc", "", ""]
    path, _, error = spill.close()
    assert path == str(tmp_path / "r.txt")
    assert error.startswith(os.strerror(errno.ENOSPC))
    assert len(os.listdir("/proc/self/fd")) == before
