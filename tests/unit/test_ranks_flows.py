"""What the user's interrupt, or the end of a rank, means to a request that is on its way: ranks that are played."""

import types

import pytest
from support.waiting import until_end

from jupyter_hpcctr.ranks import bringup, flows, site
from jupyter_hpcctr.ranks.failure import RankError
from jupyter_hpcctr.ranks.launcher import Start
from jupyter_hpcctr.ranks.segments import Shelf
from jupyter_hpcctr.ranks.site import Site
from jupyter_hpcctr.ranks.slots import Node, Placement
from jupyter_hpcctr.ranks.world import World

START = {"op": "start", "ranks": 1}
MPI = {"mpi": {"rank": 0, "size": 1, "library": "Open MPI v4.1.4"}, "mpi_error": None}


class Hub:
    """As much of a hub as a flow sees. ``told`` is what ranks were told."""

    busy_behind = False

    def __init__(self, log):
        self.interrupts, self.told, self.log = 0, [], log
        tell, nothing = (lambda world, message, ranks: self.told.append(message["op"])), (lambda world: None)
        self.own = types.SimpleNamespace(name="n1", tell=tell, kill=nothing, forget=nothing, machine=None)
        plan = types.SimpleNamespace(steps=None, rank_argv=(), beyond="reduce", shares=True)
        self.config = types.SimpleNamespace(plan=plan)
        self.shelf = Shelf("/nowhere", "/nowhere")
        self.site = Site(self)

    def node(self, name):
        return self.own

    def notice(self, *args, **kwargs):
        pass

    def world(self, ranks):
        placement = Placement(ranks, (Node("", ranks),), ranks, over=False)
        made = World("w", placement, Start([], {}, {}, "mpiexec"), log=self.log)
        self.site.world = self.site.worlds["w"] = made
        made.receive("n1", [["entered", [rank], 100 + rank] for rank in range(ranks)])
        return made


@pytest.fixture
def hub(tmp_path, monkeypatch):
    made = Hub(str(tmp_path / "log"))
    for name in ("KILLED_S", "NATURAL_S", "EXIT_PATIENCE_S"):
        monkeypatch.setattr(site, name, 0)
    monkeypatch.setattr(made.site, "launch", lambda start, placement: made.world(1))
    made.site._launcher = types.SimpleNamespace(start=lambda *args, **kwargs: None, found={})
    return made


def test_an_interrupt_during_the_check_ends_the_start_and_its_ranks(hub, monkeypatch):
    monkeypatch.setattr(bringup, "CHECK_PATIENCE_S", float("inf"))  # it hangs, which is when people interrupt
    flow = flows.begin(hub, START)
    next(flow)
    hub.site.world.receive("n1", [["up", [0], MPI]])
    next(flow)
    assert hub.told == ["check"]
    hub.interrupts = 1
    with pytest.raises(RankError, match="interrupted while the ranks were starting") as error:
        for _ in range(1000):
            next(flow)
    assert error.value.etype == "Interrupted"
    assert hub.site.world is None


@pytest.mark.parametrize("op", ["start", "execute"])
def test_an_interrupt_that_comes_with_the_last_ranks_word_is_heeded(hub, op):
    flow = flows.begin(hub, START if op == "start" else {"op": op, "start": START})
    next(flow)
    hub.site.world.receive("n1", [["up", [0], {**MPI, "mpi": None}]])  # there is nothing to check
    hub.interrupts = 1
    with pytest.raises(RankError, match="interrupted while the ranks were starting"):
        until_end(flow)
    assert hub.told == []


def test_a_cell_that_comes_with_its_interrupt_does_not_begin(hub):
    hub.world(1).state = "running"
    hub.interrupts = 1
    with pytest.raises(RankError, match="interrupted before the ranks began"):
        until_end(flows.begin(hub, {"op": "execute", "start": START}))
    assert hub.told == []


def test_a_value_that_comes_with_the_news_of_a_lost_rank_is_removed(hub, tmp_path):
    hub.world(3).state = "running"
    files = [tmp_path / "u0", tmp_path / "u2"]
    for file in files:
        file.write_bytes(b"u")
    sent = [{"ask": 1, "header": {}, "segment": {"path": str(file), "bytes": 1}, "error": None} for file in files]
    flow = flows.begin(hub, {"op": "pull", "name": "u", "ranks": None})
    next(flow)
    hub.site.receive("n1", "w", [["pulled", [0], sent[0]], ["gone", [1], -9], ["pulled", [2], sent[1]]])
    with pytest.raises(RankError, match="^rank 1 has ended$"):
        until_end(flow)
    assert [file for file in files if file.exists()] == []
