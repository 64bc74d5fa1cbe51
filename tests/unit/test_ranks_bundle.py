"""What ranks tell, gathered: equal things are said once, and no rank's own order is lost."""

import random

from jupyter_hpcctr.ranks.bundle import Bundle


def of_rank(items, rank):
    """What one rank has said, in order."""
    return [(kind, *rest) for kind, ranks, *rest in items if rank in ranks]


def bundled(*said):
    bundle = Bundle()
    for kind, rank, *rest in said:
        bundle.add(kind, [rank], *rest)
    return bundle.take()


def test_equal_text_of_several_ranks_is_said_once():
    assert bundled(*(("out", rank, "stdout", "hello\n") for rank in (2, 0, 1))) == [
        ["out", [2, 0, 1], "stdout", "hello\n"]
    ]


def test_what_differs_in_anything_stays_apart():
    said = (("out", 0, "stdout", "a"), ("out", 1, "stderr", "a"), ("out", 2, "stdout", "b"), ("done", 3, "stdout", "a"))
    assert bundled(*said) == [[kind, [rank], *rest] for kind, rank, *rest in said]


def test_who_has_said_something_else_since_does_not_join():
    items = bundled(
        ("out", 0, "stdout", "a"),
        ("out", 0, "stdout", "b"),
        ("out", 1, "stdout", "b"),
        ("out", 1, "stdout", "a"),
    )
    assert items == [["out", [0], "stdout", "a"], ["out", [0, 1], "stdout", "b"], ["out", [1], "stdout", "a"]]


def test_a_rank_that_repeats_itself_is_heard_each_time():
    assert of_rank(bundled(*[("out", 0, "stdout", "x")] * 3), 0) == [("out", "stdout", "x")] * 3


def test_what_ranks_show_and_how_they_end_is_never_joined():
    said = [(kind, rank, {"a": 1}) for kind in ("display", "gone", "up", "stack") for rank in (0, 1)]
    assert bundled(*said) == [[kind, [rank], *rest] for kind, rank, *rest in said]


def test_each_ranks_order_survives_whatever_comes():
    chance = random.Random(11)
    said = [
        (chance.choice(("out", "done", "display", "pushed")), chance.randrange(5), chance.choice("ab"))
        for _ in range(4000)
    ]
    bundle, items = Bundle(), []
    for kind, rank, text in said:
        bundle.add(kind, [rank], text)
        if chance.random() < 0.01:
            items += bundle.take()
    items += bundle.take()
    for rank in range(5):
        assert of_rank(items, rank) == [(kind, text) for kind, who, text in said if who == rank]
    assert len(items) < len(said)


def test_several_ranks_join_together_or_not_at_all():
    bundle = Bundle()
    bundle.add("out", [0], "stdout", "a")
    bundle.add("out", [2], "stdout", "z")
    bundle.add("out", [1, 2], "stdout", "a")
    assert bundle.take() == [
        ["out", [0], "stdout", "a"],
        ["out", [2], "stdout", "z"],
        ["out", [1, 2], "stdout", "a"],
    ]


def test_what_is_taken_is_gone_and_the_callers_list_is_not_kept():
    bundle, ranks = Bundle(), [0]
    assert not bundle
    bundle.add("out", ranks, "stdout", "a")
    bundle.add("out", [1], "stdout", "a")
    assert ranks == [0]
    assert bundle
    assert bundle.take() == [["out", [0, 1], "stdout", "a"]]
    assert not bundle
    bundle.add("out", [1], "stdout", "a")
    assert bundle.take() == [["out", [1], "stdout", "a"]]


def test_output_alone_is_not_urgent():
    bundle = Bundle()
    bundle.add("out", [0], "stdout", "a")
    assert not bundle.urgent
    bundle.add("done", [0], 1, "ok", None)
    assert bundle.urgent
