"""When a node that is silent is counted as lost, and one whose process is ended as absent."""

import json
from types import SimpleNamespace

import pytest
import zmq
from support.waiting import until_end
from test_ranks_config import config_of
from test_ranks_plan import WITHOUT_IMAGE

from jupyter_hpcctr.ranks import found, launch_nodes, nodes
from jupyter_hpcctr.ranks.nodes import OtherNode, Switchboard


@pytest.fixture
def board(monkeypatch):
    """A hub's switchboard with one node, and a clock that ``after`` sets forward."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(nodes, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with zmq.Context() as context:
        made = Switchboard(context, zmq.Poller(), lambda *items: None, address="127.0.0.1")
        told = []
        made.nodes["n2"] = OtherNode("n2", lambda message, data: told.append(message["op"]))

        def after(*seconds):
            """Who is lost when the hub has looked after each of these times."""
            gone = []
            for each in seconds:
                clock.now += each
                gone += made.beat()
            return gone

        yield SimpleNamespace(after=after, told=told, nodes=made.nodes)
        made.close()


def test_a_silent_node_is_lost_once_and_told_no_more(board):
    assert board.after(*[1.0] * int(nodes.LOST_S)) == []
    assert board.told == ["beat"] * len(board.told) != []
    assert board.after(1.0, 1.0) == ["n2"]
    assert board.nodes == {}


def test_a_hub_that_was_stopped_itself_gives_the_nodes_their_time(board):
    assert board.after(1.0, 3600.0, *[1.0] * int(nodes.LOST_S - 2)) == []
    assert board.after(1.0, 1.0) == ["n2"]


def test_a_node_that_is_given_up_is_absent_also_where_it_has_only_just_come():
    with zmq.Context() as context:
        board = Switchboard(context, zmq.Poller(), lambda *items: None, address="127.0.0.1")
        dealer = context.socket(zmq.DEALER)
        dealer.identity = b"n2"
        keys = {name: getattr(board.invitation, f"{name}_key").encode() for name in ("server", "public", "secret")}
        dealer.curve_serverkey, dealer.curve_publickey, dealer.curve_secretkey = keys.values()
        dealer.connect(f"tcp://127.0.0.1:{board.invitation.port}")
        dealer.send(json.dumps({"kind": "node"}).encode())
        try:
            assert board.socket.poll(30_000)
            board.drop(["n2", "n3"])
            assert board.nodes == {}
            assert dealer.poll(30_000)
            assert json.loads(dealer.recv()) == {"op": "end"}
        finally:
            dealer.close(linger=0)
            board.close()


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("NodeName=n2 Arch=x86_64 NodeAddr=127.0.0.1 NodeHostName=n2\nNodeName=n3 NodeAddr=localhost Port=17003\n",
         "127.0.0.1"),
        ("NodeName=n2 NodeAddr=192.0.2.7\nNodeName=n3 NodeAddr=127.0.0.1\n", "*"),
        ("NodeName=n2 NodeAddr=127.0.0.1\n", "*"),
        ("NodeName=n2 NodeAddr=no-such-host.invalid\nNodeName=n3 NodeAddr=no-such-host.invalid\n", "*"),
        ("slurm_load_node error: Unable to contact slurm controller\n", "*"),
    ],
)  # fmt: skip
def test_a_hub_listens_on_loopback_alone_where_all_nodes_are_on_it(monkeypatch, printed, expected):
    def answer(config, words, env):
        assert words == ["scontrol", "--oneliner", "show", "node", "n2,n3"]
        yield
        return printed

    monkeypatch.setattr(found, "answer", answer)
    assert until_end(launch_nodes.listening_address(config_of(WITHOUT_IMAGE), ["n2", "n3"])) == expected
