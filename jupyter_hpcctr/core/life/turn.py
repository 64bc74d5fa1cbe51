"""One event's turn: the life as it changes, the effects as they come up, and those that follow from the change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .effects import Effect, Remember, Say, SetExit, StartDeadline, StopDeadline, View
from .state import Deadline, Job, Life, Mode, deadlines, kept
from .words import Key, Value, Words


class Turn:
    """Collects what one event comes to. ``life`` is as it is by now."""

    def __init__(self, life: Life) -> None:
        self._before = self.life = life
        self._effects: list[Effect] = []

    def do(self, *effects: Effect) -> None:
        """Add effects."""
        self._effects += effects

    def be(self, **changes: Any) -> None:
        """Change the launch."""
        self.life = replace(self.life, **changes)

    def put(self, job: Job, **changes: Any) -> Job:
        """Make a job the launch's own, changed, and return it so."""
        job = replace(job, **changes)
        self.be(job=job)
        return job

    def say(self, state: View, key: Key, **values: Value) -> None:
        """Show a sentence."""
        self.do(Say(state, Words(key, tuple(sorted(values.items(), key=_by_name)))))

    def result(self) -> tuple[Life, tuple[Effect, ...]]:
        """Return the life after the event, and all effects, the record's first."""
        before, after = self._before, self.life
        if after is before:
            return after, tuple(self._effects)
        effects = list(self._effects)
        if kept(before) != kept(after) and after.mode is not Mode.TAKEN and not after.settled:
            effects.insert(0, Remember())
        if before.exit_code != after.exit_code:
            effects.append(SetExit(after.exit_code))
        old, new = deadlines(before), deadlines(after)
        effects += [StopDeadline(each) for each in sorted(old - new, key=_order)]
        effects += [StartDeadline(each) for each in sorted(new - old, key=_order)]
        return after, tuple(effects)


def _by_name(each: tuple[str, Value]) -> str:
    return each[0]


def _order(deadline: Deadline) -> tuple[int, str]:
    return deadline.job, deadline.at.value
