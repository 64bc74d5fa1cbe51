"""A rank keeps what its shell, its output and its values promise, under Open MPI and under MPICH."""

import base64
import re
import time

import numpy as np
import pytest
from support import rank_world
from support.rank_world import World
from support.waiting import text, wait_for_no_segments

from jupyter_hpcctr.guest.mpirun.data import Segment, pack, unpack

BOTH = [
    pytest.param(mpi, marks=pytest.mark.skipif(rank_world.missing(mpi), reason=f"no {mpi} here"))
    for mpi in rank_world.LAUNCHERS
]
LIBRARIES = {"openmpi": "Open MPI v", "mpich": "MPICH Version"}
PNG = b"\x89PNG\r\n\x1a\n and more"


@pytest.fixture(scope="module", params=BOTH)
def world(request, tmp_path_factory):
    """Two ranks for all tests of this file: each leaves them able to run the next cell."""
    made = World(request.param, 2, tmp_path_factory.mktemp(request.param))
    made.mpi = request.param
    try:
        yield made.wait_up()
        made.end()
    finally:
        made.close()


def both(done, *what):
    """What the ranks have in common."""
    found = [[getattr(outcome, name) for name in what] for outcome in done.values()]
    alike = [re.sub(r"'(rank|seq)': \d+|0x[0-9a-f]{6,}", "", repr(each)) for each in found]
    assert alike == alike[:1] * len(alike)
    return found[0] if len(what) > 1 else found[0][0]


def test_ranks_say_which_mpi_they_are_part_of(world):
    assert [world.up[rank]["mpi"]["rank"] for rank in (0, 1)] == [0, 1]
    for said in world.up.values():
        assert said["mpi"]["size"] == 2 and said["mpi_error"] is None
        assert said["mpi"]["library"].startswith(LIBRARIES[world.mpi])
        assert said["mpi"]["thread"] in ("serialized", "multiple") and said["mpi"]["standard"] >= "3.1"
        assert "rank.py" in text(f"/proc/{said['pid']}/cmdline")


def test_state_persists_and_nothing_is_injected(world):
    assert both(world.run("MPI"), "error").ename == "NameError"
    assert both(world.run("from mpi4py import MPI\ncomm = MPI.COMM_WORLD; x = comm.rank"), "error") is None
    done = world.run("comm.allreduce(x), x")
    shown = [done[rank].shown[0] for rank in (0, 1)]
    assert [message["message"] for message in shown] == ["execute_result"] * 2
    assert [message["content"]["data"] for message in shown] == [{"text/plain": f"(1, {r})"} for r in (0, 1)]
    assert shown[0]["content"]["execution_count"] == shown[0]["cell"]
    assert both(world.run("x;"), "shown") == []
    done = world.run(f"_[0], Out[{shown[0]['cell']}][0], _{shown[0]['cell']}[1]")
    assert [done[r].shown[0]["content"]["data"]["text/plain"] for r in (0, 1)] == ["(1, 1, 0)", "(1, 1, 1)"]


def test_what_is_printed_by_python_and_by_c_is_in_order_with_what_is_shown(world):
    code = """
import ctypes, sys
libc = ctypes.CDLL(None)
print("one", end="")
display(1)
libc.printf(b"two")
print("error", end="", file=sys.stderr)
display(2)
import os; _ = os.system("echo three")
"""
    done = world.run(code)
    for outcome in done.values():
        assert [m["content"]["data"]["text/plain"] for m in outcome.shown] == ["1", "2"]
        assert [m["out"] for m in (*outcome.shown, outcome.last)] == ["one", "two", "three\n"]
        assert [m["err"] for m in (*outcome.shown, outcome.last)] == ["", "error", ""]


def test_text_of_any_kind_arrives(world):
    assert both(world.run(r"print('ä€\udc80', 'x' * 300_000)"), "out") == "ä€\\udc80 " + "x" * 300_000 + "\n"


def test_output_comes_though_a_cell_has_closed_or_replaced_it(world):
    world.run("import os, sys; keep = os.dup(1); os.close(1); real, sys.stdout = sys.stdout, None")
    assert both(world.run("1"), "shown")[0]["content"]["data"] == {"text/plain": "1"}
    world.run("sys.stdout = real; _ = os.dup2(keep, 1); os.set_blocking(2, False)")
    assert both(world.run("print('back')"), "out") == "back\n"


def test_threads_may_show_things_and_outlive_their_cell(world):
    code = """
import threading, time
go = threading.Event()
def show():
    for n in range(20): display(n)
    go.wait(); print("late"); 1 / 0
threads = [threading.Thread(target=show, daemon=True) for _ in range(3)]
[t.start() for t in threads]
until = time.monotonic() + 20
while sum(t.is_alive() for t in threads) < 3 and time.monotonic() < until: pass
for n in range(20): display(n)
time.sleep(0.3)
"""
    assert [(len(outcome.shown), outcome.error) for outcome in world.run(code).values()] == [(80, None)] * 2
    assert both(world.run("go.set(); [t.join() for t in threads]; 1"), "error") is None


def test_displays_updates_and_clearing_are_messages_of_jupyter(world):
    code = f"""
from IPython.display import HTML, Image, JSON, clear_output, display
handle = display(HTML("<b>"), display_id="me", metadata={{"a": 1}})
handle.update(HTML("<i>"))
clear_output(wait=True)
display({{"application/x-bytes": b"raw", "application/json": [1, {{"k": None}}]}}, raw=True)
display({{"application/vnd.jupyter.widget-view+json": {{}}, "text/plain": "widget"}}, raw=True)
Image({PNG!r})
"""
    shown = both(world.run(code), "shown")
    assert [(m["message"], m["cell"]) for m in shown] == [
        (kind, world._cell)
        for kind in ("display_data", "update_display_data", "clear_output", "display_data", "display_data",
                     "execute_result")
    ]  # fmt: skip
    one, update, clear, raw, widget, image = (message["content"] for message in shown)
    assert one["data"]["text/html"] == "<b>" and one["metadata"] == {"a": 1}
    assert one["transient"] == update["transient"] == {"display_id": "me"}
    assert update["data"]["text/html"] == "<i>" and clear == {"wait": True}
    assert raw["data"]["application/x-bytes"] == base64.b64encode(b"raw").decode()
    assert raw["data"]["application/json"] == [1, {"k": None}]
    assert widget["data"] == {"text/plain": "widget"}
    assert base64.b64decode(image["data"]["image/png"]) == PNG


def test_figures_are_shown_at_the_end_of_the_cell(world):
    code = "%matplotlib inline\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\nprint('drawn')"
    message = both(world.run(code), "shown")[0]
    assert message["message"] == "display_data" and message["out"] == "drawn\n"
    assert base64.b64decode(message["content"]["data"]["image/png"]).startswith(PNG[:8])
    assert both(world.run("plt.get_fignums()"), "shown")[0]["content"]["data"] == {"text/plain": "[]"}
    assert "no window" in both(world.run("%gui tk"), "err")


def test_magics_work(world, tmp_path):
    path = tmp_path / "w.py"
    path.touch(mode=0o666)
    assert "per loop" in world.run("%timeit -n 1 -r 1 pass")[0].out
    assert both(world.run("a = 3\n!echo $$HPCCTR_RANKS {a}"), "out").split() == ["2", "3"]
    world.run(f"%%writefile {path}\nvalue = 5\n", [0])
    assert both(world.run(f"%run {path}\nvalue"), "shown")[0]["content"]["data"] == {"text/plain": "5"}
    path.write_text("def f():\n    1 / 0\nf()\n")
    assert both(world.run(f"%run {path}"), "error").ename == "ZeroDivisionError"
    assert both(world.run("%%time\n1 / 0"), "error").ename == "ZeroDivisionError"
    error, out = both(world.run("%tb"), "error", "out")
    assert error is None and "ZeroDivisionError" in out
    assert both(world.run("%%capture held\nprint('a'); display(1)"), "shown", "out") == [[], ""]


def test_cells_may_await(world):
    code = "import asyncio\nqueue = asyncio.Queue()\nasync def put(): await queue.put(7)\n"
    world.run(code + "task = asyncio.ensure_future(put())\nawait asyncio.sleep(0)")
    assert both(world.run("await queue.get()"), "shown")[0]["content"]["data"] == {"text/plain": "7"}
    assert both(world.run("asyncio.run(asyncio.sleep(0, 8))"), "shown")[0]["content"]["data"] == {"text/plain": "8"}
    assert both(world.run("await asyncio.sleep(0, 9)"), "shown")[0]["content"]["data"] == {"text/plain": "9"}


FAILING = {
    "1 / 0": ("ZeroDivisionError", "^division by zero$"),
    "def f():\n    raise KeyError('k')\nf()": ("KeyError", "^'k'$"),
    "a b": ("SyntaxError", "invalid syntax"),
    "def f():\nx": ("IndentationError", "expected an indented block"),
    "'a": ("SyntaxError", "unterminated"),
    "import sys; sys.exit(3)": ("SystemExit", r"^sys.exit\(3\) was called: .*status 3$"),
    "raise SystemExit": ("SystemExit", r"^sys.exit\(\) was called: .*status 0"),
    "exit()": ("SystemExit", r"^sys.exit\(\) was called"),
    "input('name?')": ("StdinNotImplementedError", r"^input\(\) cannot be asked of ranks.*%mpirun push"),
    "import getpass; getpass.getpass()": ("StdinNotImplementedError", r"^getpass\(\) cannot"),
    "breakpoint()": ("StdinNotImplementedError", r"^breakpoint\(\) cannot"),
    "%nosuch": ("UsageError", "nosuch.* not found"),
    "class E(Exception):\n    def __str__(self): 1 / 0\nraise E": ("E", "ZeroDivisionError"),
    "raise KeyboardInterrupt": ("KeyboardInterrupt", ""),
    "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass": ("KeyboardInterrupt", ""),
    "raise GeneratorExit": ("GeneratorExit", ""),
    "await asyncio.wait_for(asyncio.sleep(9), 0)": ("TimeoutError", ""),
    "from mpi4py import MPI\nMPI.COMM_WORLD.Send(b'', dest=99)": ("Exception", "MPI_ERR_RANK|[Ii]nvalid rank"),
    "def r(): r()\nr()": ("RecursionError", "depth"),
}


@pytest.mark.parametrize("code", FAILING)
def test_a_failure_is_told_with_the_users_frames_alone(world, code):
    ename, evalue = FAILING[code]
    done = world.run(code)
    error = both(done, "error")
    assert error.ename == ename and re.search(evalue, error.evalue)
    shown = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback))
    assert error.ename in shown or ename == "IndentationError"
    assert "hpcctr" not in shown and "interactiveshell" not in shown
    assert both(done, "err") == ""
    if ename not in ("UsageError", "E"):
        assert f"In[{world._cell}]" in shown or f"cell {world._cell}" in shown
    assert both(world.run("1 + 1"), "shown")[0]["content"]["data"] == {"text/plain": "2"}


def test_a_very_long_traceback_takes_no_seconds(world):
    world.run("1 / 0")  # what IPython imports for its first traceback is not what is measured
    begin = time.monotonic()
    error = both(world.run("def r(n): return r(n + 1)\nr(0)"), "error")
    assert time.monotonic() - begin < 1.5
    assert error.ename == "RecursionError" and re.search(r"… \d{3,} calls in the middle", error.traceback[-2])
    assert len("\n".join(error.traceback)) < 50_000


@pytest.mark.skipif("sys.version_info < (3, 11)", reason="groups are new in Python 3.11")
def test_a_group_of_exceptions_is_told_whole(world):
    error = both(world.run("raise ExceptionGroup('both', [ValueError('v'), KeyError('k')])"), "error")
    shown = "\n".join(error.traceback)
    assert error.ename == "ExceptionGroup" and "ValueError: v" in shown and "KeyError: 'k'" in shown
    assert "run_code" not in shown


def test_imports_are_the_users_and_classes_can_be_pickled(world):
    code = "import sys\n[name for name in ('data', 'check', 'startup', 'rank', 'loading') if name in sys.modules]"
    assert both(world.run(code), "shown")[0]["content"]["data"] == {"text/plain": "[]"}
    (world.dir / "data.py").write_text("mine = True\n")
    assert both(world.run("import data; data.mine"), "shown")[0]["content"]["data"] == {"text/plain": "True"}
    code = "class C: pass\ndef f(): return 1\nimport pickle, inspect; _ = pickle.loads(pickle.dumps(C()))\n"
    code += "inspect.getsource(f)"
    assert both(world.run(code), "shown")[0]["content"]["data"]["text/plain"] == r"'def f(): return 1\n'"


def pushed(world, values, ranks=None):
    packed = {name: pack(value) for name, value in values.items()}
    segment = Segment.create(packed.values(), str(world.dir))
    headers = {name: header for name, (header, _) in packed.items()}
    try:
        described = None if segment is None else segment.described()
        return world.ask("push", "pushed", ranks, values=headers, segment=described)
    finally:
        if segment is not None:
            segment.unlink()


def pulled(said):
    segment = Segment.open(said["segment"])
    if segment is not None:
        segment.unlink()
    return unpack(said["header"], segment)


def test_values_are_pushed_and_pulled(world):
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    said = pushed(world, {"array": array, "small": {"a": [1, None]}, "text": "x" * 10_000})
    assert [(message["error"], message["ask"]) for message in said.values()] == [(None, 7)] * 2
    world.run("array += comm.rank; result = [array, small, len(text)]")
    for rank, answer in world.ask("pull", "pulled", name="result").items():
        got = pulled(answer)
        assert (got[0] == array + rank).all() and got[0].flags.f_contiguous
        assert got[1:] == [{"a": [1, None]}, 10_000]
    assert pushed(world, {"n": 1}, [1])[1]["error"] is None
    assert world.ask("pull", "pulled", [1], name="n")[1]["segment"] is None


def test_values_that_cannot_be_moved_are_a_sentence(world):
    world.run("import threading; lock = threading.Lock()")
    missing, lock = (world.ask("pull", "pulled", name=name)[0] for name in ("nosuch", "lock"))
    assert missing["error"] == "there is no variable 'nosuch'" and missing["header"] is None
    assert "cannot be pickled" in lock["error"] and lock["segment"] is None
    gone = {"path": "/dev/shm/hpcctr-none", "bytes": 5}
    assert "cannot be mapped" in world.ask("push", "pushed", values={}, segment=gone)[0]["error"]
    wait_for_no_segments()
