"""The list of jobs that people see: this process's launches, those that have ended before, and other processes'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..launch import LaunchView, Listed
from ..offers.words import form_words, moment
from .elsewhere import Other

KEEP_ENDED = 50

Launches = Callable[[str], Listed | None]


@dataclass(slots=True)
class Row:
    """A launch in the list. ``seq`` is the list's count at its last change; ``launch`` still has its log."""

    view: LaunchView
    launch: Listed | None
    seq: int = 0
    gone: bool = False
    """Its kernel has been shut down; only what is remembered of it is left."""
    notebook: str | None = None
    kernel_name: str = ""
    other: Other | None = None
    """What is known of it where another process has its kernel, or nobody."""

    @property
    def ended(self) -> bool:
        """Whether there is no job any more."""
        return self.gone or self.view.state == "ended"


class Board:
    """Rows by launch id, in the order in which they came. Used in the server's loop alone.

    Parameters
    ----------
    launch : callable
        Finds the launch of an id, None where there is none any more.
    changed : callable
        Called with the id of each row that has changed, or has left.
    """

    def __init__(self, launch: Launches, changed: Callable[[str], None]) -> None:
        self.rows: dict[str, Row] = {}
        self.seq = 0
        self._launch, self._changed = launch, changed
        self._hidden: set[str] = set()

    def take(self, view: LaunchView) -> None:
        """Note what has become of a launch; older news than what is known changes nothing."""
        row = self.rows.get(view.launch)
        if view.state == "gone":
            self._hidden.discard(view.launch)
            if row is not None and row.other is None:
                self._gone(row)
            return
        if row is not None and row.other is None and view.seq <= row.view.seq:
            return
        if view.launch in self._hidden:
            if view.state == "ended":
                return
            self._hidden.discard(view.launch)
        if row is None:
            row = self.rows[view.launch] = Row(view, None)
        row.view, row.gone, row.other = view, False, None
        row.launch = self._launch(view.launch) or row.launch
        self.touch(row)
        if row.ended:
            self._trim()

    def compare(self, others: Mapping[str, Other]) -> None:
        """Note which kernels other processes have, or nobody; one of this process is its own until that has ended."""
        for name, other in others.items():
            row = self.rows.get(name)
            if row is None and not (name in self._hidden and other.view.state == "ended"):
                row = self.rows[name] = Row(other.view, None)
            if row is not None and row.other != other and (row.other is not None or row.ended or row.seq == 0):
                self._hidden.discard(name)
                row.view, row.launch, row.gone, row.other = other.view, None, False, other
                row.notebook, row.kernel_name = other.notebook, other.kernel_name
                self.touch(row)
        for row in [row for name, row in self.rows.items() if row.other is not None and name not in others]:
            self._leave(row)

    def _gone(self, row: Row) -> None:
        # A job that ended by itself stays to be looked at; one that was ended with its kernel does not.
        if row.view.state == "ended":
            row.gone = True
        else:
            self._leave(row)

    def _trim(self) -> None:
        ended = sorted((row for row in self.rows.values() if row.ended), key=lambda row: row.seq)
        for row in ended[:-KEEP_ENDED]:
            self.hide(row)

    def hide(self, row: Row) -> None:
        """Take an ended job out of the list; its kernel, if there is one, stays, and a restart brings it back."""
        if not row.gone:
            self._hidden.add(row.view.launch)
        self._leave(row)

    def _leave(self, row: Row) -> None:
        del self.rows[row.view.launch]
        self.seq += 1
        self._changed(row.view.launch)

    def touch(self, row: Row) -> None:
        """Count a change of a row."""
        self.seq += 1
        row.seq = self.seq
        self._changed(row.view.launch)

    def place(self, notebooks: Mapping[str, str], kernel_name: Callable[[str], str]) -> None:
        """Note in which notebook each kernel runs, and by which name it was started."""
        for row in self.rows.values():
            kernel = row.view.kernel_id
            if row.gone or row.other is not None or not kernel:
                continue
            found = (notebooks.get(kernel, row.notebook), kernel_name(kernel) or row.kernel_name)
            if found != (row.notebook, row.kernel_name):
                row.notebook, row.kernel_name = found
                self.touch(row)


def described(row: Row) -> dict[str, Any]:
    """Return a row as JSON. Environment variables are left out: some hold secrets, and events go to every page."""
    view = row.view
    return {
        "id": view.launch,
        "kernel_id": view.kernel_id,
        "kernel_name": row.kernel_name,
        "owner": None if row.other is None else row.other.owner,
        "notebook": row.notebook,
        "state": view.state,
        "message": view.message,
        "reason": view.reason,
        "scheduler": view.scheduler,
        "engine": view.engine,
        "image": view.image,
        "digest": view.digest,
        "job": view.job,
        "nodes": view.nodes,
        "resources": dict(view.resources),
        "request": {name: value for name, value in form_words(view.request).items() if name != "env"},
        "expected_start": moment(view.expected_start),
        "submitted": moment(view.submitted or None),
        "ends": moment(view.end_time) if view.state == "running" else None,
        "time_limit_minutes": view.time_limit_minutes,
        "phases": {name: round(seconds, 3) for name, seconds in view.phases.items()},
        "reasons": list(view.reasons),
        "fetch": None if view.fetch is None else dict(view.fetch),
        "error": None if view.error is None else dict(view.error),
        "ending": view.ending,
        "checkpoint": _checkpoint(view.checkpoint),
        "seq": row.seq,
    }


def _checkpoint(known: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if known is None else {**known, "runs": moment(known["runs"]), "at": moment(known["at"])}


def departed(launch: str, seq: int) -> dict[str, Any]:
    """Return what an event says of a job that has left the list."""
    return {"id": launch, "state": "gone", "seq": seq}
