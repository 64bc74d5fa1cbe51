"""What the subcommands share: groups of actions, and tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

Commands = argparse._SubParsersAction
"""What adds subcommands to a parser."""


def group(commands: Commands[argparse.ArgumentParser], name: str, text: str) -> Commands[argparse.ArgumentParser]:
    """Add a subcommand that has actions, and prints its help without one; return what adds the actions."""
    parser = action(commands, name, text)
    prints_help(parser)
    return parser.add_subparsers(title="actions", metavar="ACTION")


def action(
    actions: Commands[argparse.ArgumentParser], name: str, text: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add an action, or a subcommand without actions; its own help alone has ``more``."""
    description = f"{text[:1].upper()}{text[1:]}. {more}".rstrip()
    return actions.add_parser(name, help=text, description=description)


def prints_help(parser: argparse.ArgumentParser) -> None:
    """Let a parser print its help when no command follows."""

    def print_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    parser.set_defaults(func=print_help)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows below their head, in columns."""
    every = [head, *rows]
    widths = [max(len(row[n]) for row in every) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in every
    )
