"""What people are promised in seconds, each figure against its bound: no ratio, for people wait in seconds."""

import subprocess
import sys
import time

from place import Ours, end, settle
from report import Row, goal, median
from support.images import CHECKOUT, image_cache
from support.slurm import base_environment, short_directory

from jupyter_hpcctr.downscale.cluster import Cluster

DEMO = CHECKOUT / "kernels/demo/demo.py"
BOUNDS = {
    "start_kernel returns: the job is submitted": 1.0,
    "a pending kernel is shut down: its job is no longer in the queue": 2.0,
    "Kernel → Restart in the job, image: first result": 3.0,
    "Kernel → Restart in the job, bare: first result": 3.0,
    "Cluster.up: 2 nodes idle": 5.0,
    "Cluster.down: nothing left": None,
    "the demo, second run": 30.0,
}


def measure(place, effort):
    """Return the rows of the table."""
    rounds = effort.of(5, 2, 1)
    found = {label: [] for label in BOUNDS}
    submitted, cancelled, restart, bare, up, down, demo = found.values()
    request = {"image": place["image"], "engine": "charliecloud", "scheduler": "slurm"}
    try:
        for _ in range(rounds):
            _pending(request, submitted, cancelled)
            restart.append(_restarted(request))
            bare.append(_restarted({"engine": "bare", "scheduler": "slurm"}))
            _cluster(up, down)
    finally:
        end()
    demo += _demo(effort.of(3, 1, 0))
    rows = {label: each for label, each in found.items() if each}
    return [Row(label, median(each), "s", None, goal(BOUNDS[label]), "", each) for label, each in rows.items()]


def _seconds(function, *args):
    began = time.monotonic()
    result = function(*args)
    return result, time.monotonic() - began


def _pending(request, submitted, cancelled):
    """Start a kernel on a full node, and shut it down while it waits."""
    words = ("sbatch", "--parsable", "--exclusive", "--output=/dev/null", "--wrap=sleep 600")
    filler = _output(*words)
    while _output("squeue", "-h", "-o", "%T", "-j", filler) != "RUNNING":
        time.sleep(0.05)
    kernel, seconds = _seconds(lambda: Ours(**request))
    submitted.append(seconds)
    job = kernel.manager.provisioner.launch.job
    time.sleep(1)
    assert _output("squeue", "-h", "-o", "%T", "-j", job) == "PENDING"

    def shut_down():
        kernel.stop()
        while job in _output("squeue", "-h", "-o", "%A").split():
            time.sleep(0.02)

    cancelled.append(_seconds(shut_down)[1])
    _output("scancel", "--signal=KILL", "--full", filler)
    _output("scancel", filler)
    settle()


def _restarted(request):
    kernel = Ours(**request)
    kernel.first_result()
    seconds = kernel.restart()["first result"]
    kernel.stop()
    settle()
    return seconds


def _cluster(up, down):
    with short_directory() as directory:
        cluster, seconds = _seconds(lambda: Cluster.up(directory / "c", nodes=2))
        up.append(seconds)
        states = subprocess.run(
            ("sinfo", "-h", "-N", "-o", "%T"), env=base_environment() | cluster.env, capture_output=True, text=True
        ).stdout
        assert states.split() == ["idle", "idle"], states
        down.append(_seconds(cluster.down)[1])


def _demo(rounds):
    """Seconds of each run after the first, which leaves its cluster and its store."""
    if not rounds:
        print("the demo: left out, tests/integration/test_demo.py runs it twice")
        return []
    with short_directory() as directory:
        words = (sys.executable, str(DEMO))
        where = ("--dir", str(directory / "demo"))
        images = ("--images", str(image_cache()))
        _in_its_own(*words, *where, *images)
        try:
            return [_seconds(_in_its_own, *words, *where, *images)[1] for _ in range(rounds)]
        finally:
            _in_its_own(*words, "down", *where)


def _in_its_own(*words):
    """Run in an environment without this benchmark's Slurm and Jupyter."""
    done = subprocess.run(words, env=base_environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr + done.stdout


def _output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
