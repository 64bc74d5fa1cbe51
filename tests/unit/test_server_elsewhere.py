"""Kernels of other processes in a server's list: which there are, ending them, and taking them over."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from jupyter_hpcctr.core.life import Life
from jupyter_hpcctr.core.life.state import Mode
from jupyter_hpcctr.core.request import KernelRequest
from jupyter_hpcctr.errors import KernelOwned
from jupyter_hpcctr.launch import LaunchView, record
from jupyter_hpcctr.launch.keeper import Claim
from jupyter_hpcctr.launch.places import of_kernel
from jupyter_hpcctr.launch.record import Kernel, Record, Session
from jupyter_hpcctr.server.elsewhere import Other, Others
from jupyter_hpcctr.server.jobs import Jobs

OWNER = "the Jupyter server 7 on login1"
VIEW = LaunchView("a", "k1", "running")


@pytest.fixture
def others(tmp_path):
    """What a server with the root directory /home/me/work finds."""
    policy = SimpleNamespace(state_dir=str(tmp_path))
    hub = SimpleNamespace(policy=policy, claimed={}, launches=set(), unsettled=set())
    return Others(SimpleNamespace(root_dir="/home/me/work"), hub)


def left(tmp_path, mode=Mode.WANTED, state="running", notebook="work/a.ipynb", kind="notebook", root="/home/me"):
    """A record of another process: the kernel's directory."""
    kernel = Kernel("k1", "spec", "login1", 7, root)
    session = Session("s", notebook, "a.ipynb", kind)
    was = Record(kernel, "a", "/", "key", KernelRequest(), Life(mode=mode), {}, LaunchView("a", "k1", state), session)
    directory = of_kernel(str(tmp_path), "k1")
    record.write(directory, was)
    return directory


def owners(others):
    return {name: other.owner for name, other in asyncio.run(others.look()).items()}


def test_a_kernel_is_its_process_s_while_that_lives_and_then_nobody_s(others, tmp_path):
    claim = Claim(left(tmp_path))
    assert owners(others) == {"a": OWNER}
    claim.release()
    assert owners(others) == {"a": ""}


@pytest.mark.parametrize("place", ["launches", "unsettled"])
def test_a_kernel_of_this_server_is_not_elsewhere_until_its_record_is_given_away(others, tmp_path, place):
    left(tmp_path)
    handover = SimpleNamespace(has_record=True)
    getattr(others._hub, place).add(launch := Hashed(kernel_id="k1", handover=handover))
    assert owners(others) == {}
    launch.handover.has_record = False
    assert owners(others) == {"a": ""}


class Hashed(SimpleNamespace):
    """A launch, as a hub has it in a set."""

    __hash__ = object.__hash__


@pytest.mark.parametrize(
    ("mode", "state", "owned", "unowned"),
    [
        (Mode.DETACHED, "running", {"a": OWNER}, {"a": ""}),
        (Mode.STOPPING, "running", {}, {"a": ""}),
        (Mode.GONE, "gone", {}, {}),
    ],
)
def test_what_a_process_is_just_ending_is_not_shown(others, tmp_path, mode, state, owned, unowned):
    claim = Claim(left(tmp_path, mode, state))
    assert owners(others) == owned
    claim.release()
    assert owners(others) == unowned


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, "a.ipynb"),
        ({"notebook": "a.ipynb"}, None),
        ({"notebook": "work/../../you/a.ipynb"}, None),
        ({"root": ""}, None),
        ({"kind": "console"}, None),
    ],
    ids=["below our root", "beside it", "by a detour", "of a program", "of a console"],
)
def test_a_notebook_has_the_path_that_it_has_here(others, tmp_path, where, found):
    left(tmp_path, **where)
    (other,) = asyncio.run(others.look()).values()
    assert other.notebook == found


# -- what people ask for


class Played:
    """``Others`` as the test has it: one kernel, which a process has that ``hears``, or not."""

    def __init__(self, *, hears=True):
        self.hears, self.taken, self.there = hears, [], True

    async def look(self):
        return {"a": Other(VIEW, OWNER, None, "spec", ())} if self.there else {}

    async def end(self, kernel_id):
        if not self.hears:
            raise KernelOwned("the process that has the kernel does not answer", hint="end that process first")
        self.there = False

    async def take(self, kernel_id, *, by_force):
        await asyncio.sleep(0)
        self.taken.append((kernel_id, by_force))
        self.there, self.views = False, (replace(VIEW, seq=1),)

    views = ()


def asked(others, ask):
    """What a server's jobs answer."""

    async def notebooks():
        return {}

    async def main():
        hub = SimpleNamespace(observe=lambda hear: None, views=lambda: others.views, launch=lambda name: None)
        loop = asyncio.get_running_loop()
        about = {"tell": lambda data: None, "notebooks": notebooks, "kernel_name": lambda kernel: ""}
        jobs = Jobs(hub, loop, others=others, **about)
        await jobs.listing()
        answer = await ask(jobs)
        for task in tuple(jobs._tasks):
            task.cancel()
        return answer

    return asyncio.run(main())


def test_whoever_cancels_a_job_elsewhere_is_told_that_its_process_does_not_answer():
    assert asked(Played(), lambda jobs: jobs.cancel("a")) is True
    with pytest.raises(KernelOwned):
        asked(Played(hears=False), lambda jobs: jobs.cancel("a"))


def test_a_second_click_takes_nothing_twice():
    others = Played()

    async def twice(jobs):
        return await asyncio.gather(*(jobs.take("a", by_force=True) for _ in range(2)))

    assert [each["owner"] for each in asked(others, twice)] == [None, None]
    assert others.taken == [("k1", True)]
