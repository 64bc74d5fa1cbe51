"""The link and an agent's line with real sockets, and a wire between them that is cut, reset and stopped."""

import random
import time

import pytest
from support.links import Agent, Both, texts, until

from jupyter_hpcctr.agent import line as lines
from jupyter_hpcctr.edge.link import KeyPair
from jupyter_hpcctr.protocol.values import Link


@pytest.fixture
def both(tmp_path):
    made = Both(tmp_path)
    yield made
    made.close()


def test_both_say_something_before_they_have_met_and_after(both):
    both.command(b"0")
    both.agent.to_say += texts(0, 1)
    until(lambda: both.agent.heard == texts(0, 1) and both.heard == texts(0, 1))
    both.command(b"1")
    both.agent.to_say += texts(1, 3)
    until(lambda: both.agent.heard == texts(0, 2) and both.heard == texts(0, 3))


@pytest.mark.parametrize("harm", ["reset", "cut"])
def test_a_connection_that_breaks_again_and_again_loses_nothing(both, harm):
    random.seed(harm)
    for number in range(600):
        both.command(str(number).encode())
        both.agent.to_say.append(str(number).encode())
        if number % 60 == 30:
            getattr(both.wire, harm)()
        if number % 60 == 40:
            both.wire.mend()
        time.sleep(random.random() / 500)
    until(lambda: len(both.agent.heard) == 600 and len(both.heard) == 600)
    assert both.agent.heard == both.heard == texts(0, 600)
    assert both.wire.accepted > 3


def test_a_reset_is_taken_up_at_once(both):
    until(lambda: both.wire.accepted == 1)
    both.command(b"0")
    until(lambda: both.agent.heard)
    both.wire.reset()
    until(lambda: both.wire.accepted == 2, 5)
    both.command(b"1")
    until(lambda: both.agent.heard == texts(0, 2))


def test_what_is_sent_while_nothing_gets_through_arrives_when_it_does(both, monkeypatch):
    monkeypatch.setattr(lines, "BEAT_S", 0.1)
    monkeypatch.setattr(lines, "SILENT_S", 0.5)
    monkeypatch.setattr(lines, "DIAL_S", 0.5)
    both.command(b"0")
    until(lambda: both.agent.heard)
    both.wire.stop()
    for number in range(1, 50):
        both.command(str(number).encode())
        both.agent.to_say.append(str(number).encode())
    until(lambda: both.wire.accepted > 2)  # others are tried beside it
    both.wire.mend()
    until(lambda: both.agent.heard == texts(0, 50) and both.heard == texts(1, 50))


def test_a_flood_waits_in_files_while_nothing_gets_through(both, tmp_path):
    both.command(b"0")
    until(lambda: both.agent.heard)
    both.wire.stop()
    sent = [f"{number:06}".encode() * 20_000 for number in range(400)]  # 48 MB
    both.agent.to_say += sent
    until(lambda: not both.agent.to_say)
    assert both.agent.line._session.kept._in_memory <= 8_000_000
    assert both.agent.line._session.kept.bytes > 20_000_000
    both.wire.mend()
    until(lambda: len(both.heard) == len(sent), 60)
    assert both.heard == sent
    until(lambda: both.agent.line._session.clear)


def test_who_is_silent_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_hpcctr.edge.link.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("jupyter_hpcctr.edge.link.SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(lines, "BEAT_S", 0.05)
    both = Both(tmp_path)
    try:
        both.agent.to_say += texts(0, 1)
        until(lambda: both.heard)
        both.wire.stop()
        until(lambda: both.silences == 1)
        assert not both.link.hears(both.keys.public)
        both.wire.mend()
        until(lambda: both.link.hears(both.keys.public) and both.returns)
        assert (both.silences, both.returns) == (1, 1)
    finally:
        both.close()


def test_what_waits_for_an_agent_is_not_for_the_next_one_of_a_job_that_was_requeued(both, tmp_path):
    both.command(b"0")
    until(lambda: both.agent.heard)
    both.agent.end()
    both.command(b"to the last one")
    both.agent = Agent(both.about, tmp_path / "next")
    both.agent.to_say += texts(7, 8)
    both.agent.start()
    until(lambda: both.heard == texts(7, 8))
    both.command(b"to the next one")
    until(lambda: both.agent.heard == [b"to the next one"])
    assert both.agent.line.server and both.agent.line.name


def test_another_key_is_not_let_in(both, tmp_path):
    stranger = KeyPair.new()
    link = Link((both.wire.address,), both.link.public_key, stranger.public, stranger.secret)
    agent = Agent(link, tmp_path / "other")
    agent.to_say += texts(0, 1)
    agent.start()
    both.agent.to_say += texts(0, 1)
    until(lambda: both.wire.accepted > 1 and both.heard)
    time.sleep(0.3)
    assert (both.heard, agent.heard) == (texts(0, 1), [])
    agent.end()


def test_an_agent_has_nothing_to_send_again_to_the_next_server_of_what_this_one_has_had(both):
    both.agent.to_say += texts(0, 3)
    until(lambda: len(both.heard) == 3)
    both.dismiss()
    until(lambda: both.agent.line._session.clear)


def test_what_went_over_the_link_is_counted_and_stays_so_when_its_agent_is_gone(both):
    both.command(b"0")
    both.agent.to_say += texts(0, 3)
    until(lambda: both.agent.heard and len(both.heard) == 3)
    both.wire.reset()
    both.command(b"1")
    until(lambda: len(both.agent.heard) == 2)
    before = both.link.totals()
    assert (before.sent, before.received, before.lost, before.kept_bytes) == (2, 3, 0, 0)
    both.dismiss()
    after = both.link.totals()
    assert after == before
