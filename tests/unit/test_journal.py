"""The journal of a kernel's cells: what it keeps, within which bounds, and through which harm."""

import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chatter import again, ask, begin, end, message, out, say

from jupyter_hpcctr.edge import journal as journals
from jupyter_hpcctr.edge.journal import NAMES, Journal
from jupyter_hpcctr.edge.records import ASKED, CARRIED, SAID, packed, records
from jupyter_hpcctr.launch.replay import listed, replay


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "kernels" / "k", 2_000_000)
    yield made
    made.close()


def text(journal, cell):
    """What a cell has printed."""
    shown = replay(journal.executions.of_cell(cell), journal)
    return "".join(each["text"] for each in shown["outputs"] if each["output_type"] == "stream")


def test_what_a_cell_printed_is_kept_for_its_user_alone(journal):
    begin(journal, "c1", "m1")
    out(journal, "m1", "one\n")
    out(journal, "m1", "two\n")
    end(journal, "m1", count=7)
    (cell,) = listed(journal)
    assert (cell["cell"], cell["state"], cell["status"], cell["execution_count"]) == ("c1", "ended", "ok", 7)
    assert text(journal, "c1") == "one\ntwo\n"
    file = journal._directory / NAMES[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert b"secret" not in file.read_bytes(), "what was executed is not kept"


def test_a_kernel_without_cells_has_no_file(journal):
    ask(journal, None, "m1")
    ask(journal, "c1", "m2", kind="complete_request")
    say(journal, "m1", "stream", name="stdout", text="x")
    say(journal, "m2", "status", parent_kind="complete_request", execution_state="busy")
    assert listed(journal) == []
    assert not journal._directory.exists()


def test_messages_of_widgets_are_left_out(journal):
    begin(journal, "c1", "m1")
    size = (journal._directory / NAMES[0]).stat().st_size
    say(journal, "m1", "comm_msg", data={"x": 1})
    say(journal, "m1", "execute_input", code="secret")
    assert (journal._directory / NAMES[0]).stat().st_size == size


def test_what_an_agent_sends_again_to_another_process_is_shown_once(journal):
    begin(journal, "c1", "m1")
    lines = [message("m1", "stream", name="stdout", text=f"{number} ") for number in range(4)]
    assert [journal.said("iopub", each) for each in lines[:3]] == [True] * 3
    other = again(journal)
    assert [other.said("iopub", each) for each in lines[1:]] == [False, False, True]
    assert text(other, "c1") == "0 1 2 3 "


def test_an_agent_sends_nothing_again_after_much_that_is_new(journal, monkeypatch):
    monkeypatch.setattr(journals, "AGAIN", 3)
    begin(journal, "c1", "m1")
    line = message("m1", "stream", name="stdout", text="one ")
    journal.said("iopub", line)
    other = again(journal)
    for _ in range(4):
        say(other, "", "stream", name="stdout", text="of no cell")
    assert other.said("iopub", line)


def test_a_cell_that_is_run_again_has_its_last_execution(journal):
    begin(journal, "c1", "m1")
    out(journal, "m1", "old")
    begin(journal, "c1", "m2")
    out(journal, "m1", "late")
    out(journal, "m2", "new")
    assert [(each["msg_id"], each["state"]) for each in listed(journal)] == [("m2", "running")]
    assert text(journal, "c1") == "new"


def test_another_process_goes_on_with_it(journal):
    begin(journal, "c1", "m1")
    out(journal, "m1", "one ")
    begin(journal, "c2", "m2")
    other = again(journal)
    assert listed(other) == listed(journal)
    out(other, "m1", "two ")
    end(other, "m1")
    assert text(other, "c1") == "one two "
    assert [each["state"] for each in listed(other)] == ["ended", "running"]
    other.close()


def test_a_torn_record_costs_itself_alone(journal):
    begin(journal, "c1", "m1")
    out(journal, "m1", "one ")
    out(journal, "m1", "torn ")
    file = journal._directory / NAMES[0]
    os.truncate(file, file.stat().st_size - 10)
    other = again(journal)
    out(other, "m1", "three ")
    assert text(other, "c1") == "one three "
    other.close()


def test_of_much_output_the_newest_is_kept_and_the_rest_is_counted(journal):
    begin(journal, "c1", "m1")
    for number in range(4000):
        out(journal, "m1", f"{number:05} {'x' * 1000}\n")
    size = sum((journal._directory / name).stat().st_size for name in NAMES)
    assert 900_000 < size < 2_100_000
    (cell,) = listed(journal)
    assert cell["missing_bytes"] > 2_000_000
    first, *lines = text(journal, "c1").splitlines()
    assert f"{cell['missing_bytes']:,} bytes of this output are missing here" in first
    numbers = [int(line[:5]) for line in lines]
    assert numbers == list(range(4000 - len(numbers), 4000))
    assert listed(again(journal))[0]["missing_bytes"] == cell["missing_bytes"]


def test_a_cell_whose_request_was_cut_off_is_still_known(journal):
    begin(journal, "c1", "m1")
    begin(journal, "c2", "m2")
    for _ in range(4000):
        out(journal, "m2", "y" * 1000)
    other = again(journal)
    out(other, "m1", "after all")
    assert text(other, "c1").endswith("after all")
    other.close()


def test_what_was_cleared_is_not_missing(journal):
    begin(journal, "c1", "m1")
    for _ in range(4000):
        out(journal, "m1", "x" * 1000)
        say(journal, "m1", "clear_output", wait=True)
    out(journal, "m1", "done")
    assert text(journal, "c1") == "done"
    assert listed(journal)[0]["missing_bytes"] == 0


def test_a_full_disk_is_said_once_and_what_is_missing_is_counted(journal, monkeypatch, caplog):
    begin(journal, "c1", "m1")
    out(journal, "m1", "one ")
    write, room = os.writev, [0]

    def scarce(fd, parts):
        return os.write(fd, b"".join(parts)[: room[0]])

    monkeypatch.setattr(journals.os, "writev", scarce)
    for size in range(0, 100, 10):
        room[0] = size
        out(journal, "m1", "lost ")
    monkeypatch.setattr(journals.os, "writev", write)
    out(journal, "m1", "two")
    first, *rest = replay(journal.executions.of_cell("c1"), journal)["outputs"]
    assert "bytes of this output are missing" in first["text"]
    assert [each["text"] for each in rest] == ["one two"]
    assert len(caplog.messages) == 1
    assert "cannot be kept" in caplog.messages[0]
    assert listed(again(journal))[0]["missing_bytes"] == listed(journal)[0]["missing_bytes"] > 0


def test_an_end_that_could_not_be_written_is_known_to_another_process(journal, monkeypatch):
    begin(journal, "c1", "m1")
    with monkeypatch.context() as patch:
        patch.setattr(journals.os, "writev", lambda fd, parts: 0)
        end(journal, "m1", count=3)
        begin(journal, "c2", "m2")
    out(journal, "m2", "x")
    other = again(journal)
    assert [(each["cell"], each["state"], each["execution_count"]) for each in listed(other)] == [
        ("c1", "ended", 3), ("c2", "running", None),
    ]  # fmt: skip
    assert listed(other) == listed(journal)


def test_without_its_directory_it_begins_anew(journal, monkeypatch):
    monkeypatch.setattr(journals, "LOOK_S", 0.0)
    begin(journal, "c1", "m1")
    out(journal, "m1", "gone ")
    for name in journal._directory.iterdir():
        name.unlink()
    journal._directory.rmdir()
    out(journal, "m1", "here")
    shown = text(journal, "c1")
    assert shown.endswith("here")
    assert "bytes of this output are missing" in shown
    assert [each["cell"] for each in listed(again(journal))] == ["c1"]


def test_where_no_directory_can_be_made_nobody_is_harmed(tmp_path, caplog):
    (tmp_path / "file").write_text("in its way")
    journal = Journal(tmp_path / "file" / "k", 2_000_000)
    begin(journal, "c1", "m1")
    out(journal, "m1", "x")
    end(journal, "m1")
    assert [each["state"] for each in listed(journal)] == ["ended"]
    assert len([words for words in caplog.messages if "cannot be kept" in words]) == 1


def test_what_is_no_message_is_passed_over(journal):
    mark = b"<IDS|MSG>"
    for frames in ([], [b"x"], [b"", mark, b"", b"{"], [mark, b"", b'"execute_request"', b"", b"", b""]):
        journal.asked(frames)
        journal.said("iopub", frames)
        journal.said("shell", frames)
    assert listed(journal) == []


def test_it_is_removed_with_its_directory(journal):
    begin(journal, "c1", "m1")
    journal.remove()
    out(journal, "m1", "late")
    assert not journal._directory.exists()


KINDS = st.sampled_from([ASKED, SAID, CARRIED])
WRITTEN = st.lists(st.tuples(KINDS, st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40)), max_size=8)


@settings(max_examples=200, deadline=None, database=None)
@given(written=WRITTEN, data=st.data())
def test_every_whole_record_is_read_whatever_stands_between(written, data):
    whole = [packed(kind, 1.5, *parts) for kind, *parts in written]
    noise = [data.draw(st.binary(max_size=30)) for _ in range(len(whole) + 1)]
    text = noise[0] + b"".join(record + more for record, more in zip(whole, noise[1:], strict=True))
    found = [each for each in records(text) if each is not None]
    assert [(each.kind, *each.parts) for each in found] == written


@settings(max_examples=200, deadline=None, database=None)
@given(written=WRITTEN, data=st.data())
def test_a_file_that_ends_anywhere_has_what_was_whole(written, data):
    whole = b"".join(packed(kind, 1.5, *parts) for kind, *parts in written)
    end = data.draw(st.integers(0, len(whole)))
    found = [(each.kind, *each.parts) for each in records(whole[:end]) if each is not None]
    assert found == written[: len(found)]
    assert sum(len(packed(each[0], 1.5, *each[1:])) for each in found) <= end
