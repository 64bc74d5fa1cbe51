"""Requests without a reply, as another process finds them; and a kernel that gets each of them once."""

import os

import pytest

from jupyter_hpcctr.agent import asked
from jupyter_hpcctr.agent.asked import Asked
from jupyter_hpcctr.edge import requests
from jupyter_hpcctr.edge.requests import Requests
from jupyter_hpcctr.guest import wire

KEY = b"key"


def message(kind, parent=None, code="1"):
    return wire.pack(KEY, kind, {"code": code}, session="s", parent=parent, idents=[b"page"])


def header(parts):
    return wire.unpack(KEY, parts).header


def test_what_has_no_reply_is_found_in_order_by_the_next_process(tmp_path):
    first, second, third = (message("execute_request", code=code) for code in "abc")
    it = Requests(tmp_path / "k")
    for each in (first, second, message("complete_request"), third):
        it.asked(each)
    it.said(message("execute_reply", header(second)))
    it.said(message("complete_reply", header(first)))
    assert it.open() == Requests(tmp_path / "k").open() == [first, third]
    again = Requests(tmp_path / "k")
    again.said(message("execute_reply", header(first)))
    again.close()
    again.said(message("execute_reply", header(third)))
    assert Requests(tmp_path / "k").open() == [third]


def test_the_file_does_not_grow_for_ever_and_is_the_users_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "SHORTEN_BYTES", 1000)
    it = Requests(tmp_path / "k")
    for _ in range(50):
        each = message("execute_request")
        it.asked(each)
        it.said(message("execute_reply", header(each)))
    path = tmp_path / "k" / requests.NAME
    assert path.stat().st_size < 3000 and path.stat().st_mode & 0o777 == 0o600
    assert Requests(tmp_path / "k").open() == []


def test_a_torn_record_costs_itself_alone(tmp_path):
    first, second = message("execute_request"), message("execute_request")
    it = Requests(tmp_path / "k")
    it.asked(first)
    it.asked(second)
    path = tmp_path / "k" / requests.NAME
    os.truncate(path, path.stat().st_size - 5)
    assert Requests(tmp_path / "k").open() == [first]


def test_a_directory_that_cannot_be_written_is_said_once(tmp_path, caplog):
    (tmp_path / "k").write_text("in the way")
    it = Requests(tmp_path / "k")
    for _ in range(3):
        it.asked(message("execute_request"))
    assert len(it.open()) == 3
    assert caplog.text.count("cannot be kept") == 1


NO_CELLS = ([], [b"x"], [wire.DELIMITER, b"s", b"{"], message("kernel_info_request"))


@pytest.mark.parametrize("parts", NO_CELLS)
def test_what_is_no_cell_is_left_alone(tmp_path, parts):
    it = Requests(tmp_path / "k")
    it.asked(parts)
    assert it.open() == []
    seen = Asked()
    assert not seen.note(parts) and not seen.note(parts)


def test_a_cell_that_is_sent_again_is_not_run_again():
    seen, cell = Asked(), message("execute_request")
    assert [seen.way(channel, cell) for channel in (b"shell", b"again", b"shell")] == ["shell", None, "shell"]
    assert seen.way(b"again", message("execute_request")) == "shell"
    assert [seen.way(b"stdin", message("input_reply")) for _ in range(2)] == ["stdin", "stdin"]


def test_a_kernel_gets_a_cell_once(monkeypatch):
    monkeypatch.setattr(asked, "MOST", 2)
    seen, (first, second, third) = Asked(), (message("execute_request") for _ in range(3))
    assert [seen.note(each) for each in (first, second, first, third)] == [False, False, True, False]
    assert not seen.note(first), "it was forgotten: only so many are remembered"


def test_clients_that_count_again_from_the_beginning_are_not_mistaken_for_others():
    seen, parent = Asked(), {}
    one = wire.pack(KEY, "execute_request", {}, session="s", parent=parent)
    other = list(one)
    other[2] = one[2].replace(b'"date": "2', b'"date": "3')
    assert other != one and not seen.note(one) and not seen.note(other) and seen.note(one)
