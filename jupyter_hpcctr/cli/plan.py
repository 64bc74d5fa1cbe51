"""``jupyter hpcctr plan``: what a launch would do, without doing it."""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import sys

from .. import compose, plugins
from ..config import load_policy
from ..core import limits, quote
from ..core.facts import Policy
from ..core.job import Command
from ..core.plan import LaunchPlan, to_json
from ..errors import PolicyError, SchedulerUnreachable
from ..launch import draw, gather
from . import asking, parts

_PATIENCE_S = 90.0


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    each = parts.action(commands, "plan", "show what starting a kernel would submit, without submitting it")
    asking.add_options(each)
    each.add_argument("--json", action="store_true", help="print the whole plan as JSON")
    each.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw a plan and print it."""
    policy = load_policy()
    store = plugins.image_store(policy)
    request = asking.request(arguments)
    facts = gather(request, policy, store, cwd=os.getcwd())  # noqa: PTH109
    drawn = draw(request, facts, policy, engine=plugins.engine, scheduler=plugins.scheduler)
    _check(drawn, policy)
    print(to_json(drawn) if arguments.json else readable(drawn))
    return 0


def _check(plan: LaunchPlan, policy: Policy) -> None:
    """Refuse what the site cannot give, as the form does; say where that cannot be known.

    Raises
    ------
    PolicyError
        There is no such partition, or less of something than is asked for.
    """
    hub = compose.hub(policy)
    try:
        site = hub.edge.wait(hub.site(plan.scheduler), timeout_s=_PATIENCE_S)
    except (SchedulerUnreachable, concurrent.futures.TimeoutError) as error:
        why = str(error) or f"{plan.scheduler} did not answer in {_PATIENCE_S:g} s"
        print(f"not compared with what the site has: {why}", file=sys.stderr)
        return
    found = limits.problems(plan.resources, site)
    if found:
        hint = "; ".join(problem.hint for problem in found if problem.hint)
        raise PolicyError("; ".join(problem.message for problem in found), hint=hint, field=found[0].field)


def readable(plan: LaunchPlan) -> str:
    """Return a plan as text for people; its commands can be copied into a shell."""
    image = plan.image
    lines = [
        f"image      {'none' if image is None else f'{image.reference} ({image.digest})'}",
        f"engine     {plan.engine}",
        f"scheduler  {plan.scheduler}",
        f"work dir   {plan.workdir}",
    ]
    lines += [f"changed    {reason}" for reason in plan.reasons]
    with_it = "with this script on standard input" if isinstance(plan.submit, Command) else "with"
    lines += ["", f"# submitted, {with_it}:", plan.submit.shown]
    lines += [f"    {line}" for line in plan.submit.carried.splitlines()]
    if plan.start:
        lines += ["", "# on the node, once: the container that kernel, restarts and ranks enter"]
        lines += [quote.line(plan.start)]
    lines += ["", "# the kernel", quote.line(plan.enter)]
    if plan.devices is not None:
        wanted = ", ".join((*plan.devices.kinds, *plan.devices.names))
        lines += ["", f"# and the files are mounted that the node's descriptions of its devices name: {wanted}"]
    return "\n".join(lines)
