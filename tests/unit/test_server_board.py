"""The list of jobs."""

from dataclasses import replace

import pytest

from jupyter_hpcctr.launch import LaunchView
from jupyter_hpcctr.server.board import KEEP_ENDED, Board, departed, described
from jupyter_hpcctr.server.elsewhere import Other

VIEW = LaunchView("a", "k1", "pending", job="12", request={"nodes": 1, "env": {"KEY": "hidden"}, "mem_mb": 1024}, seq=1)


@pytest.fixture
def changed():
    return []


@pytest.fixture
def board(changed):
    return Board(lambda launch: None, changed.append)


def follow(board, *states, launch="a", start=1):
    for number, state in enumerate(states, start):
        board.take(replace(VIEW, launch=launch, state=state, seq=number))


def test_a_launch_is_followed_and_each_change_counts(board, changed):
    follow(board, "submitting", "pending", "running")
    assert described(board.rows["a"])["state"] == "running"
    assert (board.seq, changed) == (3, ["a", "a", "a"])


def test_old_news_changes_nothing(board, changed):
    follow(board, "running", start=5)
    follow(board, "pending", start=4)
    assert board.rows["a"].view.state == "running"
    assert changed == ["a"]


def test_a_kernel_that_is_shut_down_leaves_the_list(board):
    follow(board, "running", "gone")
    assert board.rows == {}


def test_a_job_that_has_ended_stays_when_its_kernel_goes(board):
    follow(board, "running", "ended", "gone")
    assert described(board.rows["a"])["state"] == "ended"
    board.hide(board.rows["a"])
    assert board.rows == {}


def test_a_hidden_job_comes_back_when_its_kernel_is_restarted(board):
    follow(board, "running", "ended")
    board.hide(board.rows["a"])
    follow(board, "ended", start=3)
    assert board.rows == {}
    follow(board, "pending", start=4)
    assert board.rows["a"].view.state == "pending"


def test_only_the_last_that_ended_are_kept(board):
    follow(board, "running", launch="runs")
    for number in range(KEEP_ENDED + 3):
        follow(board, "running", "ended", launch=f"e{number}")
    assert len(board.rows) == KEEP_ENDED + 1
    assert "runs" in board.rows
    assert "e2" not in board.rows
    assert "e3" in board.rows


def test_environment_variables_are_told_to_nobody(board):
    follow(board, "running")
    assert "hidden" not in str(described(board.rows["a"]))
    assert described(board.rows["a"])["request"] == {"nodes": 1, "mem": "1G"}


def test_notebooks_and_names_are_found_later(board, changed):
    follow(board, "running")
    board.place({"k1": "a.ipynb"}, {"k1": "spec"}.get)
    board.place({"k1": "a.ipynb"}, {"k1": "spec"}.get)
    assert len(changed) == 2
    row = described(board.rows["a"])
    assert (row["notebook"], row["kernel_name"]) == ("a.ipynb", "spec")
    board.place({}, lambda kernel: "")
    assert described(board.rows["a"])["notebook"] == "a.ipynb", "it is where it was last seen"


def test_when_its_time_is_up_is_told_of_a_running_job_alone(board):
    board.take(replace(VIEW, end_time="2026-03-01T12:00:00"))
    assert described(board.rows["a"])["ends"] is None
    board.take(replace(VIEW, end_time="2026-03-01T12:00:00", state="running", seq=2))
    assert described(board.rows["a"])["ends"].startswith("2026-03-01T12:00:00")


def test_what_has_left_is_told_as_gone():
    assert departed("a", 7) == {"id": "a", "state": "gone", "seq": 7}


def elsewhere(owner="the program 7 on login1", state="running", launch="a"):
    return {launch: Other(replace(VIEW, launch=launch, state=state), owner, "b.ipynb", "spec", ())}


def owners(board):
    return {name: described(row)["owner"] for name, row in board.rows.items()}


def test_a_kernel_of_another_process_is_in_the_list_until_it_is_no_more(board, changed):
    board.compare(elsewhere())
    row = described(board.rows["a"])
    assert (row["owner"], row["notebook"], row["kernel_name"]) == ("the program 7 on login1", "b.ipynb", "spec")
    board.compare(elsewhere())
    assert changed == ["a"], "what is as it was is told to nobody"
    board.compare(elsewhere(owner=""))
    assert owners(board) == {"a": ""}
    board.compare({})
    assert (board.rows, changed) == ({}, ["a", "a", "a"])


def test_a_kernel_of_ours_is_ours_until_it_has_ended_here(board):
    follow(board, "running")
    board.compare(elsewhere())
    assert owners(board) == {"a": None}
    follow(board, "ended", start=2)
    board.compare(elsewhere())
    assert owners(board) == {"a": "the program 7 on login1"}
    follow(board, "gone", start=3)
    assert owners(board) == {"a": "the program 7 on login1"}, "what is gone is its page here"


def test_a_kernel_that_is_taken_over_is_ours_whatever_its_count_was(board):
    board.compare({name: replace(other, view=replace(other.view, seq=900)) for name, other in elsewhere().items()})
    follow(board, "starting", start=3)
    assert owners(board) == {"a": None}
    assert described(board.rows["a"])["state"] == "starting"


def test_an_ended_job_elsewhere_that_was_hidden_stays_so_until_it_runs(board):
    board.compare(elsewhere(state="ended"))
    board.hide(board.rows["a"])
    board.compare(elsewhere(state="ended"))
    assert board.rows == {}
    board.compare(elsewhere())
    assert owners(board) == {"a": "the program 7 on login1"}
