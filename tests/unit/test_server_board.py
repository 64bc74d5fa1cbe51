"""The list of jobs."""

from dataclasses import replace

import pytest

from jupyter_hpcctr.launch import LaunchView
from jupyter_hpcctr.server.board import KEEP_ENDED, Board, departed, described

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
