"""The words after ``%%mpirun`` and ``%mpirun``.

argparse would end the process or print to the wrong place, takes a program's options for its own, and
costs milliseconds in a kernel that never runs a distributed cell.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

from .errors import MpirunUsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CELL = "cell"
COMMANDS = ("start", "stop", "restart", "status", "panel", "push", "pull", "run", "help")
HELP = ("-h", "--help")


class Option(NamedTuple):
    """One option: how it is written, what it takes (``""``: nothing) and where it has a meaning."""

    name: str
    takes: str
    commands: tuple[str, ...]
    says: str
    short: str = ""


_WORLD = (CELL, "start", "restart", "push", "run")
OPTIONS = (
    Option("--ranks", "N", _WORLD, "number of ranks; all that the allocation holds if not given", "-n"),
    Option("--ranks-per-node", "N", _WORLD, "number of ranks on each node"),
    Option("--oversubscribe", "", _WORLD, "more ranks than there are slots"),
    Option("--pmi", "NAME", _WORLD, "how the launcher and MPI find each other (pmix, pmi2), for experts"),
    Option("--fresh", "", (CELL, "start"), "end the ranks that run and start new ones first"),
    Option("--timeout", "SECONDS", (CELL, "run"), "interrupt the ranks when they take longer"),
    Option("--rank", "LIST", (CELL, "push", "pull"), "only these ranks, as in 0,3-5"),
    Option("--collect", "VARIABLE", (CELL,), "afterwards bind it in the notebook to a list of its values by rank"),
    Option("--quiet", "", (CELL, "run"), "no output, except errors"),
    Option("--exec", "", (CELL,), "the cell is a shell script, which each rank executes"),
)
_BY_NAME = {name: option for option in OPTIONS for name in (option.short, option.name) if name}
_NO_SENSE_WITH_EXEC = ("fresh", "rank", "collect")


class Options:
    """What is asked for. ``command`` is ``"cell"`` or one of ``COMMANDS``; None stands for: not given."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.ranks: int | None = None
        self.ranks_per_node: int | None = None
        self.oversubscribe = False
        self.pmi: str | None = None
        self.fresh = False
        self.timeout: float | None = None
        self.rank: list[int] | None = None
        self.collect: str | None = None
        self.quiet = False
        self.exec = False
        self.names: list[str] = []
        self.argv: list[str] = []


def of_cell(line: str) -> Options:
    """Read the rest of the line of ``%%mpirun``; what follows ``#`` is a comment.

    Raises
    ------
    MpirunUsageError
        Something is wrong with it; the text says what to write instead.
    """
    if any(word in HELP for word in line.split()[:1]):
        return Options("help")
    options = Options(CELL)
    rest = _read(options, _words(line, comments=True))
    if rest and rest[0] in COMMANDS:
        raise MpirunUsageError(f"{rest[0]} is no cell: write it on a line of its own, with one %: %mpirun {rest[0]}")
    if rest:
        raise MpirunUsageError(
            f"%%mpirun does not know what {rest[0]!r} is: it takes options only (%%mpirun? shows them), the code "
            f"goes into the lines below, and a program is run by: %mpirun run {rest[0]}"
        )
    clash = next((name for name in _NO_SENSE_WITH_EXEC if options.exec and getattr(options, name)), None)
    if clash is not None:
        raise MpirunUsageError(
            f"--{clash} means nothing together with --exec, which starts processes of its own: leave it out"
        )
    return options


def of_line(line: str) -> Options:
    """Read the rest of the line of ``%mpirun``.

    Raises
    ------
    MpirunUsageError
        Something is wrong with it; the text says what to write instead.
    """
    command, _, tail = line.strip().partition(" ")
    if command in HELP:
        return Options("help")
    if command not in COMMANDS:
        raise MpirunUsageError(_no_command(command))
    options = Options(command)
    rest = _read(options, _words(tail, comments=command != "run"))
    if command == "run":
        options.argv = rest
        if not rest:
            raise MpirunUsageError("%mpirun run needs a program: %mpirun run -n 4 ./program arguments")
        return options
    if command in ("push", "pull"):
        options.names = _names(command, rest)
    elif rest:
        raise MpirunUsageError(
            f"%mpirun {command} takes no {rest[0]!r}: write only options after it (%mpirun? shows them)"
        )
    return options


def _no_command(command: str) -> str:
    if not command or command.startswith("-"):
        return (
            f"%mpirun needs one of {', '.join(COMMANDS)} as its first word (%mpirun help says what they do); "
            "to run a cell on the ranks begin it with %%mpirun (two %)"
        )
    near = _nearest(command, COMMANDS)
    guess = f"did you mean {near}?" if near else f"there are {', '.join(COMMANDS)}."
    return f"%mpirun has no command {command!r}: {guess} Code for the ranks goes into a cell that begins with %%mpirun"


def _names(command: str, rest: list[str]) -> list[str]:
    if not rest:
        raise MpirunUsageError(f"%mpirun {command} needs the name of a variable: %mpirun {command} u")
    if command == "pull" and len(rest) > 1:
        raise MpirunUsageError(f"%mpirun pull takes one name at a time: {rest[0]} = %mpirun pull {rest[0]}")
    for name in rest:
        _name(command, name)
    return rest


def _words(line: str, comments: bool) -> list[str]:
    try:
        return shlex.split(line, comments=comments)
    except ValueError:
        raise MpirunUsageError(f"a quotation mark is opened and not closed in: {line.strip()}") from None


def _read(options: Options, words: list[str]) -> list[str]:
    """Take the options from ``words``; return the others. Of ``run``, all is the program's from its name on."""
    rest: list[str] = []
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "--":
            return rest + words
        if not word.startswith("-") or word == "-":
            rest.append(word)
            if options.command == "run":
                return rest + words
            continue
        option, value = _option(options.command, word)
        if not option.takes:
            if value is not None:
                raise MpirunUsageError(f"{option.name} takes no value: write it alone")
            setattr(options, _attribute(option), True)
            continue
        if value is None:
            if not words or words[0].startswith("--"):
                raise MpirunUsageError(f"{option.name} needs a value: {option.name} {_EXAMPLES[option.name]}")
            value = words.pop(0)
        setattr(options, _attribute(option), _CONVERTERS[option.takes](option.name, value))
    _check_ranks(options)
    return rest


def _option(command: str, word: str) -> tuple[Option, str | None]:
    name, equals, value = word.partition("=")
    option = _BY_NAME.get(name)
    if option is None and word[:2] == "-n" and word[2:].isdigit():
        option, equals, value = _BY_NAME["-n"], "=", word[2:]
    magic = "%%mpirun" if command == CELL else f"%mpirun {command}"
    known = [name for name, each in _BY_NAME.items() if command in each.commands]
    if option is None:
        near = _nearest(name, known)
        guess = f"did you mean {near}?" if near else f"it takes {', '.join(known) or 'none'}."
        program = " The program's own options go behind its name." if command == "run" else ""
        raise MpirunUsageError(f"{magic} has no option {name}: {guess}{program}")
    if command not in option.commands:
        raise MpirunUsageError(f"{option.name} means nothing for {magic}: it takes {', '.join(known) or 'no options'}")
    return option, value if equals else None


def _check_ranks(options: Options) -> None:
    number, highest = options.ranks, max(options.rank or [0])
    if number is not None and highest >= number:
        raise MpirunUsageError(f"--rank {highest} is none of {number} ranks: they are numbered from 0 to {number - 1}")


def _attribute(option: Option) -> str:
    return option.name[2:].replace("-", "_")


def _nearest(word: str, words: tuple[str, ...] | list[str]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(word, words, 1, 0.5)), None)


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise MpirunUsageError(f"{name} needs a whole number from 1 on, not {text!r}: {name} {_EXAMPLES[name]}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise MpirunUsageError(f"{name} needs a number of seconds above 0, not {text!r}: {name} {_EXAMPLES[name]}")
    return value


def _ranks(name: str, text: str) -> list[int]:
    """Read ``0,3-5``; the dash may also be the one that our output writes."""
    ranks: set[int] = set()
    for part in text.replace("–", "-").split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise MpirunUsageError(f"{name} needs numbers of ranks, not {text!r}: {name} {_EXAMPLES[name]}")
        ranks.update(range(int(first), int(last or first) + 1))
    return sorted(ranks)


def _name(name: str, text: str) -> str:
    import keyword

    if not text.isidentifier() or keyword.iskeyword(text):
        raise MpirunUsageError(f"{name} needs the name of a variable, and {text!r} is none: assign it to one first")
    return text


def _launcher(name: str, text: str) -> str:
    if not text.replace("_", "").replace("-", "").isalnum():
        raise MpirunUsageError(f"{name} needs a name, not {text!r}: {name} {_EXAMPLES[name]}")
    return text


_CONVERTERS: dict[str, Callable[[str, str], Any]] = {
    "N": _count,
    "SECONDS": _seconds,
    "LIST": _ranks,
    "NAME": _launcher,
    "VARIABLE": _name,
}
_EXAMPLES = {
    "--ranks": "4",
    "--ranks-per-node": "2",
    "--pmi": "pmix",
    "--timeout": "60",
    "--rank": "0,3-5",
    "--collect": "u",
}
