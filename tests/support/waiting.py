"""Waiting for what real processes do, and looking at them."""

import os
import time
from pathlib import Path


def text(path):
    return Path(path).read_text(encoding="utf-8")


def wait_until(condition, what):
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def until_end(flow):
    """Let a flow of the hub go on to its end, and return its value."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            next(flow)
        except StopIteration as stop:
            return stop.value
    raise AssertionError("the flow does not come to an end")


def wait_for_no_segments():
    """Those that are in memory now go away; other tests beside this one may make others meanwhile."""
    there = list(Path("/dev/shm").glob(f"hpcctr-{os.getuid()}-*"))
    wait_until(lambda: not any(path.exists() for path in there), there)


def wait_for_file(path, jobs, job):
    deadline = time.monotonic() + 60
    while not Path(path).exists():
        assert time.monotonic() < deadline, jobs.status(job)
        time.sleep(0.05)


def state_of(pid):
    """The letter of a process's state (proc(5), stat), or "gone".

    A main thread that has ended is a zombie while other threads of its process still end, and only then can a parent
    wait for the process: until then it is "D" here.
    """
    try:
        state = text(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]
        return "D" if state == "Z" and len(os.listdir(f"/proc/{pid}/task")) > 1 else state
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def listening(pids):
    """(address, port) of every TCP socket on which these processes listen, as /proc/net has them (proc(5))."""
    ours = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                ours.add(os.readlink(path))
            except OSError:
                continue
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            local, state, inode = (line.split()[n] for n in (1, 3, 9))
            if state == "0A" and f"socket:[{inode}]" in ours:
                address, port = local.split(":")
                found.add((address, int(port, 16)))
    return found
