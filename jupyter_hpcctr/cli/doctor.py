"""``jupyter hpcctr doctor``: what is wrong here, and what earlier servers and programs have left behind."""

from __future__ import annotations

import argparse
import dataclasses
import json

from .. import compose
from ..config import load_policy
from ..launch import reaper
from ..launch.reaper import Finding
from . import parts, servers

_PATIENCE_S = 300.0


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = "find jobs and files that kernels have left behind, and what is wrong with your records"
    doctor = parts.action(commands, "doctor", text, "Exit status 1 if anything is wrong.")
    doctor.add_argument("--remove", action="store_true", help="remove the files and cancel the jobs that it finds")
    doctor.add_argument("--json", action="store_true", help="print each finding as a line of JSON")
    doctor.set_defaults(func=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    policy = load_policy()
    hub = compose.hub(policy)
    found = hub.edge.wait(reaper.examine(hub, policy.schedulers), timeout_s=_PATIENCE_S)
    found += servers.behind()
    if arguments.remove:
        hub.edge.wait(reaper.sweep())
        found = [hub.edge.wait(reaper.remove(hub, each), timeout_s=_PATIENCE_S) for each in found]
    for each in found:
        print(json.dumps(dataclasses.asdict(each)) if arguments.json else _line(each))
    if not found and not arguments.json:
        print("Nothing is wrong.")
    return int(any(not each.done for each in found))


def _line(found: Finding) -> str:
    if found.done:
        return f"{'cancelled' if found.job else 'removed'}: {found.what}"
    return f"{found.kind}: {found.what}" + (f"; what to do: {found.hint}" if found.hint else "")
