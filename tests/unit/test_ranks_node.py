"""The process of another node: whether it says that it is there, and for how long it hears nothing."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import zmq
from support.slurm import short_directory
from test_ranks_plan import WITHOUT_IMAGE

from jupyter_hpcctr.protocol.tasks import Invitation, NodeTask
from jupyter_hpcctr.ranks import node


@pytest.fixture
def other(monkeypatch):
    """A node's process whose container needs a minute; ``said`` and ``turns`` are what it did then."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(node, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(node.signal, "signal", lambda *args: None)
    monkeypatch.setenv("SLURMD_NODENAME", "n2")
    public, secret = (key.decode() for key in zmq.curve_keypair())
    with short_directory() as directory:
        run_dir = f"{directory}/run"
        directories = (f"{run_dir}@NODE@/kernel",)
        plan = replace(WITHOUT_IMAGE, run_dir=f"{run_dir}@NODE@", directories=directories)
        told = NodeTask({}, {}, (), (), plan, "", Invitation(1, public, public, secret))
        made = node.NodeProcess(told)
        made.said, made.turns = [], []
        made._say = lambda what, data=None: made.said.append(what["kind"])
        made._turn = lambda: (made.turns.append(clock.now), made._finish())
        made._await_holder = lambda: setattr(clock, "now", 160.0)
        yield made


def test_a_node_whose_container_was_slow_works_for_its_hub(other):
    """The hub did not speak to it until now."""
    assert other.run() == 0
    assert (other.said, other.turns) == (["node"], [160.0])


def test_a_node_that_is_to_end_as_its_container_is_there_does_not_say_that_it_is(other):
    other._await_holder = other._finish
    assert other.run() == 0
    assert (other.said, other.turns) == ([], [])
