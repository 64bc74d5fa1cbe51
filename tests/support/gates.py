"""Holds up one step of a launch, so that a fault can be put there: real programs behind a gate."""

import shutil
import sys

from .waiting import wait_until

STAND_IN = """#!/bin/sh
case "$*" in
*"{words}"*) [ -e "{gate}/open" ] || : > "{gate}/reached"; while [ ! -e "{gate}/open" ]; do sleep 0.05; done ;;
esac
exec {program} "$@"
"""
KERNEL = """
import atexit, os, sys, time
def pass_gate():
    if not os.path.exists({gate!r} + "/open"):
        open({gate!r} + "/reached", "w").close()
    while not os.path.exists({gate!r} + "/open"):
        time.sleep(0.05)
pass_gate()
if {at_end}:
    atexit.register(pass_gate)
from ipykernel.kernelapp import launch_new_instance
sys.argv[1:] = ["-f", sys.argv[1]]
launch_new_instance()
"""


class Gate:
    """A gate, closed at first; what stands behind it waits for as long as it is."""

    def __init__(self, directory):
        self._directory = directory
        directory.mkdir()

    def before(self, name, words=""):
        """The directory of a program that waits, where these words are among its own, and becomes the real one."""
        program = self._directory / "bin" / name
        program.parent.mkdir()
        program.write_text(STAND_IN.format(words=words, gate=self._directory, program=shutil.which(name)))
        program.chmod(0o755)
        return program.parent

    def kernel(self, *, at_end=False):
        """The words of a Python kernel that waits before it starts and, if wanted, before it ends."""
        return [sys.executable, "-c", KERNEL.format(gate=str(self._directory), at_end=at_end), "{connection_file}"]

    def open(self):
        (self._directory / "open").touch()

    def close(self):
        (self._directory / "open").unlink()

    def await_arrival(self):
        """Return when something waits."""
        wait_until((self._directory / "reached").exists, "nothing comes to the gate")
