"""A container whose agent was killed is removed by the next one, by words that were noted before its start."""

import os
import sys

import pytest

from jupyter_hpcctr.agent import removal, room
from jupyter_hpcctr.protocol.container import EngineCommand


def left(tmp_path, agent, words):
    """A private directory whose agent had that process id, and a container that goes by these words."""
    run_dir = tmp_path / f"hpcctr-{os.getuid()}-left"
    run_dir.mkdir(mode=0o700)
    (run_dir / "agent").symlink_to(str(agent))
    removal.note(str(run_dir), EngineCommand(words))
    return run_dir


@pytest.fixture
def gone():
    """The id of a process that was."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid


def made(tmp_path):
    room.make(f"{tmp_path}/hpcctr-{os.getuid()}-new", (), removal.carry_out)


def test_the_next_agent_removes_the_container_and_then_the_directory(tmp_path, gone):
    mark = tmp_path / "removed"
    script = f"import os; os.path.isdir({str(tmp_path / f'hpcctr-{os.getuid()}-left')!r}) and open({str(mark)!r}, 'w')"
    run_dir = left(tmp_path, gone, (sys.executable, "-c", script))
    made(tmp_path)
    assert mark.exists() and not run_dir.exists()


def test_the_container_of_an_agent_that_lives_stays(tmp_path):
    mark = tmp_path / "removed"
    run_dir = left(tmp_path, os.getpid(), ("touch", str(mark)))
    made(tmp_path)
    assert run_dir.exists() and not mark.exists()


def test_an_engine_that_is_not_there_any_more_is_in_nobodys_way(tmp_path, gone):
    run_dir = left(tmp_path, gone, ("no-such-engine", "rm", "x"))
    made(tmp_path)
    assert not run_dir.exists()


def test_words_that_others_can_write_are_not_run(tmp_path, gone):
    mark = tmp_path / "removed"
    run_dir = left(tmp_path, gone, ("touch", str(mark)))
    (run_dir / removal.NAME).chmod(0o666)
    made(tmp_path)
    assert not run_dir.exists() and not mark.exists()


def test_nothing_noted_is_nothing_to_do(tmp_path):
    removal.carry_out(str(tmp_path))
