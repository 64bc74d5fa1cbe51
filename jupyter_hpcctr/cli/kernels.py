"""``jupyter hpcctr kernels``: every kernel of this user, whichever server or program has it, also when that is gone."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from pathlib import Path

from .. import compose
from ..config import load_policy
from ..edge import files
from ..errors import KernelOwned, RecordError
from ..launch import Hub, Launch, calls
from ..launch import record as records
from ..launch.found import is_owned, recorded
from ..launch.keeper import Claim
from ..launch.places import of_kernel
from ..launch.record import Kernel, Record
from . import parts
from .completion import offer

_HEAD = ("KERNEL", "STATE", "JOB", "IMAGE", "NOTEBOOK", "OWNER")
_SHORT = 8


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    actions = parts.group(commands, "kernels", "list your kernels, and reach those whose server is gone")
    each = parts.action(actions, "list", "list your kernels, of every server and program")
    each.add_argument("--json", action="store_true", help="print what is known of each as a line of JSON")
    each.set_defaults(func=_list)
    for name, function, text in (
        ("show", _show, "say all that is known of a kernel"),
        ("log", _log, "print the last lines of a kernel's job"),
        ("attach", _attach, "go on with a kernel here, and print a connection file for clients"),
        ("stop", _stop, "end a kernel and its job"),
    ):
        each = parts.action(actions, name, text)
        kernel = each.add_argument("kernel", metavar="KERNEL", help="a kernel's id, or how it begins")
        offer(kernel, lambda: [was.kernel.id for was in recorded(load_policy().state_dir)])
        each.set_defaults(func=function)
        if name == "attach":
            text = "take the kernel from the process that has it; that one's notebook is told"
            each.add_argument("--take", action="store_true", help=text)


def _find(state_dir: str, begins: str) -> Record:
    found = [was for was in recorded(state_dir) if was.kernel.id.startswith(begins)]
    if len(found) == 1:
        return found[0]
    what = "more than one kernel has an id that begins" if found else "no kernel has an id that begins"
    raise RecordError(f"{what} with {begins!r}", hint="jupyter hpcctr kernels list has them all")


def _owner(state_dir: str, was: Record) -> str:
    return was.kernel.owner if is_owned(state_dir, was) else "nobody"


def _list(arguments: argparse.Namespace) -> int:
    state_dir = load_policy().state_dir
    found = sorted(recorded(state_dir), key=lambda was: was.view.submitted)
    if arguments.json:
        for was in found:
            print(json.dumps(_facts(state_dir, was)))
        return 0
    rows = [_row(state_dir, was) for was in found]
    print(parts.table(_HEAD, rows) if rows else "You have no kernels.")
    return 0


def _row(state_dir: str, was: Record) -> tuple[str, ...]:
    view = was.view
    notebook = "" if was.session is None else was.session.path
    return was.kernel.id[:_SHORT], view.state, view.job or "", view.image, notebook, _owner(state_dir, was)


def _facts(state_dir: str, was: Record) -> dict[str, object]:
    view = was.view
    return {
        "kernel": was.kernel.id,
        "kernelspec": was.kernel.name,
        "state": view.state,
        "message": view.message,
        "scheduler": view.scheduler,
        "job": view.job,
        "nodes": view.nodes,
        "image": view.image,
        "notebook": None if was.session is None else was.session.path,
        "directory": was.cwd,
        "submitted": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(view.submitted)),
        "end_time": view.end_time,
        "owner": _owner(state_dir, was),
    }


def _show(arguments: argparse.Namespace) -> int:
    state_dir = load_policy().state_dir
    facts = _facts(state_dir, _find(state_dir, arguments.kernel))
    print(parts.table(("WHAT", "IS"), [(name, "" if value is None else str(value)) for name, value in facts.items()]))
    return 0


def _log(arguments: argparse.Namespace) -> int:
    was = _find(load_policy().state_dir, arguments.kernel)
    for number in sorted(was.jobs):
        sys.stdout.write(files.tail(Path(was.jobs[number].plan.log_file), lines=1000, limit=1_000_000))
    return 0


def _claim(was: Record, state_dir: str, *, by_force: bool, by: Kernel) -> Claim:
    try:
        return Claim(of_kernel(state_dir, was.kernel.id))
    except KernelOwned:
        if by_force:
            return calls.take(state_dir, was.kernel.id, by.owner)
        hint = "add --take to take it from that one, or use it there"
        raise KernelOwned(f"{was.kernel.owner} has this kernel", hint=hint) from None


def _go_on(was: Record, *, by_force: bool = False) -> tuple[Hub, Launch]:
    policy = load_policy()
    here = Kernel.here(was.kernel.id, was.kernel.name, "")
    claim = _claim(was, policy.state_dir, by_force=by_force, by=here)
    was = records.read(claim.directory)  # as the one that had it has left it
    hub = compose.hub(policy)
    return hub, hub.edge.wait(Launch.go_on(hub, was, claim, kernel=here))


def _attach(arguments: argparse.Namespace) -> int:
    was = _find(load_policy().state_dir, arguments.kernel)
    hub, launch = _go_on(was, by_force=arguments.take)
    file = _connection_file(launch)
    print(f"Kernel {was.kernel.id} goes on here. Its connection file: {file}")
    print(f"    jupyter console --existing {shlex.quote(file)}")
    print("Ctrl-C leaves the kernel as it is, for the next server or another 'attach'.", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while launch.view.state not in ("ended", "gone"):
            time.sleep(0.5)
        print(launch.view.message)
    except KeyboardInterrupt:
        hub.edge.wait(launch.handover.leave())
    finally:
        Path(file).unlink(missing_ok=True)
    return 0


def _connection_file(launch: Launch) -> str:
    from jupyter_client.connect import write_connection_file
    from jupyter_core.paths import jupyter_runtime_dir

    directory = Path(jupyter_runtime_dir())
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"kernel-{launch.kernel_id}.json"
    file, _ = write_connection_file(str(path), **launch.connection_info)
    return file


def _stop(arguments: argparse.Namespace) -> int:
    policy = load_policy()
    was = _find(policy.state_dir, arguments.kernel)
    if is_owned(policy.state_dir, was):
        calls.stop(policy.state_dir, was.kernel.id, Kernel.here("", "", "").owner)
        print(f"{was.kernel.owner} ends the job; its notebook stays open and is told.")
        return 0
    hub, launch = _go_on(was)
    hub.edge.wait(launch.stop())
    print(f"Kernel {was.kernel.id} is ended.")
    return 0
