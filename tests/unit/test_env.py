"""Which variables a kernel gets, and the file in which ch-run finds them."""

import subprocess

import pytest

from jupyter_hpcctr.guest.environment import compose, left_out, lines
from jupyter_hpcctr.testing.rules import DROPPED, PASSED

VALUES = [
    "", "plain", "a b", " a ", "'", "''", "'a'", "it's", "'''", '"a"', "$HOME:$X", "a=b", "=", "é☃😀", "a\tb", "a\\n",
    "# c", "a\rb", "a\r", "() { :; }", "%s", "x" * 100_000,
]  # fmt: skip


def test_nothing_comes_in_that_is_not_named():
    environ = {
        "SLURM_JOB_ID": "1",
        "SLURM_JWT": "secret",
        "slurm_x": "1",
        "AWS_SECRET_ACCESS_KEY": "s",
        "PATH": "/host",
    }
    assert compose({"PATH": "/image"}, environ, PASSED, DROPPED) == {"SLURM_JOB_ID": "1", "PATH": "/image"}


def test_dropping_beats_passing_and_the_plan_beats_both():
    assert compose({}, {"A_TOKEN": "x", "A_B": "y"}, ["A_*"], ["*TOKEN*"]) == {"A_B": "y"}
    assert compose({"A_TOKEN": "mine"}, {"A_TOKEN": "x"}, ["A_*"], ["*TOKEN*"]) == {"A_TOKEN": "mine"}


def test_no_pattern_passes_nothing():
    assert compose({}, {"A": "1"}, [], []) == {}


def test_a_line_each_in_quotes():
    assert lines({"A": "it's", "B": ""}) == "A='it's'\nB=''\n"


@pytest.mark.parametrize(
    ("name", "value"), [("A", "a\nb"), ("A", "a\0b"), ("A", "\udcff"), ("A\nB", "1"), ("A=B", "1"), ("", "1")]
)
def test_what_no_line_can_carry_is_left_out_and_named(name, value):
    assert left_out({"X": "1", name: value}) == (name,)
    assert lines({"X": "1", name: value}) == "X='1'\n"


@pytest.fixture(scope="module")
def tiny_root(tmp_path_factory):
    """The least that ch-run takes for an image; programs come from the host."""
    root = tmp_path_factory.mktemp("root")
    for name in ("dev", "proc", "sys", "etc", "tmp", "usr", "home"):
        (root / name).mkdir()
    for name in ("passwd", "group"):
        (root / "etc" / name).touch()
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    return root


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_ch_run_gives_the_value_back(tiny_root, tmp_path, value):
    file = tmp_path / "env"
    file.write_text(lines({"A": value, "Z": "last"}), encoding="utf-8")
    words = ["ch-run", "--unset-env=*", "--env-no-expand", f"--set-env={file}", "--bind=/usr:/usr", str(tiny_root)]
    done = subprocess.run(
        [*words, "--", "/usr/bin/env", "-0"], capture_output=True, env={"USER": "me", "PATH": "/usr/bin"}
    )
    assert done.stderr == b""
    seen = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    assert (seen["A"], seen["Z"]) == (value, "last")
