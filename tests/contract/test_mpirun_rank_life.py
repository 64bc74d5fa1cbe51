"""A rank can be stopped, asked where it stands, and ended, whatever MPI does; under Open MPI and under MPICH."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from support import rank_world
from support.rank_world import World
from support.waiting import state_of, text, wait_until

from jupyter_hpcctr.guest.mpirun import check, stacks

BOTH = [
    pytest.param(mpi, marks=pytest.mark.skipif(rank_world.missing(mpi), reason=f"no {mpi} here"))
    for mpi in rank_world.LAUNCHERS
]
PREPARE = "from mpi4py import MPI; import time; comm = MPI.COMM_WORLD"
BARE = ("env", "HPCCTR_RANK=0")


@pytest.fixture(scope="module", params=BOTH)
def world(request, tmp_path_factory):
    """Two ranks for all tests that leave them able to run the next cell."""
    made = World(request.param, 2, tmp_path_factory.mktemp(request.param)).wait_up()
    made.run(PREPARE)
    yield made
    made.close()


@pytest.fixture
def start(tmp_path):
    """Start a world of the test's own."""
    made = []

    def begin(mpi, ranks, **options):
        made.append(World(mpi, ranks, tmp_path, **options))
        return made[0]

    yield begin
    for each in made:
        each.close()


def stands(world, rank, at=""):
    """Where a rank says that it stands, once it is at that line of the cell's."""
    until = time.monotonic() + 20
    while True:
        said = world.ask("stack", "stack", [rank])[rank]
        first = said["lines"][0]
        if (first.startswith("cell ") and at in first) or time.monotonic() > until:
            return said
        time.sleep(0.02)


@pytest.mark.parametrize("code", ["while True: pass", "time.sleep(60)", "import threading; threading.Event().wait()",
                                  "await asyncio.sleep(60)", "!sleep 60\n1 / 0"])  # fmt: skip
def test_an_interrupt_ends_the_cell_and_not_the_rank(world, code):
    world.start("import asyncio\n" + code)
    stands(world, 0), stands(world, 1)
    time.sleep(0.2)
    begin = time.monotonic()
    world.tell(op="interrupt")
    done = world.done()
    assert time.monotonic() - begin < 30  # by itself it would take 60
    if not code.startswith("!"):  # IPython passes it on to the program and goes on
        assert {outcome.error.ename for outcome in done.values()} == {"KeyboardInterrupt"}
        assert "KeyboardInterrupt" in done[0].error.traceback[-1]
    assert world.run("1")[1].error is None


def test_an_interrupt_right_behind_the_cell_is_for_it(world):
    for _ in range(20):
        world.start("time.sleep(60)")
        world.tell(op="interrupt")
        assert {outcome.error.ename for outcome in world.done().values()} == {"KeyboardInterrupt"}


def test_an_interrupt_between_cells_is_for_none(world):
    world.tell(op="interrupt")
    pid = world.up[0]["pid"]
    os.kill(pid, signal.SIGINT)
    time.sleep(0.1)
    os.kill(pid, signal.SIGINT)
    assert [outcome.error for outcome in world.run("time.sleep(0.2)").values()] == [None, None]


def test_interrupts_in_a_storm_of_output_tear_nothing(world):
    # Each outcome's marks are checked when it is taken: one that is missing or torn shows there.
    for n in range(15):
        world.start("import sys\nwhile True:\n    print('x' * 50); display(1); print('y', file=sys.stderr)")
        time.sleep(0.05 + n / 200)
        world.tell(op="interrupt")
        assert {outcome.error.ename for outcome in world.done().values()} == {"KeyboardInterrupt"}


def test_an_interrupt_is_not_lost_in_a_destructor(world):
    code = """
class Slow:
    def __del__(self):
        try: time.sleep(1)
        except: pass
slow = Slow()
del slow
while True: pass
"""
    world.start(code)
    stands(world, 0, "del slow"), stands(world, 1, "del slow")
    world.tell(op="interrupt")
    assert {outcome.error.ename for outcome in world.done().values()} == {"KeyboardInterrupt"}


def test_a_cell_may_take_the_interrupt_for_itself(world):
    code = """
import signal
try:
    while True: time.sleep(0.1)  # Python 3.11 does not catch what comes in "while True: pass"
except KeyboardInterrupt:
    print("caught")
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
    world.start(code)
    stands(world, 0, "while"), stands(world, 1, "while")
    world.tell(op="interrupt")
    assert [(outcome.error, outcome.out) for outcome in world.done().values()] == [(None, "caught\n")] * 2
    world.start("while True: pass")
    world.tell(op="interrupt")
    assert {outcome.error.ename for outcome in world.done().values()} == {"KeyboardInterrupt"}


def test_an_awaiting_cell_that_was_interrupted_does_not_go_on_later(world):
    world.start("import asyncio; x = 1\nawait asyncio.sleep(1)\nx = 2")
    assert stands(world, 0, "await")["lines"] == [f"cell {world._cell}, line 2: await asyncio.sleep(1) (awaits)"]
    stands(world, 1, "await")
    world.tell(op="interrupt")
    world.done()
    shown = world.run("await asyncio.sleep(1.5); x")[0].shown
    assert shown[0]["content"]["data"] == {"text/plain": "1"}


def test_a_rank_in_a_collective_says_where_it_stands(world):
    world.run("def exchange(n):\n    if n: exchange(n - 1)\n    else:\n        comm.Barrier()", [0])
    defined = world._cell
    cell = world.start("x = 1\nexchange(1)", [0])
    said = stands(world, 0, "exchange(1)")
    assert said["busy"] is True and said["lines"] == [
        f"cell {cell}, line 2: exchange(1)",
        f"cell {defined}, line 2, in exchange: if n: exchange(n - 1)",
        f"cell {defined}, line 4, in exchange: comm.Barrier()",
    ]
    idle = world.ask("stack", "stack", [1])[1]
    assert (idle["busy"], idle["lines"], idle["ask"]) == (False, ["finished the cell"], 7)
    os.kill(world.up[0]["pid"], signal.SIGUSR1)
    wait_until(lambda: f'"<cell {defined}>", line 4 in exchange' in text(world.dir / "0.err"), "a stack by signal")
    world.start("comm.Barrier()", [1])
    world._cell = cell
    assert world.done([0])[0].error is None
    world._cell += 1
    assert world.done([1])[1].error is None


def test_a_deep_stack_is_shortened(world):
    world.start("def deep(n):\n    if n: deep(n - 1)\n    time.sleep(60)\ndeep(500)")
    stands(world, 1)
    wait_until(lambda: "sleep" in stands(world, 0)["lines"][-1], "the bottom")
    lines = stands(world, 0)["lines"]
    assert len(lines) == stacks.FIRST + stacks.LAST + 1
    assert re.fullmatch(r"… \d+ calls more …", lines[stacks.FIRST]) and lines[-1].endswith("time.sleep(60)")
    world.tell(op="interrupt")
    world.done()


def test_the_check_knows_the_world_and_measures_in_the_node(world):
    first, other = (message["result"] for message in world.ask("check", "checked").values())
    first, other = sorted((first, other), key=lambda each: each["rank"])
    assert first["agrees"] and first["size"] == 2 and first["in_memory"] == 2
    assert first["in_node_gb_s"] > 0.05 and first["in_node_with"] == 1
    assert first["between_gb_s"] is None and "stuck" not in first
    assert (other["rank"], other["host"]) == (1, os.uname().nodename) and "in_node_gb_s" not in other
    begin = time.monotonic()
    world.ask("check", "checked")
    assert time.monotonic() - begin < 1
    assert world.run("comm.Iprobe()")[0].shown[0]["content"]["data"] == {"text/plain": "False"}


def test_a_fork_that_comes_to_the_end_of_its_cell_ends_there(world):
    code = """
import os, sys
pid = os.fork()
if pid:
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    display("nobody sees this"); print("child"); bad
"""
    for outcome in world.run(code).values():
        assert (outcome.out, outcome.shown, outcome.error) == ("child\n1\n", [], None)
        assert "NameError" in outcome.err
    assert world.run("import multiprocessing; multiprocessing.get_context('fork').Pool(1).map(abs, [-1])")[1].shown


def test_partners_of_the_check():
    assert check.pairs(["a"]) == {"in_node": None, "between": None}
    assert check.pairs(["a", "b", "a", "c"]) == {"in_node": 2, "between": 1}


@pytest.mark.parametrize("mpi", BOTH)
def test_ends_well_and_what_a_cell_left_open_is_written(mpi, start, tmp_path):
    world = start(mpi, 2).wait_up()
    code = "import atexit, os\nfile = open(f'{os.environ[\"HPCCTR_RANK\"]}.txt', 'w'); _ = file.write('kept')\n"
    world.run(code + "atexit.register(print, 'good', 'bye')")
    status, took = world.end()
    assert status == 0 and took < 5
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)] == ["kept"] * 2
    assert "good bye\n" in text(tmp_path / "0.out")


@pytest.mark.parametrize("mpi", BOTH)
def test_ends_soon_though_it_is_stuck_in_mpi(mpi, start):
    world = start(mpi, 2).wait_up()
    world.run(PREPARE)
    world.start("comm.Barrier()", [0])
    stands(world, 0)
    assert world.end()[1] < 5
    wait_until(lambda: {state_of(said["pid"]) for said in world.up.values()} <= {"gone", "Z"}, "the end of both")


@pytest.mark.parametrize("mpi", BOTH)
def test_ends_with_its_parent_though_it_is_stuck_in_mpi(mpi, start):
    world = start(mpi, 2, behind=True).wait_up()
    world.run(PREPARE)
    world.start("comm.Barrier()", [0])
    stands(world, 0)
    pid = world.up[0]["pid"]
    parent = int(text(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: state_of(pid) in ("gone", "Z"), "the end of a rank without its parent")


def test_ends_when_nobody_reads_it_any_more(start, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    world = start("openmpi", 1, launcher=(*BARE, "sh", "-c", f'exec "$@" >{tmp_path}/fifo 2>&1', "sh"), wrapper=())
    world.wait_up()
    os.close(reader)
    assert world.process.wait(10) == 1


@pytest.mark.parametrize("mpi", BOTH)
def test_processes_that_believe_that_they_are_alone_do_not_hang_in_the_check(mpi, start):
    world = start(mpi, 2, env={"HPCCTR_RANKS": "3"}).wait_up()
    results = [message["result"] for message in world.ask("check", "checked").values()]
    assert [(each["size"], each["agrees"]) for each in results] == [(2, False)] * 2
    assert "in_node_gb_s" not in results[0]


def test_without_mpi4py_cells_run_and_the_reason_is_said(start, tmp_path):
    (tmp_path / "mpi4py.py").write_text("raise ModuleNotFoundError(name='mpi4py')")
    cache = {"HPCCTR_STARTUP_CACHE": str(tmp_path / "cache")}  # is for images that nobody can change: not used here
    said = start("openmpi", 1, launcher=BARE, env={"PYTHONPATH": str(tmp_path), **cache}).wait_up()
    assert said.up[0]["mpi"] is None and "has no mpi4py: add it with 'pip install mpi4py'" in said.up[0]["mpi_error"]
    shown = said.run("import os; [name for name in os.environ if name in ('HPCCTR_STARTUP_CACHE', 'HPCCTR_TOKEN')]")
    assert shown[0].shown[0]["content"]["data"] == {"text/plain": "[]"}
    assert said.end()[0] == 0 and not (tmp_path / "cache-rank").exists()


def test_without_a_library_of_mpi_the_reason_is_said(start):
    said = start("mpich", 1, launcher=BARE, env={"LD_LIBRARY_PATH": ""}).wait_up()
    assert said.up[0]["mpi"] is None and "no MPI library that it can use: libmpi" in said.up[0]["mpi_error"]


@pytest.mark.parametrize(("module", "says"), [("zmq", "needs pyzmq"), ("IPython", "cannot run cells")])
def test_without_what_it_needs_it_says_so_and_ends(start, tmp_path, module, says):
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}')")
    world = start("openmpi", 1, launcher=BARE, env={"PYTHONPATH": str(tmp_path), "MPI4PY_LIBMPI": "none"})
    assert world.process.wait(20) == 71
    assert says in text(tmp_path / "0.err")


def test_a_rank_imports_nothing_that_it_does_not_need():
    code = """
import sys
from jupyter_hpcctr.guest.mpirun import rank, shell
before = set(sys.modules)
assert not before & {"zmq", "numpy", "IPython", "mpi4py", "traitlets", "asyncio", "subprocess"}, before
shell.make(print, print)
print({"jedi", "sqlite3", "asyncio", "ipykernel", "jupyter_client", "matplotlib", "numpy",
       "IPython.core.completer"} & set(sys.modules))
"""
    words = [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("set()\n", "")
