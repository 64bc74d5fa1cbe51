"""Each benchmark runs once, tiny, as people run it: every row is there, and no figure is looked at."""

import importlib.util
import json
import math
import subprocess
import sys

import pytest
from support.images import CHECKOUT, ENVIRONMENT

BENCH = CHECKOUT / "tests" / "bench"
ROWS = {
    "start": 10,
    "messages": 8,
    "messages_strain": 4,
    "engines": 15,
    "memory": 5,
    "promises": 6,  # the demo runs in test_demo.py
    "lab": 10,
    "mpirun_start": 4,
    "mpirun_cells": 7,
    "mpirun_values": 17,
    "mpirun_recovery": 3,
    "mpirun_mpi": 12,
    "mpirun_tree": 3,
}
"""How many rows the report of a smoke has."""
WORDS = {"never": ": %%px"}
"""Figures that are words, and in whose rows: what ipyparallel's users see after some failures."""


def benchmarks():
    """The modules that measure something, by their sources."""
    return {path.stem for path in BENCH.glob("*.py") if "\ndef measure(" in path.read_text()}


@pytest.fixture(scope="module")
def smoke(request, tmp_path_factory):
    """What a smoke of the benchmarks that are tested here keeps, and what it prints."""
    here = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    chosen = [name for name in ROWS if {"benchmark": name} in here]
    kept = tmp_path_factory.mktemp("bench") / "kept.json"
    words = [sys.executable, str(BENCH / "run.py"), "--smoke", f"--json={kept}", *chosen]
    env = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(words, env=env, cwd="/", capture_output=True, text=True, timeout=850)
    assert kept.exists(), done.stdout + done.stderr
    return json.loads(kept.read_text()), done


def test_every_benchmark_has_a_smoke():
    spec = importlib.util.spec_from_file_location("bench_run", BENCH / "run.py")
    run = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(run)
    sys.path[:] = path
    assert benchmarks() == set(run.BENCHMARKS) == set(ROWS)


@pytest.mark.slurm
@pytest.mark.image
@pytest.mark.timeout(900)
@pytest.mark.parametrize("benchmark", ROWS)
def test_its_report_is_whole(smoke, benchmark):
    kept, done = smoke
    assert benchmark not in kept["failed"], done.stdout + done.stderr
    rows = kept[benchmark]
    assert len({row["label"] for row in rows}) == len(rows) == ROWS[benchmark]
    for row in rows:
        assert f"| {row['label']} |" in done.stdout
        figure = row["figure"]
        if isinstance(figure, str):
            assert WORDS.get(figure, "no such word") in row["label"], row
        else:
            assert math.isfinite(figure), row
