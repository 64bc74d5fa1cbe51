"""How long an agent waits for its server, and where it looks for the next one."""

import dataclasses
import os

import pytest
from support.plans import agent_file

from jupyter_hpcctr.agent import vigil
from jupyter_hpcctr.agent.vigil import Vigil
from jupyter_hpcctr.protocol import codec
from jupyter_hpcctr.protocol.values import Link

LINK = Link(("tcp://10.0.0.1:5",), "a", "b", "c")
CONFIG = dataclasses.replace(agent_file(), orphan_seconds=1000, orphan_idle_seconds=100, link=LINK)


@pytest.fixture
def clock(monkeypatch):
    now = [5000.0]
    monkeypatch.setattr(vigil.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def kept(tmp_path, clock):
    """A vigil, and what writes its file as the next server does: whole, under the same name."""
    path = tmp_path / "secret"

    def write(**changes):
        new = tmp_path / "new"
        new.write_text(codec.to_json(dataclasses.replace(CONFIG, **changes)))
        new.chmod(0o600)
        new.replace(path)

    write()
    return Vigil(str(path), CONFIG), write


def test_a_kernel_that_computes_lives_on_longer_than_one_that_does_not(kept, clock):
    it, _ = kept
    it.heard(busy=True)
    assert it.over(999, heard=True) is None
    assert "1000" in it.over(1001, heard=True)
    clock[0] += 5000
    it.heard(busy=False)
    assert it.over(4000, heard=True) is None, "its cell has ended this moment"
    clock[0] += 101
    assert "100" in it.over(4101, heard=True)
    assert it.over(1, heard=True) is None, "idle for as long as it likes while somebody is there"


def test_a_job_whose_server_is_gone_when_it_starts_ends_soon_unless_it_is_kept(kept, clock):
    it, write = kept
    clock[0] += vigil.FIRST_WORD_S - 1
    assert it.over(vigil.FIRST_WORD_S - 1, heard=False) is None
    clock[0] += 2
    assert "was not there" in it.over(61, heard=False)
    write(kept=True)
    it.heard(busy=True)
    assert it.over(61, heard=False) is None
    assert it.over(1001, heard=False) is not None


def test_the_next_servers_address_is_seen_within_a_second_while_nobody_is_heard(kept, clock):
    it, write = kept
    assert it.link() == it.link(alone=True) == LINK
    there = dataclasses.replace(LINK, addresses=("tcp://10.0.0.2:6",), server_key="b")
    write(link=there)
    clock[0] += 0.9
    assert it.link(alone=True) == LINK
    clock[0] += 0.2
    assert it.link(alone=True) == there


def test_it_is_looked_for_seldom_while_a_server_is_heard(kept, clock):
    it, write = kept
    clock[0] += 10
    assert it.link() == LINK
    there = dataclasses.replace(LINK, addresses=("tcp://10.0.0.2:6",), server_key="b")
    write(link=there)
    clock[0] += 4
    assert it.link() == LINK
    clock[0] += 2
    assert it.link() == there


def test_a_file_that_is_gone_or_damaged_changes_nothing(kept, clock, tmp_path):
    it, _ = kept
    for text in ("", "{", None):
        (tmp_path / "secret").unlink(missing_ok=True)
        if text is not None:
            (tmp_path / "secret").write_text(text)
            os.chmod(tmp_path / "secret", 0o600)
        clock[0] += 10
        assert it.link(alone=True) == LINK
