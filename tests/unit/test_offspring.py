"""How a wrapper ends what its rank has started, where not all of it may be ended."""

import subprocess
import sys

# In a process of its own, because all of its children are ended. The first is another user's, as far as can be told.
SCRIPT = """
import os, signal, subprocess
from jupyter_hpcctr.guest.mpirun import offspring
from jupyter_hpcctr.ranks import strays
anothers, ours = (subprocess.Popen(["sleep", "4321"], stdout=-3, stderr=-3) for _ in range(2))
real = os.kill
def kill(pid, signum):
    if pid == anothers.pid:
        raise PermissionError(1, "Operation not permitted")
    real(pid, signum)
os.kill = kill
strays._adopts.append(True)
try:
    {what}
    print("ended" if ours.wait(30) == -signal.SIGKILL or ours.returncode == 0 else ours.returncode)
finally:
    real(anothers.pid, signal.SIGKILL)
"""


def said(what):
    words = [sys.executable, "-c", SCRIPT.format(what=what)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_wrapper_ends_its_children_and_leaves_one_that_runs_as_another_user():
    assert said("offspring.end_children(0.3)") == "ended"


def test_the_hub_ends_what_it_has_adopted_and_leaves_one_that_runs_as_another_user():
    assert said("strays.end('no world', patience_s=0.3)") == "ended"
