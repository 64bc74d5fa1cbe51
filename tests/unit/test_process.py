"""Commands that cannot even be started."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import CommandError, CommandMissing, CommandTimeout, ImageError


def test_a_file_that_is_not_executable_is_said(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(CommandError, match="Permission denied") as failed:
        process.run(Command((str(program),)))
    assert not isinstance(failed.value, CommandMissing)
    assert failed.value.hint and not failed.value.transient
    program.write_text("no program")
    program.chmod(0o755)
    with pytest.raises(CommandError, match="Exec format error"):
        process.run(Command((str(program),)))


def test_too_many_words_are_said():
    with pytest.raises(CommandError, match="Argument list too long") as failed:
        process.run(Command(("true", *["x" * 100_000] * 100)))
    assert not failed.value.transient


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.ENOMEM])
def test_a_machine_that_has_too_little_left_is_worth_another_try(monkeypatch, number):
    def refuse(*args, **kwargs):
        raise OSError(number, "no more")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(CommandError, match="true cannot be started: no more") as failed:
        process.run(Command(("true",)))
    assert failed.value.transient and failed.value.hint


def test_a_command_is_looked_at_while_it_runs(monkeypatch):
    monkeypatch.setattr(process, "LOOK_S", 0.01)
    looks = []

    def look(pid):
        looks.append(pid)
        if len(looks) == 3:
            os.kill(pid, signal.SIGTERM)

    out = process.run(Command(("sh", "-c", "cat; exec sleep 600"), stdin="said\n"), look=look)
    assert (out.returncode, out.stdout) == (-signal.SIGTERM, "said\n")
    assert len(set(looks)) == 1


def test_what_a_look_raises_ends_the_command(monkeypatch):
    monkeypatch.setattr(process, "LOOK_S", 0.01)
    seen = []

    def look(pid):
        seen.append(pid)
        raise ImageError("enough")

    with pytest.raises(ImageError, match="enough"):
        process.run(Command(("sleep", "600")), look=look)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)
    with pytest.raises(CommandTimeout):
        process.run(Command(("sleep", "600")), look=lambda pid: None, timeout_s=0.05)


def test_a_program_that_is_not_there_is_missing():
    with pytest.raises(CommandMissing):
        process.run(Command(("no-such-program-here",)))


def test_a_mortal_command_is_as_any_other(monkeypatch, tmp_path):
    words = ("sh", "-c", "cat; echo $A; echo bad >&2; exit 3")
    out = process.run(Command(words, stdin="in "), env={"A": "b", "PATH": "/usr/bin:/bin"}, cwd=tmp_path, mortal=True)
    assert (out.returncode, out.stdout, out.stderr) == (3, "in b\n", "bad\n")
    with pytest.raises(CommandMissing, match="no-such-program-here is not installed"):
        process.run(Command(("no-such-program-here",)), mortal=True)


PARENT = """
import sys
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.edge import process
process.run(Command(("sh", "-c", f"echo $$; echo $$ > {sys.argv[1]}; exec sleep 600")), timeout_s=600, mortal=True)
"""


def test_a_mortal_command_ends_with_its_parent_even_if_that_is_killed(tmp_path):
    record = tmp_path / "pid"
    until = time.monotonic() + 60
    with subprocess.Popen((sys.executable, "-c", PARENT, str(record))) as parent:
        while not (record.exists() and record.read_text().endswith("\n")):
            assert time.monotonic() < until and parent.poll() is None
            time.sleep(0.02)
        child = int(record.read_text())
        os.kill(child, 0)
        parent.kill()
    while is_alive(child):
        assert time.monotonic() < until
        time.sleep(0.02)


def is_alive(pid):
    """Whether a process runs; one that has ended may wait for its new parent to take note."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
