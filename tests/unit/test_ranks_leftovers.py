"""Values in shared memory whose makers were killed: whoever outlives them finds the files by their names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.relays import W1, relayed
from support.waiting import wait_until

from jupyter_hpcctr.guest.mpirun import rank, segment
from jupyter_hpcctr.ranks import segments
from jupyter_hpcctr.ranks.segments import Shelf, remove_all

UID = os.getuid()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Shared memory and a private directory; both are the test's own."""
    made = [tmp_path / "memory", tmp_path / f"hpcctr-{UID}-12ab" / "kernel"]
    for place in made:
        place.mkdir(parents=True)
    monkeypatch.setattr(segments, "_PLACE", str(made[0]))
    return made


def test_an_owners_segments_are_removed_and_nobody_elses(places):
    others = [segment.new_name(owner) for owner in (f"{W1}0", f"{W1}-2", f"2-{W1}", "w", "")]
    others += [f"hpcctr-{UID + 1}-{W1}-0123", W1, f"mpi-hpcctr-{UID}-{W1}"]
    for place in places:
        for name in (*others, segment.new_name(W1), segment.new_name(W1)):
            (place / name).touch()
    (places[0] / f"hpcctr-{UID}-{W1}-directory").mkdir()  # nothing that we have made, or can remove
    remove_all(W1, str(places[1]))
    assert [len(list(place.iterdir())) for place in places] == [len(others) + 1, len(others)]
    assert all((place / name).exists() for place in places for name in others)
    remove_all(W1, str(places[0] / "missing"))


def test_the_kernels_and_the_hubs_segments_are_of_one_owner_which_the_kernel_is_told(places):
    memory, private = places
    shelf = Shelf(str(private), "/hpcctr/run")
    assert segment.owner_of(str(private)) == ""
    shelf.announce()
    shelf.announce()  # a second hub of the same run
    assert segment.owner_of(str(private)) == shelf.owner == "12ab"
    path, descriptor = shelf.make(1)
    os.close(descriptor)
    packed = {}, [memoryview(b"x")]
    name = segment.new_name(segment.owner_of(str(private)))
    pushed = segment.Segment.create([packed], str(private), memory=str(memory), name=name)
    other = memory / segment.new_name(W1)
    other.touch()
    assert os.path.exists(path) and os.path.exists(pushed.path)
    shelf.clear()
    assert list(memory.iterdir()) == [other]


NO_MPI = 'raise ModuleNotFoundError("not for this test", name="mpi4py")'
DYING = "import os\nu = b'x' * 10**6\nos.pwritev = lambda *args: os.kill(os.getpid(), 9)"
ELSEWHERE = """
opened = os.open
def full(path, *args):
    if str(path).startswith("/dev/shm/"):
        raise OSError(28, "full")
    return opened(path, *args)
os.open = full"""


@pytest.mark.parametrize("place", ["memory", "private"])
def test_what_a_rank_leaves_that_is_killed_while_it_makes_it_goes_with_its_world(tmp_path, place):
    (tmp_path / "mpi4py.py").write_text(NO_MPI)
    world, more = f"w{os.urandom(4).hex()}", {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}
    code = DYING if place == "memory" else DYING + ELSEWHERE
    with relayed() as node:
        where = Path(segment.MEMORY) if place == "memory" else node.directory
        node.start([sys.executable, rank.__file__], 0, world=world, env=more, pass_env=["*"])
        node.until(lambda: node.told("up", world))
        node.relay.tell(world, {"op": "execute", "cell": 1, "code": code, "limit": 10**6, "spill": str(tmp_path)})
        node.relay.tell(world, {"op": "pull", "ask": 1, "name": "u"})
        node.until(lambda: node.gone(world) == {0: -9})
        assert len(list(where.glob(f"hpcctr-{UID}-{world}-*"))) == 1
        node.relay.forget(world)
        assert list(where.glob(f"hpcctr-{UID}-{world}-*")) == []


KERNEL = """
import os, sys, types
from jupyter_hpcctr.guest.mpirun import segment, session
from jupyter_hpcctr.ranks import plain
def stopped(*args):
    print(*[name for name in os.listdir(segment.MEMORY) if segment.owner_of(plain.find()) in name], flush=True)
    sys.stdin.read()
os.pwritev = stopped
session.Session(types.SimpleNamespace(user_ns={}), plain.find).line("push u", {"u": b"x" * 10**6})
"""


def test_what_a_kernel_leaves_that_is_killed_while_it_pushes_goes_with_its_hub(tmp_path):
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", KERNEL], cwd=tmp_path, stdin=pipe, stdout=pipe, text=True) as kernel:
        name = kernel.stdout.readline().strip()
        kernel.kill()
    assert name.startswith(f"hpcctr-{UID}-") and " " not in name
    wait_until(lambda: not os.path.exists(f"{segment.MEMORY}/{name}"), name)
