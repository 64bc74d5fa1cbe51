"""Signals to a program that its command's own process group does not hold, as one that a daemon has started."""

import os
import signal

from support.waiting import state_of, wait_until

from jupyter_hpcctr.agent.children import Child

AWAY = 'setsid sh -c \'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 600\' "$1" & wait'


def begun(tmp_path):
    """A command whose program leads a group of its own, and that program's process id."""
    file = tmp_path / "pid"
    child = Child(("sh", "-c", AWAY, "sh", str(file)), env=os.environ, cwd=str(tmp_path))
    child.pid_file = str(file)
    wait_until(file.exists, "the program")
    return child, int(file.read_text())


def test_a_signal_reaches_the_program_that_the_file_names(tmp_path):
    child, pid = begun(tmp_path)
    child.signal(signal.SIGTERM)
    wait_until(lambda: state_of(pid) in ("gone", "Z"), "the end of the program")
    child.end(patience_s=0)


def test_it_ends_with_its_command_also_when_that_has_ended_before(tmp_path):
    child, pid = begun(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    assert child.ended(patience_s=60)
    assert state_of(pid) == "S"
    child.end(patience_s=0)
    wait_until(lambda: state_of(pid) in ("gone", "Z"), "the end of the program")
