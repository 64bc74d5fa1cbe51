"""How many ranks there is room for and where: whole placements, and whole sentences where there is none."""

import os

import pytest

from jupyter_hpcctr.ranks.failure import RankError
from jupyter_hpcctr.ranks.slots import (
    Machine,
    Node,
    Placement,
    crowded,
    machine_slots,
    nodes_of,
    place,
    tasks_per_node,
    this_machine,
)

A, B, C = Node("n1", 4), Node("n2", 4), Node("n3", 2)
HERE = Node("", 4)
LESS = "ask for less, or start the kernel with more nodes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("4", [4]),
        ("2,1", [2, 1]),
        ("2(x3),1", [2, 2, 2, 1]),
        ("16(x2),8,4(x2)", [16, 16, 8, 4, 4]),
        ("1(x12)", [1] * 12),
    ],
)
def test_tasks_per_node(text, expected):
    assert tasks_per_node(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000\n", 6),
        ("400000 100000\n", 4),
        ("350000 100000\n", 3),
        ("50000 100000\n", 1),
        ("1200000 100000\n", 6),
        ("100000 50000\n", 2),
        ("", 6),
        ("400000\n", 6),
        (None, 6),
    ],
)
def test_cpus_of_a_machine(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)))
    if text is not None:
        (tmp_path / "cpu.max").write_text(text)
    assert machine_slots(str(tmp_path / "cpu.max")) == expected


def test_this_machine_has_a_cpu():
    assert 1 <= machine_slots() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("4(x2),2", (A, B, C)),
        ("4", (A, Node("n2", 1), Node("n3", 1))),
        ("", tuple(Node(f"n{n}", 1) for n in (1, 2, 3))),
    ],
)
def test_nodes_of_an_allocation(tasks, expected):
    assert nodes_of(tasks, ["n1", "n2", "n3"]) == expected


def placed(asked, per_node, *nodes, oversubscribe=False, reduce=False):
    return place(asked, per_node, nodes=nodes, oversubscribe=oversubscribe, reduce=reduce)


@pytest.mark.parametrize(
    ("asked", "per_node", "nodes", "expected"),
    [
        (None, None, (A, B, C), Placement(10, (A, B, C), 4, over=False)),
        (None, None, (HERE,), Placement(4, (HERE,), 4, over=False)),
        (1, None, (A, B), Placement(1, (A,), 4, over=False)),
        (4, None, (A, B), Placement(4, (A,), 4, over=False)),
        (5, None, (A, B), Placement(5, (A, B), 4, over=False)),
        (3, None, (C, A), Placement(3, (C, A), 4, over=False)),
        (None, 2, (A, B, C), Placement(6, (A, B, C), 2, over=False)),
        (4, 2, (A, B, C), Placement(4, (A, B), 2, over=False)),
        (3, 2, (A, B, C), Placement(3, (A, B), 2, over=False)),
        (1, 4, (A, B), Placement(1, (A,), 4, over=False)),
    ],
)
@pytest.mark.parametrize("reduce", [False, True])
@pytest.mark.parametrize("oversubscribe", [False, True])
def test_what_there_is_room_for_is_given(asked, per_node, nodes, expected, reduce, oversubscribe):
    assert placed(asked, per_node, *nodes, reduce=reduce, oversubscribe=oversubscribe) == expected


@pytest.mark.parametrize("reduce", [False, True])
def test_nodes_that_are_too_narrow_are_passed_over(reduce):
    assert placed(None, 3, A, C, B, reduce=reduce) == Placement(6, (A, B), 3, over=False)
    assert placed(4, 4, C, A, reduce=reduce) == Placement(4, (A,), 4, over=False)


@pytest.mark.parametrize(
    ("asked", "per_node", "nodes", "expected"),
    [
        (9, None, (A, B), Placement(9, (A, B), 5, over=True)),
        (100, None, (HERE,), Placement(100, (HERE,), 100, over=True)),
        (11, None, (A, B, C), Placement(11, (A, B, C), 4, over=True)),
        (None, 8, (A, B), Placement(16, (A, B), 8, over=True)),
        (8, 8, (A, B), Placement(8, (A,), 8, over=True)),
        (6, 3, (A, C, B), Placement(6, (A, C), 3, over=True)),
    ],
)
@pytest.mark.parametrize("reduce", [False, True])
def test_cpus_are_shared_where_that_is_wanted(asked, per_node, nodes, expected, reduce):
    assert placed(asked, per_node, *nodes, oversubscribe=True, reduce=reduce) == expected


SHARE = "or add --oversubscribe to share CPUs"
WIDER = f"ask for less, start the kernel with more --ntasks-per-node, {SHARE}"


@pytest.mark.parametrize(
    ("asked", "per_node", "nodes", "message", "hint"),
    [
        (
            9, None, (A, B), "9 ranks were asked for, and the allocation has room for 8",
            f"use -n 8, start the kernel with more ntasks, {SHARE}",
        ),
        (5, None, (HERE,), "5 ranks were asked for, and this machine has room for 4", f"use -n 4, {SHARE}"),
        (
            None, 5, (HERE,), "5 ranks per node were asked for, and this machine has room for 4",
            f"ask for less, {SHARE}",
        ),
        (None, 5, (A, C), "5 ranks per node were asked for, and a node of this allocation has room for 4", WIDER),
        (12, 4, (A, C, B), "12 ranks at 4 per node need 3 nodes, and there are 2", LESS),
        (3, 2, (A,), "3 ranks at 2 per node need 2 nodes, and there is 1", LESS),
    ],
)  # fmt: skip
def test_what_there_is_no_room_for_is_refused_with_the_number(asked, per_node, nodes, message, hint):
    with pytest.raises(RankError) as refused:
        placed(asked, per_node, *nodes)
    assert (refused.value.etype, str(refused.value), refused.value.hint) == ("RanksRefused", message, hint)


def test_sharing_cpus_does_not_make_nodes():
    with pytest.raises(RankError, match="12 ranks at 4 per node need 3 nodes, and there are 2"):
        placed(12, 4, A, B, oversubscribe=True)


def reduced(ranks, nodes, per_node, *reasons):
    return Placement(ranks, nodes, per_node, over=False, reasons=reasons)


@pytest.mark.parametrize(
    ("asked", "per_node", "nodes", "expected"),
    [
        (8, None, (HERE,), reduced(4, (HERE,), 4, "ranks 8 → 4: this machine has 4 CPUs for them")),
        (8, None, (Node("", 1),), reduced(1, (Node("", 1),), 1, "ranks 8 → 1: this machine has 1 CPU for them")),
        (8, 8, (HERE,), reduced(4, (HERE,), 4, "ranks 8 → 4: this machine has 4 CPUs for them")),
        (None, 8, (HERE,), reduced(4, (HERE,), 4, "ranks 8 → 4: this machine has 4 CPUs for them")),
        # What a notebook for several nodes asks for, on a laptop; and what ran on a node that is lost.
        (4, 2, (HERE,), reduced(4, (HERE,), 4, "ranks per node 2 → 4: there is 1 node for them")),
        (8, None, (A,), reduced(4, (A,), 4, "ranks 8 → 4: the nodes that are left have room for 4")),
        (8, 4, (A,), reduced(4, (A,), 4, "ranks 8 → 4: the nodes that are left have room for 4")),
        (6, 2, (A, B), reduced(6, (A, B), 4, "ranks per node 2 → 4: there are 2 nodes for them")),
    ],
)
def test_less_is_given_where_that_is_the_policy_and_said_why(asked, per_node, nodes, expected):
    assert placed(asked, per_node, *nodes, reduce=True) == expected


@pytest.mark.parametrize(
    ("ranks", "cpus", "expected"),
    [
        (8, {"n1": ("a", 4), "n2": ("b", 4)}, False),
        (8, {"n1": ("a", 4), "n2": ("b", 3)}, True),
        (7, {"n1": ("a", 4), "n2": ("b", 3)}, False),
        (8, {"n1": ("a", 4), "n2": ("a", 4)}, True),  # nodes of the small cluster are on one machine
        (8, {"n1": ("a", 8), "n2": ("a", 8)}, False),
        (8, {}, False),
    ],
)
def test_where_ranks_are_more_than_cpus(ranks, cpus, expected):
    machines = {name: Machine(*each) for name, each in cpus.items()}
    assert crowded(Placement(ranks, (A, B), 4, over=False), machines) == expected
    assert crowded(Placement(ranks, (A, B), 4, over=True), machines)


def test_a_machine_is_known_again():
    assert this_machine() == this_machine()
    assert this_machine().cpus == os.cpu_count()
