"""A cell's outputs from its kernel's messages, as its page would have them."""

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbformat import v4
from support.chatter import begin, end, out, say

from jupyter_hpcctr.edge.journal import Journal
from jupyter_hpcctr.launch.outputs import Outputs
from jupyter_hpcctr.launch.replay import replay


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "k", 2_000_000)
    yield made
    made.close()


def show(journal, cell="c1"):
    return replay(journal.executions.of_cell(cell), journal)


def display(text, name=None):
    return {"data": {"text/plain": text}, "metadata": {}, "transient": {} if name is None else {"display_id": name}}


def test_a_cell_that_runs_has_what_it_has_put_out_and_the_ids_of_that(journal):
    begin(journal, "c1", "m1")
    ids = [out(journal, "m1", "a"), out(journal, "m1", "b", "stderr"), out(journal, "m1", "c")]
    shown = show(journal)
    assert (shown["state"], shown["ended"], shown["reply"]) == ("running", None, None)
    assert shown["started"]
    assert [(each["name"], each["text"]) for each in shown["outputs"]] == [
        ("stdout", "a"), ("stderr", "b"), ("stdout", "c"),
    ]  # fmt: skip
    assert shown["recent"][-3:] == ids


def test_a_cell_that_has_ended_has_its_reply(journal):
    begin(journal, "c1", "m1")
    say(journal, "m1", "execute_result", execution_count=4, **display("42"))
    say(journal, "m1", "error", ename="ValueError", evalue="no", traceback=["ValueError: no"])
    end(journal, "m1", count=4, status="error")
    shown = show(journal)
    assert (shown["state"], shown["status"], shown["execution_count"]) == ("ended", "error", 4)
    assert shown["reply"]["content"]["status"] == "error"
    assert shown["reply"]["parent_header"]["msg_id"] == "m1"
    cell = v4.new_code_cell(outputs=[nbformat.from_dict(each) for each in shown["outputs"]])
    nbformat.validate(v4.new_notebook(cells=[cell]))


def test_a_display_is_changed_by_another_cell(journal):
    begin(journal, "c1", "m1")
    say(journal, "m1", "display_data", **display("0 %", "bar"))
    end(journal, "m1")
    begin(journal, "c2", "m2")
    say(journal, "m2", "update_display_data", **display("50 %", "bar"))
    say(journal, "m9", "update_display_data", **display("100 %", "bar"))  # by who names no cell
    shown = show(journal)
    assert [each["data"]["text/plain"] for each in shown["outputs"]] == ["100 %"]
    assert shown["displays"] == ["bar"]
    assert show(journal, "c2")["outputs"] == []


def test_output_that_is_cleared_stays_until_the_next_where_it_shall_wait(journal):
    begin(journal, "c1", "m1")
    out(journal, "m1", "one")
    say(journal, "m1", "clear_output", wait=True)
    assert [each["text"] for each in show(journal)["outputs"]] == ["one"]
    out(journal, "m1", "two")
    assert [each["text"] for each in show(journal)["outputs"]] == ["two"]
    say(journal, "m1", "clear_output", wait=False)
    assert show(journal)["outputs"] == []


TEXT = st.text("ab\r\n", max_size=3)
STREAM = st.sampled_from(["stdout", "stderr"])
NAME = st.sampled_from(["x", "y"])
MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.just("stream"), st.fixed_dictionaries({"name": STREAM, "text": TEXT})),
        st.tuples(st.sampled_from(["display_data", "execute_result"]), st.builds(display, TEXT, NAME | st.none())),
        st.tuples(st.just("update_display_data"), st.builds(display, TEXT, NAME)),
        st.tuples(st.just("clear_output"), st.fixed_dictionaries({"wait": st.booleans()})),
        st.tuples(st.just("error"), st.just({"ename": "E", "evalue": "v", "traceback": ["t"]})),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None, database=None)
@given(messages=MESSAGES)
def test_outputs_are_those_of_nbclient(messages):
    cell = v4.new_code_cell()
    client = NotebookClient(v4.new_notebook(cells=[cell]), coalesce_streams=False)
    client.reset_execution_trackers()
    client.clear_before_next_output = False
    ours = Outputs()
    for kind, content in messages:
        full = {"execution_count": 1, **content} if kind == "execute_result" else content
        message = {"msg_type": kind, "header": {"msg_type": kind}, "parent_header": {}, "content": full}
        client.process_message(message, cell, 0)
        ours.take(kind, full)
    theirs = []
    for each in cell.outputs:  # they join no streams
        last = theirs[-1] if theirs else {}
        if each.output_type == "stream" and last.get("output_type") == "stream" and last["name"] == each.name:
            last["text"] += each.text
        else:
            theirs.append(dict(each))
    assert ours.items == theirs
