"""When a checkpoint is due: some time before the job's end, once for each end. Arithmetic, without a clock."""

from __future__ import annotations

from collections.abc import Mapping

SAME_S = 30.0
"""Ends that differ by less are one: the agent's own reckoning and the scheduler's word for it."""
SIGNAL_S = 120.0
"""Slurm sends ``--signal=…@60`` up to 60 s earlier than that (sbatch(1))."""


class Deadline:
    """All times are in seconds since 1970.

    ``end`` is when the job ends, None where nobody has said it. ``before_s`` is how long before that the checkpoint
    runs, None while there is none.
    """

    def __init__(self, end: float | None) -> None:
        self.end = end
        self.before_s: float | None = None
        self._done = False
        self._done_for: float | None = None

    @property
    def runs(self) -> float | None:
        """When it will run by the clock; None where it will not."""
        if self.before_s is None or self.end is None or self._is_done():
            return None
        return self.end - self.before_s

    def set(self, before_s: float | None) -> None:
        """There is a checkpoint, perhaps a new one; or there is none any more."""
        self.before_s, self._done, self._done_for = before_s, False, None

    def move(self, end: float) -> bool:
        """The job ends at another time; return whether that is news."""
        moved = self.end is None or abs(end - self.end) >= 1
        self.end = end
        return moved

    def is_due(self, now: float) -> bool:
        """Whether it is to be run by the clock."""
        return self.runs is not None and now >= self.runs

    def is_due_on_signal(self, now: float) -> bool:
        """Whether it is to be run because the scheduler has sent its signal.

        Not where it has run for this end. A signal that the known end explains says nothing new: then the clock runs
        it, when the user wants it. Any other one means that the job ends sooner, or later, than is known here.
        """
        if self.before_s is None:
            return False
        if self.end is None or now > self.end:
            return True
        return not self._is_done() and self.end - now > SIGNAL_S

    def begin(self) -> None:
        """It runs now, for the end that is known."""
        self._done, self._done_for = True, self.end

    def _is_done(self) -> bool:
        if not self._done or self.end is None or self._done_for is None:
            return self._done
        return self.end <= self._done_for + SAME_S


def first_end(time_minutes: int | None, environ: Mapping[str, str], *, began: float) -> float | None:
    """Return when a job ends, as far as it can know by itself; the server hears later what the scheduler says.

    Parameters
    ----------
    time_minutes : int or None
        The time limit that was asked for, if any.
    environ : Mapping
        The job's environment: later releases of Slurm say there when it ends.
    began : float
        When the job began.
    """
    try:
        return float(environ["SLURM_JOB_END_TIME"])
    except (KeyError, ValueError):
        return None if time_minutes is None else began + time_minutes * 60
