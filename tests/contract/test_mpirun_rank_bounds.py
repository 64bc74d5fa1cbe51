"""What a cell can do to a rank's output and failures is bounded, and is undone for the next cell."""

import re

import pytest
from support import rank_world
from support.rank_world import World

from jupyter_hpcctr.guest.mpirun import failures

pytestmark = pytest.mark.skipif(rank_world.missing("openmpi"), reason="no Open MPI here")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One rank for all tests of this file."""
    made = World("openmpi", 1, tmp_path_factory.mktemp("bounds"))
    try:
        yield made.wait_up()
    finally:
        made.close()


LONG = {
    "raise ValueError('x' * 2_000_000)": 2_000_000,
    "import sys; sys.exit('x' * 2_000_000)": 2_000_000,
    "raise type('E' * 2_000_000, (Exception,), {})": 2_000_000,
    "%nosuch " + "x" * 50_000: 0,
    "def f(n): raise ValueError('x' * 20_000) from (f(n - 1) if n else None)\nf(30)": 0,
}
LONG[
    """
error = None
for n in range(60):
    try:
        raise ValueError(f"{n} " + "x" * 20_000) from error
    except ValueError as one:
        error = one
raise error
"""
] = 20_000


@pytest.mark.parametrize("code", LONG)
def test_the_text_of_a_failure_is_bounded(world, code):
    (outcome,) = world.run(code).values()
    error = outcome.error
    shown = "\n".join(error.traceback)
    assert len(error.ename) + len(error.evalue) + len(shown) < 130_000 and max(map(len, error.traceback)) < 11_000
    assert not LONG[code] or "characters are left out" in shown
    assert world.run("1")[0].error is None


def test_a_long_text_of_values_that_are_not_moved_is_bounded(world):
    world.run("class C:\n    def __reduce__(self): raise ValueError('x' * 2_000_000)\nc = C()")
    said = world.ask("pull", "pulled", name="c")[0]["error"]
    assert "characters are left out" in said and len(said) < 11_000


def test_text_is_cut_between_colours():
    for shift in range(12):
        short = failures.cut("a" * shift + "\x1b[38;5;28mab" * 30, 80)
        head, _, tail = re.sub(r"\x1b\[[\d;]*m", "", short).split("…")
        assert set(head) == set(tail) == {"a", "b", " "}, short
    assert failures.cut("x" * 80, 80) == "x" * 80
    assert failures.cut("x" * 81, 80) == "x" * 60 + " … 1 characters are left out … " + "x" * 20


def test_both_ends_of_a_long_traceback_stay():
    lines = [f"{n}" * 2000 for n in range(10, 60)]
    kept = failures.bounded({"ename": "E", "evalue": "e", "traceback": lines})["traceback"]
    middle = kept.index(next(line for line in kept if line.startswith("…")))
    assert kept[middle] == "… 26 entries with 104,000 characters are left out …"
    assert kept[:middle] == lines[:12] and kept[middle + 1 :] == lines[-12:]


TAKEN = {
    "os.close(1)": "out",
    "os.close(2)": "err",
    "os.close(1); os.close(2)": "out",
    "os.close(1); file = open('taken', 'w')": "out",
    "file = open('taken', 'w'); _ = os.dup2(file.fileno(), 1); _ = os.dup2(file.fileno(), 2)": "err",
    "sys.stdout.close(); sys.stderr.close()": "out",
    "sys.stdout = None; os.close(1)": "out",
    "sys.stdout = sys.__stdout__ = None; sys.stderr.close()": "out",
    "del sys.stdout": "out",
    "del sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__": "err",
}


@pytest.mark.parametrize("code", TAKEN)
def test_the_next_cell_prints_though_one_has_closed_or_replaced_its_output(world, code):
    world.run("import ctypes, os, sys\n" + code)
    c = "puts(b'c')" if TAKEN[code] == "out" else "dprintf(2, b'c\\n')"
    printing = f"print('python', file=sys.std{TAKEN[code]}, flush=True); _ = ctypes.CDLL(None).{c}"
    done = world.run(printing + "; _ = os.system('echo sh >&2')")[0]
    assert done.error is None
    assert sorted((done.out + done.err).split()) == ["c", "python", "sh"]
    assert world.run("print('ä', '\\udc80', end='')")[0].out == "ä \\udc80"


def test_displays_are_bounded_and_what_is_not_shown_is_said(world):
    code = "from IPython.display import HTML, clear_output, display\n"
    done = world.run(code + "for n in range(3000): display(HTML('<b>' * 10))\nprint('printed')\n'last'")[0]
    assert len(done.shown) == 1001 and done.out == "printed\n"
    assert done.shown[-1]["content"]["data"] == {"text/plain": "'last'"}
    line = r"… 2,000 displays are not shown \(\d{2,3}\.\d kB\): each rank may show 1,000 in a cell, of 16 MB in all\n"
    assert re.fullmatch(line, done.err)
    done = world.run("for n in range(30): display(HTML('x' * 1_000_000))")[0]
    assert len(done.shown) == 15 and re.fullmatch(r"… 15 displays .* \(15.0 MB\): .*\n", done.err)
    done = world.run("display(HTML('x' * 17_000_000)); display(2)")[0]
    assert [each["content"]["data"]["text/plain"] for each in done.shown] == ["2"]
    assert done.err.startswith("… 1 display is not shown (17.0 MB): ")
    assert world.run("display(3)")[0].err == ""


def test_what_takes_the_place_of_another_display_is_shown_to_the_end(world):
    world.run("from IPython.display import HTML, clear_output, display")
    code = "handle = display(0, display_id=True)\nfor n in range(1200): handle.update(n)"
    done = world.run(code)[0]
    assert (len(done.shown), done.err) == (1201, "")
    done = world.run("for n in range(1200): clear_output(wait=True); display(n)")[0]
    assert (len(done.shown), done.err) == (2400, "")
