"""Worker processes as schedulers call them: real ones that answer, hang, end and print junk."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest
from support.waiting import state_of, wait_until

from jupyter_hpcctr.core.questions import Call, Result, Worker
from jupyter_hpcctr.edge import workers
from jupyter_hpcctr.edge.transports import Transports
from jupyter_hpcctr.errors import SchedulerAway, SchedulerUnreachable

WORKER = """
import json, os, subprocess, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    method, params = asked["method"], asked["params"]
    told = {"jsonrpc": "2.0", "id": asked["id"]}
    if method == "pid":
        told["result"] = os.getpid()
    elif method == "environ":
        told["result"] = dict(os.environ)
    elif method == "same":
        told["result"] = params
    elif method == "fails":
        told["error"] = {"code": 7, "message": "no such job"}
    elif method == "hang":
        time.sleep(600)
    elif method == "child":
        told["result"] = subprocess.Popen(["sleep", "600"]).pid
    elif method == "junk":
        print("libfar: warning: a line that is no answer", flush=True)
        continue
    elif method == "another":
        told |= {"id": asked["id"] + 1, "result": 1}
    elif method == "nothing":
        pass
    elif method == "die":
        print("libfar: fatal: out of luck", file=sys.stderr, flush=True)
        os._exit(3)
    elif method == "close":
        os.close(1)
        time.sleep(600)
    print(json.dumps(told), flush=True)
"""


@pytest.fixture
def transports(monkeypatch):
    monkeypatch.setattr(workers, "BACKOFF_S", 0.0)
    made = Transports(lambda: {"PATH": "/usr/bin:/bin", "WHO": "me"}, {"w": Worker((sys.executable, "-c", WORKER))})
    yield made
    made.close()


@pytest.fixture
def call(transports):
    def call(method, *, timeout_s=60.0, **params):
        return asyncio.run(transports.ask(Call("w", method, params, timeout_s=timeout_s)))

    return call


def test_one_process_answers_all_calls_with_values_and_errors(call):
    pid = call("pid").value
    assert call("same", a=[1, {"b": "ä\n"}], c=None) == Result({"a": [1, {"b": "ä\n"}], "c": None})
    assert call("fails") == Result(None, "no such job", 7)
    assert call("pid").value == pid


def test_it_gets_the_environment_of_the_schedulers_commands(call):
    found = call("environ").value
    assert (found["PATH"], found["WHO"]) == ("/usr/bin:/bin", "me") and "HOME" not in found


def test_large_values_pass(call):
    text = "x" * 5_000_000
    assert call("same", text=text).value == {"text": text}


def test_calls_from_many_threads_are_answered_one_after_the_other(call):
    found = []
    threads = [threading.Thread(target=lambda n=n: found.append((n, call("same", n=n).value["n"]))) for n in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(found) == [(n, n) for n in range(20)]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("junk", "printed what is no answer, and was ended: b'libfar: warning"),
        ("another", "printed what is no answer"),
        ("nothing", "printed what is no answer"),
        ("die", "ended with status 3: libfar: fatal: out of luck"),
        ("close", "was ended by signal 9"),
        ("hang", "did not answer hang in 1 s, and was ended"),
    ],
)
def test_a_call_that_comes_to_nothing_is_no_answer_and_the_next_one_has_a_new_worker(call, method, message):
    pid = call("pid").value
    with pytest.raises(SchedulerUnreachable) as error:
        call(method, timeout_s=1 if method == "hang" else 60)
    assert not isinstance(error.value, SchedulerAway), "it may have been done"
    assert error.value.message.startswith("the worker 'w' ") and message in error.value.message
    assert error.value.transient and "started again" in error.value.hint
    wait_until(lambda: state_of(pid) in ("gone", "Z"), "the old worker's end")
    assert call("pid").value != pid


def test_a_worker_that_is_killed_between_calls_is_replaced(call):
    pid = call("pid").value
    subprocess.run(["kill", "-KILL", str(pid)], check=True)
    wait_until(lambda: state_of(pid) in ("gone", "Z"), "its end")
    assert call("pid").value != pid


def test_a_worker_that_does_not_read_is_given_up(call):
    with pytest.raises(SchedulerUnreachable, match="did not answer hang"):
        call("hang", timeout_s=0.5)
    call("pid")

    def unread():
        with pytest.raises(SchedulerUnreachable):
            call("hang", timeout_s=2, text="x" * 5_000_000)

    unread()


def test_what_a_worker_has_started_ends_with_it(call):
    child = call("child").value
    with pytest.raises(SchedulerUnreachable):
        call("hang", timeout_s=0.5)
    wait_until(lambda: state_of(child) in ("gone", "Z"), "the child's end")


def test_a_worker_that_ends_again_and_again_is_started_less_and_less_often(transports, call, monkeypatch):
    monkeypatch.setattr(workers, "BACKOFF_S", 1000.0)
    with pytest.raises(SchedulerUnreachable, match="out of luck"):
        call("die")
    with pytest.raises(SchedulerAway, match="ended with status 3: libfar: fatal") as error:
        call("pid")
    assert "it is started again in " in error.value.hint


def test_a_worker_that_is_not_installed_was_never_asked():
    made = Transports(lambda: {"PATH": "/usr/bin"}, {"w": Worker(("no-such-worker",)), "x": Worker(("${NOT_SET}",))})
    with pytest.raises(SchedulerAway, match="no-such-worker is not installed"):
        asyncio.run(made.ask(Call("w", "pid")))
    with pytest.raises(SchedulerAway, match="NOT_SET is not set"):
        asyncio.run(made.ask(Call("x", "pid")))
    with pytest.raises(SchedulerAway, match="no worker 'y'"):
        asyncio.run(made.ask(Call("y", "pid")))


def test_a_worker_ends_with_its_transports(transports, call):
    pid = call("pid").value
    transports.close()
    assert state_of(pid) == "gone"


def test_who_waits_for_a_worker_that_is_closed_hears_of_it(transports, call):
    call("pid")
    told = []

    def ask():
        with pytest.raises(SchedulerUnreachable, match="was ended by signal 9") as error:
            call("hang")
        told.append(error.value)

    waiting = threading.Thread(target=ask)
    waiting.start()
    worker = next(iter(transports._workers.values()))
    wait_until(worker._lock.locked, "the call")
    transports.close()
    waiting.join(30)
    assert told
    with pytest.raises(SchedulerAway, match="not needed any more"):
        call("pid")


KILLED = """
import asyncio, sys, time
from jupyter_hpcctr.core.questions import Call, Worker
from jupyter_hpcctr.edge.transports import Transports
made = Transports(dict, {"w": Worker((sys.executable, "-c", sys.argv[1]))})
print(asyncio.run(made.ask(Call("w", "pid"))).value, flush=True)
time.sleep(600)
"""


def test_a_worker_that_hears_nothing_ends_with_a_server_that_is_killed():
    deaf = WORKER.replace("for line in sys.stdin:", "import signal\nfor line in [sys.stdin.readline()]:")
    deaf += "\ntime.sleep(600)\n"
    words = [sys.executable, "-c", KILLED, deaf]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        pid = int(server.stdout.readline())
        assert state_of(pid) not in ("gone", "Z")
        server.kill()
        until = time.monotonic() + 60
        while state_of(pid) not in ("gone", "Z"):
            assert time.monotonic() < until
            time.sleep(0.05)
