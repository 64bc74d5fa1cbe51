"""The kernel's end of the socket to the hub."""

import threading
import time

import pytest
from support.fake_hub import FakeHub

from jupyter_hpcctr.guest.mpirun.client import Client
from jupyter_hpcctr.guest.mpirun.errors import HubGoneError, RefusedError


@pytest.fixture
def hub(tmp_path):
    hub = FakeHub(tmp_path)
    yield hub
    hub.close()


def test_a_silent_hub_is_asked_and_given_up(hub):
    talker = Client(hub.find, silence_s=0.2, patience_s=0.5)
    hub.scripts["execute"] = lambda hub, request: hub.sleep(1.5) or {}
    assert talker.request("execute")["status"] == "ok"  # it answered that it is there
    assert "status" in hub.ops()
    hub.mute = True
    with pytest.raises(HubGoneError, match="does not answer"):
        talker.request("execute")
    talker.close()


def test_old_answers_are_dropped_and_a_failing_handler_reads_to_the_end(hub):
    talker = Client(hub.find)
    seen = []

    def fail(event, buffers):
        seen.append(event["event"])
        raise ZeroDivisionError

    def execute(hub, request):
        hub.say("notice", id=request["id"] - 1, text="old")
        hub.out([0], "a")
        hub.out([0], "b")
        return {}

    hub.scripts["execute"] = execute
    with pytest.raises(ZeroDivisionError):
        talker.request("execute", handler=fail)
    assert seen == ["out"]
    assert talker.request("status")["status"] == "ok"
    talker.close()


def test_a_second_cell_at_the_same_time_is_refused(hub):
    talker = Client(hub.find)
    hub.scripts["execute"] = lambda hub, request: hub.sleep(1) or {}
    ends = []
    thread = threading.Thread(target=lambda: ends.append(talker.request("execute")))
    thread.start()
    while "execute" not in hub.ops():
        time.sleep(0.01)
    with pytest.raises(RefusedError, match="another cell of this notebook"):
        talker.request("status")
    thread.join()
    assert ends[0]["status"] == "ok"
    talker.close()


def test_why_there_is_no_hub_is_told(hub):
    def find():
        raise RuntimeError("this image has no MPI: install mpi4py")

    with pytest.raises(HubGoneError, match="this image has no MPI"):
        Client(find).request("status")
