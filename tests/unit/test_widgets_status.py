"""The state of a job as a widget, a kernel's outputs, and the thread in which widgets change."""

import asyncio
import contextlib
import datetime
import threading
import time
from dataclasses import replace

import pytest
from IPython.utils.capture import capture_output
from support.fake_site import FakeSite

from jupyter_hpcctr.launch.view import LaunchView
from jupyter_hpcctr.widgets import JobStatus, outputs, words
from jupyter_hpcctr.widgets.home import Home


@pytest.fixture
def site():
    site = FakeSite()
    with contextlib.closing(site):
        yield site


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "fetching"}, "Fetching image"),
        ({"state": "pending", "reason": "Resources"}, "Pending (Resources)"),
        ({"state": "running", "nodes": "n1", "end_time": "2026-01-02T04:00:00"}, "Running on n1, 58 min left"),
        ({"state": "running", "nodes": "n1", "end_time": "2026-01-02T03:02:00"}, "Running on n1, less than 1 min left"),
        ({"state": "running", "nodes": "n1", "end_time": "2026-01-04T05:12:00"}, "Running on n1, 2 d 2 h 10 min left"),
        ({"state": "running", "nodes": "n1"}, "Running on n1"),
        ({"state": "running", "end_time": "Unknown"}, "Running"),
        ({"state": "ended", "ending": "TIMEOUT"}, "Ended (time limit reached)"),
        ({"state": "ended", "ending": "OUT_OF_MEMORY"}, "Ended (out of memory)"),
        ({"state": "ended", "ending": "COMPLETED"}, "Ended"),
        ({"state": "gone"}, "Shut down"),
    ],
)
def test_states_are_words(fields, said):
    assert words.state(LaunchView("l", **fields), now=datetime.datetime(2026, 1, 2, 3, 1, 30)) == said


def test_what_a_job_says_is_text_and_no_markup():
    view = LaunchView("l", state="ended", message="<b>", image="<i>", error={"message": "<u>", "hint": "<s>"})
    shown = words.job(view)
    assert all(f"&lt;{each}&gt;" in shown for each in "bius")


def test_the_status_follows_its_job(site):
    site.begin("l1", state="pending", job="12", reason="Priority", expected_start="2026-01-02T03:04:05")
    site.begin("l2", state="running")
    status = JobStatus("l1", home=Home(site))
    assert "Pending (Priority)" in status.state.value
    assert "2026-01-02 03:04" in status.state.value
    site.tell(replace(site.known["l1"], state="running", nodes="n1", reason=""))
    status._home.drain()
    assert "Running on n1" in status.state.value
    status._hear(replace(site.known["l1"], state="pending", seq=1))
    assert "Running on n1" in status.state.value, "news that are overtaken are none"
    status.close()
    assert site.listeners == []


def test_without_a_job_the_last_one_is_followed(site):
    status = JobStatus(home=Home(site))
    assert "No job has been started" in status.state.value
    assert status.cancel_button.disabled
    site.begin("l1", state="running", job="1")
    site.begin("l2", state="pending", job="2")
    site.tell(replace(site.known["l1"], state="ended"))
    status._home.drain()
    assert "Slurm job 2" in status.state.value
    status.close()


def test_a_click_cancels_nothing_before_it_is_confirmed(site):
    launch = site.begin("l1", state="running", job="12")
    status = JobStatus("l1", home=Home(site))
    status.cancel_button.click()
    assert "Cancel job 12? All variables of its kernel are lost." in status.confirmation.question.value
    status.confirmation.no.click()
    status.confirmation.yes.click()
    assert launch.cancelled == 0
    status.cancel_button.click()
    status.confirmation.yes.click()
    while not status.cancel_button.disabled:
        status._home.drain()
    assert launch.cancelled == 1
    assert "Ended (cancelled)" in status.state.value
    status.cancel_button.click()
    assert not status.confirmation.asked
    del site.launches["l1"]
    status.cancel()
    assert "not there any more" in status.message.value
    status.close()


def test_the_log_is_shown_on_demand(site):
    site.begin("l1", state="ended", job="12", log="slurm says <hello>\n")
    status = JobStatus("l1", home=Home(site))
    status.log_button.click()
    while not status.log_text.value:
        status._home.drain()
    assert "&lt;hello&gt;" in status.log_text.value
    assert 'aria-label="Log of job 12"' in status.log_text.value
    assert status.log_button.description == "Hide log"
    status.log_button.click()
    assert status.log_text.value == ""
    status.close()


def settle(home, wanted):
    until = time.monotonic() + 20
    while not wanted():
        assert time.monotonic() < until
        home.drain()
        time.sleep(0.005)


def test_a_log_that_is_shown_twice_is_read_once(site):
    launch = site.begin("l1", state="running", job="12", log="one\n")
    status = JobStatus("l1", home=Home(site))
    asked = []
    status._home.ask = lambda work, then, failed: (work.close(), asked.append(then))
    for shown in (True, False, True):
        status.show_log(shown)
    launch.text += "two\n"
    first, second = asked
    second((launch.text, len(launch.text)))
    first(("one\n", 4))
    assert status._text == "one\ntwo\n"
    status.close()
    second(("more", 99))
    assert status._text == "one\ntwo\n"


def test_a_log_is_read_to_its_end(site):
    launch = site.begin("l1", state="ended", job="12", log="first\n")
    status = JobStatus("l1", home=Home(site))
    read = launch.log

    async def in_pieces(offset, limit):
        text, _ = await read(offset, 4)
        return text, offset + len(text)

    launch.log = in_pieces
    status.show_log()
    settle(status._home, lambda: status._text == "first\n")
    status.close()


def test_another_job_has_another_log(site):
    site.begin("l1", state="ended", job="1", log="old")
    status = JobStatus(home=Home(site))
    status.show_log()
    settle(status._home, lambda: status._text == "old")
    site.begin("l2", state="ended", job="2", log="new")
    settle(status._home, lambda: status._text == "new")
    status.close()


def test_a_job_whose_kernel_is_shut_down_is_followed_no_more(site):
    site.begin("l1", state="running", job="12")
    status = JobStatus("l1", home=Home(site))
    site.tell(replace(site.known["l1"], state="gone"))
    status._home.drain()
    assert "Shut down" in status.state.value
    assert site.listeners == []
    status.close()


def test_what_other_threads_say_is_done_in_the_loop_of_the_cell(site):
    done = []

    async def cell():
        home = Home(site)
        for _ in range(2):
            thread = threading.Thread(target=lambda: home.post(lambda: done.append(threading.current_thread())))
            thread.start()
            thread.join()
            assert done == [] or len(done) == 1
            await asyncio.sleep(0.05)
        home.post(lambda: 1 / 0)
        home.later(0.01, lambda: done.append("later"))
        home.later(0.01, lambda: done.append("never"))()
        await asyncio.sleep(0.1)

    asyncio.run(cell())
    assert done == [threading.main_thread()] * 2 + ["later"]


def message(kind, **content):
    return {"header": {"msg_type": kind}, "content": content}


def test_outputs_of_another_kernel_are_those_of_this_cell():
    with capture_output() as captured:
        outputs.show(message("stream", name="stdout", text="out\n"))
        outputs.show(message("stream", name="stderr", text="err\n"))
        outputs.show(message("error", traceback=["one", "two"]))
        outputs.show(message("status", execution_state="busy"))
    assert captured.stdout == "out\n"
    assert captured.stderr == "err\none\ntwo\n"


def test_displays_keep_their_ids_and_lose_their_widgets(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda *given, **more: shown.append((*given, more)))
    data = {"text/plain": "x", "application/vnd.jupyter.widget-view+json": {}}
    outputs.show(message("display_data", data=data, metadata={}, transient={"display_id": "d", "other": 1}))
    outputs.show(message("update_display_data", data=data, transient={"display_id": "d"}))
    outputs.show(message("execute_result", data=data, execution_count=1))
    assert shown == [
        ({"text/plain": "x"}, {}, {"transient": {"display_id": "d"}, "update": False}),
        ({"text/plain": "x"}, {}, {"transient": {"display_id": "d"}, "update": True}),
        ({"text/plain": "x"}, {}, {"transient": {}, "update": False}),
    ]
