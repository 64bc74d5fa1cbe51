"""Benchmarks with ratios measured in the same run: ``run.py [--quick | --smoke] [--mpi FAMILY] [NAME …]``.

Run as an ordinary user, on an idle machine with Slurm, Charliecloud, skopeo, umoci and mksquashfs, in the
project's Python environment. Everything runs in a Slurm of one node that is started for it.
"""

import argparse
import contextlib
import importlib
import json
import multiprocessing
import os
import platform
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
BENCHMARKS = {
    "start": "From the request to the first result",
    "messages": "Messages",
    "messages_strain": "Messages of many kernels, and across a network that stops",
    "engines": "Engines: what we add to their own commands",
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

from effort import Effort  # noqa: E402  (found by the line above)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    names = (*BENCHMARKS, *GROUPS)
    parser.add_argument("names", nargs="*", choices=[[], *names], default=[], metavar="NAME", help=", ".join(names))
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", dest="effort", action="store_const", const=Effort.QUICK, help="few rounds")
    words = "one round of the smallest sizes, to see that they run: no figure of it means anything"
    how.add_argument("--smoke", dest="effort", action="store_const", const=Effort.SMOKE, help=words)
    parser.set_defaults(effort=Effort.FULL)
    parser.add_argument("--mpi", choices=["openmpi", "mpich"], default="openmpi", help="for mpirun")
    parser.add_argument("--json", type=Path, default=None, help="default: build/bench.json, and none of a smoke")
    args = parser.parse_args()
    chosen = {each for name in args.names for each in GROUPS.get(name, [name])}
    wanted = [name for name in BENCHMARKS if name in chosen or not chosen]
    from place import place

    found, failed = {}, []
    with place() as where:
        for names in [wanted] if args.effort is Effort.SMOKE else [[name] for name in wanted]:
            for name, rows in _apart(names, {**where, "mpi": args.mpi}, args.effort).items():
                if rows is None:
                    failed.append(name)
                    continue
                found[name] = rows
                print(f"\n{rows['table']}\n", flush=True)
    _keep(args.json, args.effort, found, failed)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _apart(names, where, effort):
    """Run benchmarks in a process of their own; return each with its rows, None where it failed.

    Each has one alone, where none finds what another left in memory. Those of a smoke share one, and what they start.
    """
    from place import clear

    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(names, where, effort, writer))
    process.start()
    writer.close()
    found = dict.fromkeys(names)
    with contextlib.suppress(EOFError):  # it is gone
        for name in names:
            found[name] = reader.recv()
    process.join()
    if process.exitcode == 0:
        return found
    clear()
    return dict.fromkeys(names)


def _child(names, where, effort, writer):
    from mpirun_sides import stop_kept
    from place import clear
    from report import table

    for name in names:
        try:
            rows = importlib.import_module(name).measure(where, effort)
            made = {"table": table(BENCHMARKS[name], rows), "rows": [row.as_json() for row in rows]}
        except Exception:
            traceback.print_exc()
            clear()
            made = None
        writer.send(made)
    stop_kept()


def _keep(target, effort, found, failed):
    machine = {"cpus": os.cpu_count(), "load": os.getloadavg(), "kernel": platform.release()}
    about = {"effort": effort.value, "machine": machine, "failed": failed}
    text = json.dumps({**about, **{name: each["rows"] for name, each in found.items()}}, indent=1, ensure_ascii=False)
    if target is None and effort is Effort.SMOKE:
        return
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
