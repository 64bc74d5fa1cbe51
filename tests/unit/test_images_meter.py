"""How far a pull is, and how long the rest of it takes."""

import json
import os

import pytest

from jupyter_hpcctr.core.pulling import PullStep, figures
from jupyter_hpcctr.images import meter, rootfs
from jupyter_hpcctr.images.meter import Meter

MB = 1_000_000


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (PullStep("fetching", 120 * MB, 300 * MB), "fetching 120 of 300 MB"),
        (PullStep("fetching", 0, 300 * MB), "fetching 300 MB"),
        (PullStep("fetching", 301 * MB, 300 * MB), "fetching 300 of 300 MB"),
        (PullStep("fetching", 120 * MB), "fetching 120 MB"),
        (PullStep("unpacking", 10, 2000), "unpacking"),
        (PullStep("waiting"), "waiting"),
    ],
)
def test_a_step_is_a_text_with_its_bytes(step, text):
    assert step == text


def test_whatever_a_store_reports_has_figures():
    assert figures(PullStep("fetching", 1, 2, 3.4)) == {"step": "fetching", "done": 1, "total": 2, "left_s": 3}
    assert figures("resolving") == {"step": "resolving", "done": None, "total": None, "left_s": None}


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves: ``clock[0]``."""
    now = [100.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: now[0])
    return now


def test_the_rest_is_estimated_by_this_pulls_own_speed_and_by_that_of_earlier_ones(tmp_path, clock):
    speeds, said = tmp_path / "speeds.json", []
    first = Meter(said.append, 100 * MB, speeds)
    for name, seconds in (("fetching", 50.0), ("unpacking", 10.0), ("flattening", 20.0)):
        first.begin(name, 100 * MB)
        clock[0] += seconds
        first.at(50 * MB)
    first.keep()
    assert [each.left_s for each in said[:5]] == [None] * 5, "what the later steps take is not known yet"
    assert said[5].left_s == 20.0, "of the last one its own speed is enough"
    said.clear()
    second = Meter(said.append, 200 * MB, speeds)
    second.begin("fetching", 200 * MB)
    clock[0] += 30.0
    second.at(100 * MB)
    second.begin("unpacking")
    clock[0] += 5.0
    second.at(None)
    assert [each.left_s for each in said] == pytest.approx([160.0, 30.0 + 60.0, 60.0, 55.0])


def test_a_step_that_is_slower_than_last_time_is_not_almost_done(tmp_path, clock):
    speeds, said = tmp_path / "speeds.json", []
    speeds.write_text(json.dumps({"flattening": 1e-9}))
    slow = Meter(said.append, 100 * MB, speeds)
    slow.begin("flattening", 100 * MB)
    clock[0] += 2.0
    slow.at(50 * MB)
    clock[0] += 2.0
    slow.at(50 * MB)
    assert [each.left_s for each in said] == pytest.approx([0.1, 0.05, 4.0])


def test_a_small_image_says_nothing_of_how_fast_others_come(tmp_path, clock):
    small = Meter([].append, 2000, tmp_path / "speeds.json")
    for name in meter.STEPS:
        small.begin(name)
        clock[0] += 1.0
    small.keep()
    assert not (tmp_path / "speeds.json").exists()


def test_a_file_of_speeds_that_is_damaged_is_none(tmp_path):
    for text in ("", "[]", "null", json.dumps({"fetching": "x"}), json.dumps({"fetching": -1, "unpacking": 5})):
        (tmp_path / "speeds").write_text(text)
        said = []
        Meter(said.append, MB, tmp_path / "speeds").begin("flattening", MB)
        assert said[0].left_s is None


def test_what_is_read_and_written_is_counted(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 1000)
    (tmp_path / "c").symlink_to("a/b")
    assert 1000 <= meter.written(tmp_path) < 1100
    before = meter.read_by(os.getpid())
    (tmp_path / "a" / "b").read_bytes()
    assert meter.read_by(os.getpid()) >= before + 1000
    assert meter.read_by(2**22 + 1) is None
    assert meter.written(tmp_path / "none") == 0


def test_what_is_written_is_counted_however_deep_it_is(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    with open("file", "wb", opener=lambda name, flags: os.open(name, flags, dir_fd=here)) as file:
        file.write(b"x" * 1000)
    os.close(here)
    try:
        assert meter.written(tmp_path) == 1000
    finally:
        rootfs.remove(tmp_path / "d")
