"""When a checkpoint is run, and what the agent and the kernel say to one another about it."""

import json
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import zmq
from support.slurm import short_directory
from support.waiting import wait_until

from jupyter_hpcctr.agent import checkpoint as checkpoints
from jupyter_hpcctr.agent.checkpoint import Checkpoint
from jupyter_hpcctr.agent.deadline import Deadline, first_end
from jupyter_hpcctr.core.quote import job_script


def deadline(*, end=10_000.0, before_s=300.0):
    made = Deadline(end)
    made.set(before_s)
    return made


def test_it_is_due_some_time_before_the_end_and_once():
    it = deadline()
    assert it.runs == 9700
    assert [it.is_due(now) for now in (9699, 9700, 9990)] == [False, True, True]
    it.begin()
    assert (it.is_due(9800), it.runs) == (False, None)


def test_an_end_that_moves_takes_the_checkpoint_along():
    it = deadline()
    assert it.move(20_000.0)
    assert (it.is_due(9800), it.runs) == (False, 19_700)
    assert it.move(9000.0)
    assert it.is_due(8700)
    assert not it.move(9000.4), "a part of a second is no news"


def test_it_runs_again_for_a_later_end_and_not_for_the_same_one_said_otherwise():
    it = deadline()
    it.begin()
    it.move(10_020.0)
    assert it.runs is None
    it.move(9000.0)
    assert not it.is_due(8999)
    it.move(13_600.0)
    assert (it.is_due(9800), it.is_due(13_300)) == (False, True)


def test_a_new_checkpoint_runs_although_the_last_one_has_run():
    it = deadline()
    it.begin()
    it.set(300.0)
    assert it.is_due(9800)
    it.set(None)
    assert not it.is_due(9800)


def test_a_signal_runs_it_unless_the_clock_does_or_has():
    assert deadline().is_due_on_signal(5000), "the job ends sooner than is known"
    assert not deadline(before_s=30.0).is_due_on_signal(9920), "the known end explains it"
    assert deadline(end=None).is_due_on_signal(5000)
    it = deadline()
    it.begin()
    assert not it.is_due_on_signal(5000)
    assert it.is_due_on_signal(10_500), "the end that it has run for was not the end"
    assert not deadline(before_s=None).is_due_on_signal(5000)


@pytest.mark.parametrize(
    ("minutes", "environ", "end"),
    [
        (10, {}, 1600),
        (None, {}, None),
        (10, {"SLURM_JOB_END_TIME": "5000"}, 5000),
        (10, {"SLURM_JOB_END_TIME": ""}, 1600),
    ],
)
def test_a_job_knows_its_first_end(minutes, environ, end):
    assert first_end(minutes, environ, began=1000.0) == end


class Kernel:
    """The kernel's side of the socket."""

    def __init__(self, context, it):
        self.it, self.socket = it, context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(f"ipc://{it._path}")

    def say(self, **message):
        self.socket.send(json.dumps(message).encode())
        assert self.it.socket.poll(10_000)
        self.it.turn()

    def hear(self):
        wait_until(self._has_come, "an answer")
        return json.loads(self.socket.recv())

    def _has_come(self):
        if self.socket.poll(20):
            return True
        self.it.turn()  # of several messages the last may have come late
        return False


@pytest.fixture
def agent(monkeypatch):
    """An agent's part with a kernel that speaks with it; ``clock`` is the time, ``told`` what the server has heard."""
    told, clock = [], [0.0]
    monkeypatch.setattr(checkpoints.time, "time", lambda: clock[0])
    monkeypatch.setattr(checkpoints.room, "age_s", lambda: 0.0)
    with zmq.Context() as context, short_directory() as directory:
        (directory / "kernel").mkdir()
        plan = SimpleNamespace(run_dir=str(directory), time_minutes=60)
        it = Checkpoint(context, plan, 300.0, lambda event, **more: told.append((event, more)))
        it.open()
        kernel = Kernel(context, it)
        it.clock, it.kernel = clock, kernel
        it.states = lambda: [more["state"] for _, more in told]
        it.told = told
        yield it
        kernel.socket.close()
        it.close()


def test_a_kernel_without_a_checkpoint_is_not_spoken_of(agent):
    agent.signal()
    agent.greet()
    agent.move(100.0)
    agent.end()
    agent.turn()
    assert agent.told == []


def test_a_checkpoint_is_answered_told_and_run_at_its_time(agent):
    agent.kernel.say(op="register", before_s=None, id=1)
    answer = agent.kernel.hear()
    assert (answer["id"], answer["state"], answer["runs"], answer["end"]) == (1, "registered", 3300, 3600)
    agent.clock[0] = 3299.0
    agent.turn()
    agent.clock[0] = 3300.0
    agent.turn()
    assert agent.kernel.hear() == {"op": "run"}
    agent.kernel.say(op="running")
    agent.kernel.say(op="ran", error="")
    agent.turn()
    assert agent.states() == ["registered", "due", "running", "done"]
    assert agent.told[-1] == (
        "checkpoint",
        {"state": "done", "at": 3300.0, "error": "", "runs": None, "before_s": 300.0, "restore": None},
    )


def test_a_moved_end_is_told_and_the_signal_of_a_scheduler_runs_it(agent):
    agent.kernel.say(op="register", before_s=60)
    agent.move(7200.0)
    assert agent.told[-1][1]["runs"] == 7140
    agent.signal()
    agent.turn()
    assert agent.kernel.hear() == {"op": "run"}


def test_a_job_that_ends_for_another_reason_waits_for_its_checkpoint(agent):
    assert not agent.holds_up(), "there is none"
    agent.kernel.say(op="register", before_s=60)
    assert agent.holds_up()
    assert agent.kernel.hear() == {"op": "run"}
    agent.kernel.say(op="running")
    agent.clock[0] = 59.0
    assert agent.holds_up()
    agent.kernel.say(op="ran", error="")
    assert not agent.holds_up()
    agent.greet()
    assert agent.holds_up(), "a server was back meanwhile, and is gone again"
    assert agent.kernel.hear() == {"op": "run"}


def test_a_checkpoint_that_does_not_end_holds_a_job_up_only_for_its_time(agent):
    agent.kernel.say(op="register", before_s=60)
    assert agent.holds_up()
    agent.kernel.say(op="running")
    agent.clock[0] = 61.0
    assert not agent.holds_up()


def test_what_is_taken_back_does_not_run(agent):
    agent.kernel.say(op="register", before_s=60)
    agent.kernel.say(op="clear")
    agent.clock[0] = 3590.0
    agent.signal()
    agent.turn()
    assert agent.states() == ["registered", "none"]


def test_the_restore_code_is_kept_beside_the_checkpoint_and_both_go_with_the_kernel(agent):
    agent.kernel.say(op="restore", code="load()")
    agent.kernel.say(op="register", before_s=60)
    assert [more["restore"] for _, more in agent.told] == ["load()", "load()"]
    agent.greet()
    assert len(agent.told) == 3, "a server that is new hears it again"
    agent.end()
    assert agent.told[-1][1] | {"at": None} == {
        "state": "none", "at": None, "error": "", "runs": None, "before_s": None, "restore": None,
    }  # fmt: skip


def test_what_is_no_request_is_dropped(agent):
    agent.kernel.socket.send(b"\xff")
    agent.kernel.socket.send(b'{"op":"register","before_s":"x"}')
    agent.kernel.say(op="status", id=7)
    assert agent.kernel.hear()["state"] == "none"


def test_the_signal_does_not_end_an_agent_that_is_not_ready_for_it():
    program = f"import os; os.kill(os.getpid(), {int(signal.SIGUSR1)}); print('there')"
    script = job_script((sys.executable, "-c", program), ignored=("USR1",))
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout == "there\n"
