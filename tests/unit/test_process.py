"""Commands that cannot even be started."""

import errno
import subprocess

import pytest

from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import CommandError, CommandMissing


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


def test_a_program_that_is_not_there_is_missing():
    with pytest.raises(CommandMissing):
        process.run(Command(("no-such-program-here",)))
