"""Benchmarks with ratios measured in the same run: ``run.py [--quick] [--mpi FAMILY] [NAME …]``.

Run as an ordinary user, on an idle machine with Slurm, Charliecloud, skopeo, umoci and mksquashfs, in the
project's Python environment. Everything runs in a Slurm of one node that is started for it.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
BENCHMARKS = {
    "start": "From the request to the first result",
    "messages": "Messages",
    "memory": "Resident memory of one kernel besides the kernel itself",
    "promises": "Promises",
    "lab": "JupyterLab's page",
    "mpirun_start": "Start of ranks",
    "mpirun_cells": "Cells on ranks",
    "mpirun_values": "Values to and from ranks",
    "mpirun_recovery": "From a rank's failure to the next cell's end",
    "mpirun_mpi": "MPI in containers, 2 ranks",
    "mpirun_tree": "Fan-out to simulated ranks",
}
GROUPS = {"mpirun": [name for name in BENCHMARKS if name.startswith("mpirun_")]}
sys.path[:0] = [str(HERE), str(HERE.parent)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    names = (*BENCHMARKS, *GROUPS)
    parser.add_argument("names", nargs="*", choices=[[], *names], default=[], metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--mpi", choices=["openmpi", "mpich"], default="openmpi", help="for mpirun")
    parser.add_argument("--json", type=Path, default=None, help="default: build/bench.json")
    args = parser.parse_args()
    chosen = {each for name in args.names for each in GROUPS.get(name, [name])}
    wanted = [name for name in BENCHMARKS if name in chosen or not chosen]
    from place import place

    found = {}
    with place() as where:
        for name in wanted:
            found[name] = _alone(name, {**where, "mpi": args.mpi}, quick=args.quick)
            print(f"\n{found[name]['table']}\n", flush=True)
    _keep(args.json, args.quick, found)
    return 0


def _alone(name, where, *, quick):
    """Run a benchmark in a process of its own: none finds what another left in memory."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_child, args=(name, where, quick, queue))
    process.start()
    process.join()
    if process.exitcode != 0 or queue.empty():
        raise SystemExit(f"{name}: the benchmark failed")
    return queue.get()


def _child(name, where, quick, queue):
    from report import table

    rows = importlib.import_module(name).measure(where, quick=quick)
    rows_json = [row.as_json() for row in rows]
    queue.put({"table": table(BENCHMARKS[name], rows), "rows": rows_json})


def _keep(target, quick, found):
    machine = {"cpus": os.cpu_count(), "load": os.getloadavg(), "kernel": platform.release()}
    result = {"quick": quick, "machine": machine, **{name: each["rows"] for name, each in found.items()}}
    text = json.dumps(result, indent=1, ensure_ascii=False)
    for path in [target] if target else [CHECKOUT / "build/bench.json", Path.home() / ".cache/hpcctr-bench.json"]:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        except PermissionError:
            continue
        print(f"kept in {path}")
        return


if __name__ == "__main__":
    sys.exit(main())
