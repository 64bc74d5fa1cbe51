"""A kernel that is restarted again and again leaves nothing of itself, neither in the server nor in its job."""

import os
import re
import time

from support.kernels import processes_with

RESTARTS, FIRST = 40, 3
"""A hundred take more than a minute on two cores. The first ones are not counted: they fill caches."""


def of_process(pid):
    return {what: len(os.listdir(f"/proc/{pid}/{what}")) for what in ("fd", "task")}


def left(site, agent):
    """What there is now in the server, in the agent, and on the disk (all but what IPython keeps)."""
    paths = (str(path) for path in site.directory.rglob("*") if "ipython" not in path.parts)
    files = sorted(re.sub(r"forks-\d+", "forks-PID", path) for path in paths)
    return of_process("self"), of_process(agent), len(processes_with(str(site.directory))), files


def settled(site, agent, wanted=None):
    """The same, when it is as wanted; what has just ended may still be there for a moment."""
    until = time.monotonic() + 10
    while (found := left(site, agent)) != wanted and time.monotonic() < until:
        if wanted is None and found == left(site, agent):
            break
        time.sleep(0.2)
    return found


def test_forty_restarts_leave_nothing(site, start):
    kernel = start(engine="bare", scheduler="local")
    agent = kernel.value("__import__('os').getppid()")
    before, began = None, 0.0
    for number in range(FIRST + RESTARTS):
        if number == FIRST:
            assert kernel.value("6 * 7") == 42
            before, began = settled(site, agent), time.monotonic()
        kernel.manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(timeout=60)
    print(f"a restart: {(time.monotonic() - began) / RESTARTS:.2f} s")
    assert kernel.value("6 * 7") == 42
    assert kernel.value("__import__('os').getppid()") == agent
    *found, files = settled(site, agent, before)
    assert (*found,) == before[:3]
    assert files == before[3]
