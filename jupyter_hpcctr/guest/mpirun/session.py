"""What ``%%mpirun`` and ``%mpirun`` do in one notebook."""

from __future__ import annotations

import difflib
import os

from .client import Client, HeldInterrupts
from .data import pack, unpack
from .ends import problem
from .errors import Interrupted, MpirunError, MpirunUsageError
from .labels import label, ranges
from .manual import HELP
from .options import Options, of_cell, of_line
from .screen import Screen
from .segment import DataError, Segment, new_name, owner_of, remove
from .view import View
from .world import started, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .panel import RankPanel
    from .pulse import Said
    from .view import Slots

    Event = dict[str, Any]

SPILL = ".mpirun"
LIMIT = 256_000  # bytes of text from one rank
LIMIT_ALL = 4_000_000


class Session:
    """The ranks as one notebook sees them. ``find``: see ``Client``; ``shell``: IPython's."""

    def __init__(self, shell: Any, find: Callable[[], str]) -> None:
        self._shell = shell
        self._client = Client(find)
        self._known: Slots = {}
        self._world: Event | None = None  # as the hub described it last, while it can still be so
        self._connection = 0
        self._panel: RankPanel | None = None
        self.watchers: list[Callable[[], None]] = []
        """Are called at least every 50 ms while the ranks are waited for; they are quick, and never raise."""

    @property
    def directory(self) -> str:
        """Where the sockets of the hub are that was connected to last; "" before."""
        return self._client.directory

    def connect(self) -> None:
        """Make sure that there is a hub. Raises ``MpirunError``."""
        self._client.connect()

    def close(self) -> None:
        """Close the panel, and the connection to the hub."""
        if self._panel is not None:
            self._panel.close()
            self._panel = None
        self._client.close()

    def cell(self, line: str, body: str) -> None:
        """Run a cell's ``body`` on the ranks.

        Raises
        ------
        MpirunError
            It could not be run, or did not end well; its text is a sentence for people.
        Interrupted
            It was interrupted, and the ranks with it.
        """
        options = of_cell(line)
        if options.command == "help":
            self._do_help(options, None)
            return
        if options.exec:
            self._do_run(options, {"script": body})
            return
        number = self._started(options, whole_cell=True)
        ranks = self._selected(options, number)
        view = self._view(ranks, number, options.quiet, whole_cell=True)
        fields = {
            "code": body,
            "cell": self._shell.displayhook.prompt_count,  # execution_count is the next one's since IPython 9
            "ranks": options.rank,
            "timeout": options.timeout,
            **_limits(len(ranks)),
            "start": _start_fields(options),
        }
        self._ask("execute", fields, view)
        if options.collect:
            self._shell.user_ns[options.collect] = self._pulled(options.collect, options.rank)

    def line(self, line: str, scope: dict[str, Any]) -> Any:
        """Carry out a line; ``scope`` are the variables around it. Raises what ``cell`` raises."""
        options = of_line(line)
        return getattr(self, f"_do_{options.command}")(options, scope)

    def _do_help(self, _options: Options, _scope: object) -> None:
        self._view([], 0).line(HELP.rstrip("\n"))

    def _do_start(self, options: Options, _scope: object) -> None:
        self._start_by("start", options)

    def _do_restart(self, options: Options, _scope: object) -> None:
        self._start_by("restart", options)

    def _start_by(self, op: str, options: Options) -> None:
        view = self._view([], 0)
        for line in started(self.change(op, options, view)):
            view.line(line)

    def _do_stop(self, options: Options, _scope: object) -> None:
        self.change("stop", options, self._view([], 0))

    def change(self, op: str, options: Options, view: View | Said) -> Event:
        """Start, stop or restart the ranks; return what they are now. Raises what ``cell`` raises."""
        world: Event = self._ask(op, {} if op == "stop" else _start_fields(options), view).get("world") or {}
        if op == "stop":
            self._world = None
        return world

    def _do_panel(self, _options: Options, _scope: object) -> None:
        from .panel import RankPanel

        if getattr(self._shell, "kernel", None) is None:
            raise MpirunError("the panel needs a notebook", "Here %mpirun status shows the same.")
        self._panel = self._panel or RankPanel(self)
        self._panel.show()

    def _do_status(self, _options: Options, _scope: object) -> None:
        view = self._view([], 0)
        view.line(table(self._ask("status", {}, view).get("world") or {}))

    def _do_push(self, options: Options, scope: dict[str, Any]) -> None:
        values = {name: self._value(name, scope) for name in options.names}
        try:
            self._client.connect()
            self._push(values, options, new_name(owner_of(self._client.directory)))
        except KeyboardInterrupt as error:
            raise _while_moved(error) from None

    def _push(self, values: dict[str, Any], options: Options, segment_name: str) -> None:
        try:
            fields = {**self._packed(values, segment_name), "ranks": options.rank, "start": _start_fields(options)}
            self._ask("push", fields, self._view([], 0))
        finally:
            remove(segment_name, self._client.directory)

    def _packed(self, values: dict[str, Any], segment_name: str) -> Event:
        """Write values to a segment; return what says where they are."""
        try:
            packed = {name: pack(value) for name, value in values.items()}
            segment = Segment.create(packed.values(), self._client.directory, name=segment_name)
        except DataError as error:
            raise MpirunError(f"{', '.join(values)}: {error}") from None
        return {
            "values": {name: header for name, (header, _) in packed.items()},
            "segment": None if segment is None else segment.described(),
        }

    def _do_pull(self, options: Options, _scope: object) -> Any:
        values = self._pulled(options.names[0], options.rank)
        return values[0] if options.rank is not None and len(options.rank) == 1 else values

    def _do_run(self, options: Options, what: object) -> None:
        program = what if options.exec and isinstance(what, dict) else {"argv": options.argv}
        number = options.ranks
        if number is None:
            world = self._ask("status", {}, None).get("world") or {}
            number = world.get("slots") or 2
        view = self._view(range(number), number, options.quiet, whole_cell=options.exec)
        fields = {**program, **_size(options), "timeout": options.timeout, **_limits(number), "cwd": None}
        self._ask("run", fields, view)

    # Within

    def _started(self, options: Options, whole_cell: bool) -> int:
        """Make sure that ranks run; return how many. Nothing is asked when it is known."""
        self._client.connect()
        known = self._world if self._connection == self._client.connections else None
        asked = options.fresh or options.ranks is not None or options.ranks_per_node is not None
        if known is None or asked:
            known = (
                self._ask("start", _start_fields(options), self._view([], 0, options.quiet, whole_cell)).get("world")
                or {}
            )
            options.fresh = False  # is done
        return int(known.get("ranks") or 1)

    def _selected(self, options: Options, number: int) -> list[int]:
        ranks = options.rank if options.rank is not None else list(range(number))
        beyond = [rank for rank in ranks if rank >= number]
        if beyond:
            raise MpirunUsageError(f"there is no {label(beyond[:1])}: the ranks are {ranges(range(number))}")
        return ranks

    def _view(self, ranks: Any, world: int, quiet: bool = False, whole_cell: bool = False) -> View:
        return View(Screen(self._shell, whole_cell), ranks, world, quiet, self._known)

    def _turn(self, view: View | Said) -> float | None:
        for watcher in tuple(self.watchers):
            watcher()
        return view.tick()

    def _ask(self, op: str, fields: Event, view: View | Said | None) -> Event:
        """Return the ``end`` of a request that went well."""
        try:
            if view is None:
                end = self._client.request(op, fields)
            else:
                try:
                    end = self._client.request(op, fields, view.handle, lambda: self._turn(view))
                finally:
                    view.close()
        except BaseException:
            self._world = None
            raise
        status = end.get("status")
        if status != "ok":
            self._world = None
            _unlink(end.get("values") or {})  # interrupted when they had just come
            raise problem(op, end, view)
        if end.get("world"):
            self._world, self._connection = end["world"], self._client.connections
            if self._world["state"] != "running":
                self._world = None
        return end

    def _value(self, name: str, scope: dict[str, Any]) -> Any:
        for variables in (scope, self._shell.user_ns):
            if name in variables:
                return variables[name]
        near = difflib.get_close_matches(name, [key for key in self._shell.user_ns if key[:1] != "_"], 1, 0.6)
        guess = f"did you mean {near[0]}?" if near else "assign it first"
        raise MpirunUsageError(f"the notebook has no variable {name}: {guess}")

    def _pulled(self, name: str, ranks: list[int] | None) -> list[Any]:
        """Return the values of ``name``, by rank."""
        found: Event = {}
        try:
            self._client.connect()
            with HeldInterrupts() as held:  # until their files are known here, and can be removed
                found.update(self._ask("pull", {"name": name, "ranks": ranks}, self._view([], 0))["values"])
            if held.take():
                raise KeyboardInterrupt
            return _unpacked(name, found)
        except KeyboardInterrupt as error:
            raise _while_moved(error) from None
        finally:
            _unlink(found)  # what is mapped stays


def _unpacked(name: str, found: Event) -> list[Any]:
    values = []
    for rank, sent in sorted(found.items(), key=lambda item: int(item[0])):
        try:
            values.append(unpack(sent["header"], Segment.open(sent["segment"])))
        except DataError as error:
            raise MpirunError(f"{name} of rank {rank} cannot be read here: {error}") from None
    return values


def _while_moved(error: KeyboardInterrupt) -> Interrupted:
    """Return what to raise for Ctrl-C in our own code: a sentence of the hub's, if it has said one."""
    return error if isinstance(error, Interrupted) else Interrupted("interrupted while values were moved")


def _unlink(values: Event) -> None:
    """Remove the segments of values that were pulled."""
    for sent in values.values():
        if sent["segment"] is not None:
            Segment(sent["segment"]["path"], 0).unlink()


def _size(options: Options) -> Event:
    return {
        "ranks": options.ranks,
        "ranks_per_node": options.ranks_per_node,
        "oversubscribe": options.oversubscribe,
        "pmi": options.pmi,
    }


def _start_fields(options: Options) -> Event:
    return {**_size(options), "fresh": options.fresh, "kernel_pid": os.getpid()}


def _limits(ranks: int) -> Event:
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise MpirunError("the notebook's current directory has been removed", "os.chdir to another one.") from None
    return {"limit": min(LIMIT, LIMIT_ALL // max(1, ranks)), "spill": os.path.join(here, SPILL)}
