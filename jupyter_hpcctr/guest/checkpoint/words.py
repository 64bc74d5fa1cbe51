"""What is said of a checkpoint in the notebook and in the log."""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def begins(name: str) -> str:
    """Say that it runs."""
    return f"[Checkpoint: {name} runs, because the job is about to end.]"


def ends(error: str, took_s: float) -> str:
    """Say how it went."""
    return f"[Checkpoint: failed: {error}]" if error else f"[Checkpoint: done after {took_s:.1f} s.]"


def say(text: str) -> None:
    """Print a line, whatever becomes of it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except Exception:  # the streams may be closed
        return


def of_error(error: BaseException) -> str:
    """Return an error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def status(name: str, known: dict[str, Any], now: float) -> str:
    """Return what is registered and when it runs; ``known`` is the agent's answer."""
    state, end, runs = known["state"], known["end"], known["runs"]
    ends_at = f"The job ends at {moment(end, now)}." if end else "When the job ends is not known here."
    if state == "none":
        return f"No checkpoint is registered. {ends_at}"
    what = f"The checkpoint {name}"
    if state == "registered" and runs is None:
        return f"{what} runs when the scheduler says that the job is to end. {ends_at}"
    if state == "registered" and runs <= now:
        return f"{what} runs now. {ends_at}"
    if state == "registered":
        return f"{what} runs at {moment(runs, now)}, {span(known['before_s'])} before the end of the job."
    if state in ("due", "running"):
        return f"{what} is running. {ends_at}"
    at = moment(known["at"], now)
    text = f"{what} has run at {at}." if state == "done" else f"{what} failed at {at}: {known['error']}"
    again = "" if runs is None else f" It runs again at {moment(runs, now)}."
    return f"{text}{again}"


def restore(code: str) -> str:
    """Return what runs first in the next job."""
    if not code:
        return "Nothing is registered that runs first in a new job."
    return f"In the new job of “Continue in a new job” this runs first:\n{code.strip()}"


def moment(at: float, now: float) -> str:
    """Return a local time, with its day where that is another."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%Y-%m-%d %H:%M:%S", then)


def span(seconds: float) -> str:
    """Return a span as people write it: "55 s", "5 min", "1 h"."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"
