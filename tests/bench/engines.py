"""What each engine costs over its bare command, on the same unpacked image, and a kernel's first cell in it."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from place import Ours, by_hand, end, settle
from report import Row, goal, median

from jupyter_hpcctr import plugins
from jupyter_hpcctr.agent.engine import cgroups
from jupyter_hpcctr.enginekit import bundle
from jupyter_hpcctr.protocol.container import Container, NodeFacts, Program
from jupyter_hpcctr.testing import Node

PROGRAMS = {"charliecloud": "ch-run", "bubblewrap": "bwrap", "crun": "crun"}
MOST_MS = 50.0
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
PARKED = ("sh", "-c", 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 600')


def measure(place, effort):
    """Return the rows of the table, for the engines that are on this machine."""
    here = [name for name, program in PROGRAMS.items() if shutil.which(program)]
    return [row for name in here for row in _rows(name, place, effort)]


def _rows(name, place, effort):
    rounds, warms = effort.of(21, 7, 1), effort.warms
    waited = {"by hand": [], "directory": [], "SquashFS": [], "enter": []}
    with _node(name, place, "root", "directory") as plain, _node(name, place, "squashfs", "squashfs") as squashed:
        pid_file = Path(squashed.run_dir, "holder.pid")
        squashed.hold((*PARKED, str(pid_file)), pid_file)
        for number in range(rounds + warms):
            for what, run in (
                ("by hand", lambda: _by_hand(name, place)),
                ("directory", lambda: plain.command(("true",))),
                ("SquashFS", lambda: squashed.command(("true",))),
                ("enter", lambda: squashed.join(("true",))),
            ):
                took = _took(run)
                if number >= warms:
                    waited[what].append(took)
    hand = median(waited["by hand"])
    over = [took - hand for took in waited["directory"]]
    first = _first_results(name, place, effort)
    return [
        Row(f"{name}: its own command on a directory, by hand", hand, "ms", None, None, "", waited["by hand"]),
        Row(f"{name}: what we add to that", median(over), "ms", None, goal(MOST_MS), "", over),
        _row(f"{name}: on a SquashFS file", waited["SquashFS"], hand),
        _row(f"{name}: entering a container that runs", waited["enter"], hand),
        Row(f"{name}: from the request to a kernel's first result", median(first), "s", None, None, "", first),
    ]


def _row(label, waited, hand):
    return Row(label, median(waited), "ms", median(waited) / hand, None, "", waited)


def _took(run):
    began = time.monotonic()
    done = run()
    took = (time.monotonic() - began) * 1000
    assert done.returncode == 0, done
    return took


def _node(name, place, image, kind):
    run_dir = Path(place["directory"], f"{name}-{kind}")
    run_dir.mkdir()
    container = Container(
        name=f"hpcctr-bench-{os.getpid()}-{kind}", image=place[image], kind=kind, reference="", digest="", mounts=(),
        workdir="/", scratch=f"{run_dir}/engine",
    )  # fmt: skip
    return Node(plugins.engine(name), container, run_dir=run_dir, env=ENV)


def _by_hand(name, place):
    return subprocess.run(_words(name, place), env={**by_hand(), **ENV}, capture_output=True)


def _words(name, place):
    root = place["root"]
    if name == "charliecloud":
        return ["ch-run", root, "--", "true"]
    if name == "bubblewrap":
        bound = ["--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc", "--ro-bind", "/sys", "/sys"]
        return ["bwrap", "--ro-bind", root, "/", *bound, "--bind", "/tmp", "/tmp", "true"]
    directory = Path(place["directory"], "by-hand")
    if not directory.exists():
        directory.mkdir()
        container = Container("", root, "directory", "", "", (), "/", str(directory))
        facts = NodeFacts("", "", os.getuid(), os.getgid())
        made = bundle.config(container, Program(("true",), "", ENV), facts)
        (directory / "config.json").write_text(json.dumps(made))
    options = [f"--root={directory}/state", "--cgroup-manager=disabled"]
    words = ["crun", *options, "run", f"--bundle={directory}", "by-hand"]
    if cgroups() != "hybrid":
        return words
    # What its user does on a node with both versions of control groups, with which crun does not start.
    hidden = 'mount -t tmpfs none /sys/fs/cgroup; exec "$@"'
    user = [f"--map-user={os.getuid()}", f"--map-group={os.getgid()}"]
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", hidden, "sh", "unshare", *user, *words]


def _first_results(name, place, effort):
    found = []
    try:
        for _ in range(effort.of(5, 3, 1)):
            kernel = Ours(image=place["image"], engine=name, scheduler="slurm")
            found.append(kernel.first_result()["first result"])
            kernel.stop()
            settle()
    finally:
        end()
    return found
