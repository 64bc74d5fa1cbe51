"""Fan-out beyond this machine, simulated: notebook, hub, nodes' processes and relays are real, their ranks answer."""

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path

import zmq
from mpirun_sides import Mpirun
from mpirun_srun import environment
from report import Row, goal, median, p95

SHAPES, SMALLEST = ((4, 16), (8, 32), (16, 64)), ((2, 2),)
"""Nodes, and ranks on each."""
GOALS = {64: 10}
ROLES = {"jupyter_hpcctr.ranks --node": "nodes", "jupyter_hpcctr.ranks": "hub", "mpirun_srun.py": "simulated ranks"}


def measure(place, effort):
    """Return the rows of the table."""
    rows = []
    for nodes, per_node in effort.of(SHAPES, SHAPES, SMALLEST):
        directory = Path(place["directory"], f"sim{nodes}")
        directory.mkdir()
        with _allocation(environment(directory, nodes, per_node)):
            side = Mpirun()
        try:
            side.seconds("%mpirun start")
            side.remember()
            rows += _rows(side, nodes, per_node, effort.of(200, 40, 10))
        finally:
            side.stop()
    return rows


@contextmanager
def _allocation(variables):
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _rows(side, nodes, per_node, number):
    ranks = nodes * per_node
    what = f"{ranks} simulated ranks on {nodes} simulated nodes"
    assert f"{ranks} ranks on".encode() in side.said("%mpirun status"), side.said("%mpirun status")
    cells = [side.run("pass") * 1000 for _ in range(number // 10 + number)][number // 10 :]
    kernel = median(side.seconds("pass") for _ in range(number)) * 1000
    note = f"95 % within {p95(cells):.1f} ms; {kernel:.1f} ms of it is the notebook's own empty cell"
    rows = [Row(f"{what}: empty cell", median(cells), "ms", None, goal(GOALS.get(ranks)), note, cells)]
    with _hub(side) as ask:
        before = _processor_seconds(side)
        cells = [ask() * 1000 for _ in range(number)]
        after = _processor_seconds(side)
    used = ", ".join(f"{role} {(after[role] - before[role]) * 1000 / number:.1f} ms" for role in after)
    note = f"95 % within {p95(cells):.1f} ms; processor time of each: {used}"
    rows.append(Row(f"{what}: the same as the hub is asked", median(cells), "ms", None, None, note, cells))
    said = side.said("%%mpirun\nprint")
    assert said.count(b"this is rank") in (1, ranks), said[:1000]
    lines = [side.run("print") * 1000 for _ in range(number // 4)]
    rows.append(Row(f"{what}: a line from each", median(lines), "ms", None, None, "", lines))
    return rows


@contextmanager
def _hub(side):
    """Yield a function that has the hub run an empty cell and returns the seconds."""
    found = side.said("from jupyter_hpcctr.ranks import plain\nprint('<' + plain.find() + '>')").decode()
    directory = found.rpartition("<")[2].partition(">")[0]
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(f"ipc://{directory}/ranks")
    start = dict.fromkeys(("ranks", "ranks_per_node", "pmi")) | {"oversubscribe": False, "fresh": False}
    request = {"op": "execute", "code": "pass", "cell": 1, "ranks": None, "timeout": None, "start": start}
    request |= {"limit": 100_000, "spill": directory}

    def ask():
        began = time.perf_counter()
        socket.send(json.dumps({"id": 1, **request}).encode())
        while (event := json.loads(socket.recv()))["event"] != "end":
            pass
        assert event["status"] == "ok", event
        return time.perf_counter() - began

    try:
        yield ask
    finally:
        context.destroy(linger=0)


def _processor_seconds(side):
    found = dict.fromkeys(ROLES.values(), 0.0)
    for process in side.started:
        line = " ".join(process.cmdline())
        role = next((role for words, role in ROLES.items() if words in line), None)
        if role is not None:
            found[role] += sum(process.cpu_times()[:2])
    return found
