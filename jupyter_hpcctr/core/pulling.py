"""How far a pull is, as a store reports it."""

from __future__ import annotations

from collections.abc import Mapping


class PullStep(str):
    """What a pull does now, as a text, with how far that is where it is known.

    ``name`` is the step without figures ("fetching"). ``done`` and ``total`` are bytes of this step, ``left_s`` the
    estimated seconds until the image is in the store; each is None where it is not known. A store may report a plain
    text instead.
    """

    name: str
    done: int | None
    total: int | None
    left_s: float | None

    def __new__(
        cls, name: str, done: int | None = None, total: int | None = None, left_s: float | None = None
    ) -> PullStep:
        """Make a step; ``done`` is never more than ``total``."""
        done = done if done is None or total is None else min(done, total)
        made = super().__new__(cls, f"{name} {_amount(done, total)}".strip())
        made.name, made.done, made.total, made.left_s = name, done, total, left_s
        return made


def figures(step: str) -> Mapping[str, object]:
    """Return a step as JSON has it: ``step``, ``done``, ``total``, ``left_s``; whatever a store has reported."""
    if not isinstance(step, PullStep):
        return {"step": step, "done": None, "total": None, "left_s": None}
    left = None if step.left_s is None else round(step.left_s)
    return {"step": step.name, "done": step.done, "total": step.total, "left_s": left}


def _amount(done: int | None, total: int | None) -> str:
    words = [f"{size / 1e6:.0f}" for size in (done, total) if size and size >= 500_000]
    return f"{' of '.join(words)} MB" if words else ""
