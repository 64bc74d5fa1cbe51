"""Commands that cannot even be started."""

import errno
import os
import signal
import subprocess

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
