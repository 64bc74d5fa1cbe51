"""What becomes of a world between requests, without any process: the hub's own parts, and ranks that are played."""

import threading
import types

import pytest
import zmq
from support.waiting import until_end

from jupyter_hpcctr.ranks import bringup, values
from jupyter_hpcctr.ranks.failure import RankError
from jupyter_hpcctr.ranks.launcher import Start
from jupyter_hpcctr.ranks.node import settle
from jupyter_hpcctr.ranks.nodes import OtherNode, Switchboard
from jupyter_hpcctr.ranks.segments import Shelf
from jupyter_hpcctr.ranks.site import Site
from jupyter_hpcctr.ranks.slots import Node, Placement
from jupyter_hpcctr.ranks.world import World


class Hub:
    """As much of a hub as a flow sees."""

    def __init__(self):
        self.interrupts, self.background, self.told = 0, None, []
        self.own = types.SimpleNamespace(name="n1", tell=lambda world, message, ranks: self.told.append(message))
        self.config = types.SimpleNamespace(plan=None)
        self.shelf = Shelf("/nowhere", "/nowhere")
        self.site = Site(self)

    busy_behind = property(lambda self: self.background is not None)

    def node(self, name):
        return self.own if name in ("", "n1") else self.switchboard.nodes.get(name)

    def open_switchboard(self):
        return self.switchboard

    def behind(self, flow):
        self.background = flow


@pytest.fixture
def hub(tmp_path):
    made = Hub()
    placement = Placement(2, (Node("", 2),), 2, over=False)
    world = made.site.world = World("w", placement, Start([], {}, {}, "mpiexec"), log=str(tmp_path / "log"))
    made.site.worlds["w"] = world
    world.receive("n1", [["entered", [rank], 100 + rank] for rank in (0, 1)])
    world.state = "running"
    return made


@pytest.mark.parametrize("ask", [lambda hub: bringup.bring_up(hub, {}), lambda hub: values.pull(hub, {"name": "u"})])
def test_ranks_that_ended_between_cells_are_told_of_and_started_again(hub, ask):
    hub.site.world.receive("n1", [["gone", [1], -9], ["gone", [0], -15]])
    with pytest.raises(
        RankError, match="^rank 1 was ended by SIGKILL, and rank 0 with it, since the last cell$"
    ) as error:
        until_end(ask(hub))
    assert error.value.etype == "RanksLost"
    assert "started again" in error.value.hint
    assert hub.busy_behind


def test_a_world_without_losses_is_kept(hub):
    assert until_end(bringup.bring_up(hub, {})) is hub.site.world
    assert not hub.busy_behind


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        (
            {"ranks": 4}, "2 ranks are running with their variables, and 4 were asked for",
            "leave -n 4 out to use the 2 ranks that run, or start new ones: %mpirun restart -n 4, or --fresh",
        ),
        (
            {"ranks_per_node": 1, "pmi": "pmi2"},
            "2 ranks are running with their variables, and 1 per node were asked for",
            "leave --ranks-per-node 1 out to use the 2 ranks that run, or start new ones: "
            "%mpirun restart --ranks-per-node 1 --pmi pmi2, or --fresh",
        ),
        (
            {"ranks": 9}, "9 ranks were asked for, and the allocation has room for 4",
            "leave -n 9 out to use the 2 ranks that run, or let them share CPUs: %mpirun restart -n 9 --oversubscribe",
        ),
        (
            {"ranks": 9, "oversubscribe": True}, "2 ranks are running with their variables, and 9 were asked for",
            "leave -n 9 out to use the 2 ranks that run, or start new ones: "
            "%mpirun restart -n 9 --oversubscribe, or --fresh",
        ),
        (
            {"ranks": 9, "ranks_per_node": 1}, "9 ranks at 1 per node need 9 nodes, and there is 1",
            "leave -n 9 and --ranks-per-node 1 out to use the 2 ranks that run",
        ),
    ],
)  # fmt: skip
def test_what_is_advised_to_who_wants_other_ranks_can_be_done(hub, monkeypatch, wanted, message, hint):
    def room():
        yield
        return (Node("n1", 4),)

    hub.config.plan = types.SimpleNamespace(beyond="refuse")
    monkeypatch.setattr(hub.site, "room", room)
    with pytest.raises(RankError) as refused:
        until_end(bringup.bring_up(hub, wanted))
    assert (str(refused.value), refused.value.hint) == (message, hint)


def test_ranks_that_would_be_reduced_to_those_that_run_are_those(hub, monkeypatch):
    def room():
        yield
        return (Node("", 2),)

    hub.config.plan = types.SimpleNamespace(beyond="reduce")
    hub.notice = lambda text, level: hub.told.append((level, text))
    monkeypatch.setattr(hub.site, "room", room)
    assert until_end(bringup.bring_up(hub, {"ranks": 9})) is hub.site.world
    assert hub.told == [("warning", "ranks 9 → 2: this machine has 2 CPUs for them")]


def test_an_interrupt_ends_the_request_and_not_what_is_started_behind_it(hub):
    hub.interrupts = 1
    with pytest.raises(RankError, match="interrupted while the ranks were starting"):
        until_end(bringup._wait_up(hub, hub.site.world, behind=False))
    starting = bringup._wait_up(hub, hub.site.world, behind=True)
    next(starting)
    mpi = {"rank": 0, "size": 2, "library": "Open MPI v4.1.4"}
    hub.site.world.receive("n1", [["up", [rank], {"mpi": mpi, "mpi_error": None}] for rank in (0, 1)])
    until_end(starting)


def test_a_value_that_comes_after_an_interrupt_is_removed(hub, tmp_path):
    files = [tmp_path / "early", tmp_path / "late", tmp_path / "wanted"]
    for file in files:
        file.write_bytes(b"u")
    pulled = [{"ask": 1, "header": {}, "segment": {"path": str(file), "bytes": 1}, "error": None} for file in files]
    flow = values.pull(hub, {"name": "u", "ranks": None})
    next(flow)
    assert [message["op"] for message in hub.told] == ["pull"]
    hub.site.receive("n1", "w", [["pulled", [0], pulled[0]]])
    next(flow)
    hub.interrupts = 1
    with pytest.raises(RankError, match="interrupted while values were moved"):
        next(flow)
    assert hub.told[1:] == [{"op": "interrupt"}]
    hub.site.receive("n1", "w", [["pulled", [1], pulled[1]], ["pulled", [1], {**pulled[2], "ask": 2}]])
    assert [file.exists() for file in files] == [False, False, True]


@pytest.fixture
def reaching(hub, monkeypatch):
    """The step that starts processes on other nodes, for a hub with a switchboard."""
    step = types.SimpleNamespace(code=None, end=lambda patience_s: None)
    monkeypatch.setattr("jupyter_hpcctr.ranks.site.start_nodes", lambda *args: step)
    hub.notice = lambda *args, **kwargs: None
    hub.config.run_dir = "/none"
    with zmq.Context() as context:
        hub.switchboard = Switchboard(context, zmq.Poller(), lambda *said: None, address="127.0.0.1")
        yield step
        hub.switchboard.close()


def test_an_interrupt_while_nodes_are_reached_says_so(hub, reaching):
    flow = hub.site.reach(Placement(2, (Node("n1", 1), Node("n2", 1)), 1, over=False))
    next(flow)
    hub.interrupts = 1
    with pytest.raises(RankError, match="interrupted while n2 was being reached") as error:
        next(flow)
    assert error.value.etype == "Interrupted"


def test_nodes_that_had_come_are_given_up_with_those_that_had_not(hub, reaching):
    """Whoever comes next must not find them there: the step that is ended was theirs, too."""
    present = hub.switchboard.nodes
    present["n9"] = OtherNode("n9", lambda message, data: None)  # of an earlier step
    flow = hub.site.reach(Placement(3, tuple(Node(f"n{at}", 1) for at in (1, 2, 3, 9)), 1, over=False))
    next(flow)
    present["n2"] = OtherNode("n2", lambda message, data: hub.told.append(message))
    reaching.end = lambda patience_s: present.update(n3=OtherNode("n3", lambda message, data: None))
    hub.interrupts = 1
    with pytest.raises(RankError, match="interrupted while n3 was being reached"):
        next(flow)
    assert list(present) == ["n9"]
    assert hub.told == [{"op": "end"}]


def test_a_node_waits_for_the_end_of_the_one_before_it(tmp_path):
    run_dir = tmp_path / "run.n2"
    run_dir.mkdir()
    threading.Timer(0.3, run_dir.rmdir).start()
    settle(str(run_dir), [f"{run_dir}/kernel"])
    assert (run_dir / "kernel").is_dir()
    with pytest.raises(FileExistsError):
        settle(str(run_dir), [], patience_s=0.1)
