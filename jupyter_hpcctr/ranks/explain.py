"""Sentences about ranks, for people: why they did not start, how they ended, what a check found."""

from __future__ import annotations

import signal
from collections.abc import Generator, Mapping
from typing import Any

from .config import Config
from .found import asked
from .world import World

HINT_FAILED = "the lines above are the launcher's and the ranks' own; %mpirun restart tries again"
SLOW_GB_S = 1.0


def not_started(world: World) -> str:
    """Say that ranks ended before they were ready."""
    ends = "; ".join(f"rank {rank} {ending(code, world, rank)}" for rank, code in sorted(world.ended.items())[:4])
    said = world.last_words()
    return f"the ranks did not start ({ends or f'{world.start.shown} ended'})" + (f":\n{said}" if said else "")


def too_slow(world: World, patience_s: float) -> str:
    """Say that some ranks never became ready."""
    missing = ranges(set(range(world.ranks)) - world.up.keys())
    said = world.last_words()
    return f"{missing} did not become ready in {patience_s:g} s" + (f":\n{said}" if said else "")


def alone(world: World) -> str:
    """Say that the ranks do not know one another; "" where they do, or where there is no MPI."""
    sizes = {said["mpi"]["size"] for said in world.up.values() if said["mpi"] is not None}
    if not sizes or sizes == {world.ranks}:
        return ""
    library = next(said["mpi"]["library"] for said in world.up.values() if said["mpi"] is not None)
    who = "each believes that it is alone" if sizes == {1} else f"they see worlds of {sorted(sizes)} ranks"
    launcher = world.start.shown
    return f"{world.ranks} processes, {who}: the image's {short(library)} and {launcher} do not find each other"


def found_no_pmi(world: World) -> bool:
    """Return whether the ranks ended because MPI found no process manager of its kind, as Open MPI does."""
    return world.start.by_step and "PMI" in "".join(world.early)


def hint_pmi(world: World, offered: str) -> str:
    """Say what may help ranks that do not find one another; ``offered`` is what ``offered`` returned."""
    if not world.start.by_step:
        return "the mpiexec is of another MPI than mpi4py's: install mpi4py for the MPI whose mpiexec is first on PATH"
    names = [short(said["mpi"]["library"]) for said in world.up.values() if said["mpi"] is not None]
    has = f", and this scheduler offers {offered}" if offered else ""
    who = names[0] if names else "the image's MPI"
    return (
        f"{who} does not speak what {world.start.shown} offers{has}; Open MPI usually speaks pmix, MPICH and Intel MPI "
        "pmi2: %mpirun restart --pmi NAME"
    )


def offered(config: Config) -> Generator[None, None, str]:
    """Return what the scheduler offers to MPI, "" where it does not say."""
    steps = config.plan.steps
    if steps is None or steps.pmi is None:
        return ""
    return ", ".join((yield from asked(config, steps.pmi)))


def no_mpi(world: World) -> str:
    """Say that the ranks run without MPI."""
    why = next(said["mpi_error"] for said in world.up.values() if said["mpi"] is None)
    return f"the ranks run without MPI, each for itself: {why}"


def checked(world: World, results: Mapping[int, Mapping[str, Any]], *, shares: bool) -> dict[str, Any]:
    """Put the ranks' findings into a line or two; ``ok`` is whether nothing in them is odd.

    Of the ``lines``, ``error`` has those that say what does not work, and ``info`` those that say what could be better.
    """
    wrong: list[str] = []
    remarks: list[str] = []
    libraries = {short(str(said["mpi"]["library"])) for said in world.up.values()}
    if len(libraries) > 1:
        wrong.append("the ranks use different MPI libraries: " + ", ".join(sorted(libraries)))
    if len(results) < world.ranks:
        missing = ranges(set(range(world.ranks)) - results.keys())
        wrong.append(f"the check got no answer from {missing}: messages between ranks may hang")
    wrong += sorted({str(said[key]) for said in results.values() for key in ("error", "stuck") if said.get(key)})
    first = results.get(0, {})
    in_node, between = first.get("in_node_gb_s"), first.get("between_gb_s")
    measured = ((in_node, "in a node"), (between, "between nodes"))
    speeds = [f"{value:.1f} GB/s {where}" for value, where in measured if value]
    found = ["checked: " + ", ".join(speeds)] if speeds else []
    if not shares:
        remarks.append(
            "the engine gives each rank a container of its own: MPI was told to copy messages by way of shared memory"
        )
    if in_node and in_node < SLOW_GB_S and not world.placement.over:
        remarks.append(
            f"ranks of a node exchange only {in_node:.2f} GB/s: CPUs are shared or busy, or MPI copies messages twice"
        )
    said = {"ok": not wrong and not remarks, "lines": wrong + found + remarks, "error": wrong, "info": remarks}
    return {**said, "in_node_gb_s": in_node, "between_gb_s": between}


def sizes(wanted: Mapping[str, Any]) -> list[str]:
    """Return the options that ask for a number of ranks, with their values."""
    named = (("-n", "ranks"), ("--ranks-per-node", "ranks_per_node"))
    return [f"{option} {wanted[name]}" for option, name in named if wanted.get(name)]


def restart(wanted: Mapping[str, Any]) -> str:
    """Return the line that starts ranks as they are wanted."""
    words = ["%mpirun restart", *sizes(wanted)]
    words += ["--oversubscribe"] if wanted.get("oversubscribe") else []
    words += [f"--pmi {wanted['pmi']}"] if wanted.get("pmi") else []
    return " ".join(words)


def ended(world: World) -> str:
    """Say which ranks have ended, and how the first of them did."""
    first = next(iter(world.ended))
    others = world.ended.keys() - {first}
    more = f", and {ranges(others)} with it," if others else ""
    return f"rank {first} {ending(world.ended[first], world, first)}{more}"


def ending(status: int | None, world: World, rank: int) -> str:
    """Say how a rank's process ended; ``status`` is minus the signal where one ended it."""
    if status is None:
        place = world.places.get(rank, "")
        return f"is gone with its node {place}" if place in world.lost_nodes else "was ended with the others"
    return f"was ended by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"


def outcome(status: str, failed: Mapping[int, Any], gone: list[int], ranks: int, timeout: float | None) -> str:
    """Sum up a cell that did not end well, in a sentence."""
    if status == "timeout":
        return too_long("cell", timeout)
    if status == "interrupted":
        return "interrupted"
    said = []
    if failed:
        names = sorted({str(error["ename"]) for error in failed.values()})
        said.append(f"{ranges(failed)} of {ranks} failed with {', '.join(names)}")
    if gone:
        said.append(f"{ranges(gone)} ended")
    return " and ".join(said)


def too_long(what: str, timeout: float | None) -> str:
    """Say that a time limit in seconds was reached."""
    return f"the {what} was ended after its time limit of {timeout:g} s"


def program(status: str, codes: Mapping[int, int | None], said: str, timeout: float | None) -> str | None:
    """Sum up a program's run; None where all went well."""
    if status == "ok":
        return None
    if status != "error":
        return too_long("program", timeout) if status == "timeout" else "interrupted"
    by_code: dict[int | None, list[int]] = {}
    for rank, code in codes.items():
        if code != 0:
            by_code.setdefault(code, []).append(rank)
    if by_code.get(None) == list(codes):
        return "the program did not start" + (f":\n{said}" if said else "")
    parts = [f"{ranges(ranks)} {_program_end(code, len(ranks))}" for code, ranks in by_code.items() if code is not None]
    return "; ".join(parts) or f"{ranges(by_code[None])} did not come to an end"


def _program_end(code: int, how_many: int) -> str:
    if code < 0:
        return f"{'was' if how_many == 1 else 'were'} ended by {_signal_name(-code)}"
    return f"ended with status {code}" + {126: " (cannot be executed)", 127: " (not found)"}.get(code, "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"


def ranges(ranks: Any) -> str:
    """Write ranks as people do: ``rank 3``, ``ranks 0–3, 7``."""
    numbers = sorted(ranks)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)  # noqa: RUF001
    return f"rank{'s' * (len(numbers) != 1)} {text}"


def short(library: str) -> str:
    """Return the first words of what an MPI library calls itself: ``Open MPI v4.1.4``."""
    return " ".join(library.replace("Version:", "").partition("\n")[0].partition(",")[0].split())
