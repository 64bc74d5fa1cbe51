"""The hubs of a process, and what a process that was forked from it knows of them."""

import subprocess
import sys

FORKS = """
import os, sys
from jupyter_hpcctr import compose
from jupyter_hpcctr.core.facts import Policy
policy = Policy(store=sys.argv[1])
hub = compose.hub(policy)
if not (child := os.fork()):
    other = compose.hub(policy)
    print(other is hub, other.edge.wait(other.site("local")).scheduler, flush=True)
    sys.exit(0)  # as atexit has it, this ends what is the child's
print(os.waitpid(child, 0)[1], compose.hub(policy) is hub, hub.edge.wait(hub.site("local")).scheduler)
"""


def test_a_forked_process_has_hubs_of_its_own_and_ends_no_others(tmp_path):
    words = [sys.executable, "-c", FORKS, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["False local", "0 True local"]
