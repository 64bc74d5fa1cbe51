"""What becomes of the launches of a process, for its administrator: lines in the log, counts and times."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..core.job import Ending
from ..edge.figures import Counts, Times
from ..edge.logs import about
from ..errors import HpcctrError
from .view import LaunchView

log = logging.getLogger(__name__)

READY, SUBMITTED = "kernel ready", "submitted"
RESTARTED = "restarted"
_BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)


class Recorder:
    """Counts and logs what is told of launches.

    ``starts`` are by "new" or "again" (a new job for a kernel whose job had ended), ``failures`` of them by the
    error's stage ("launch" where the job ended before its kernel was ready), ``ends`` of jobs by their ending,
    ``phases`` by name, and ``ready``, whole starts, by scheduler and engine.
    """

    def __init__(self) -> None:
        self.starts, self.failures, self.ends = Counts(), Counts(), Counts()
        self.phases, self.ready = Times(*_BOUNDS), Times(*_BOUNDS)
        self._last: dict[str, LaunchView] = {}
        self._begun: set[str] = set()
        """Launches whose job was submitted, or whose image is fetched: if their start fails, nobody else tells."""

    def asked(self) -> None:
        """A kernel is to be started."""
        self.starts.add("new")

    def refused(self, error: BaseException, kernel_id: str) -> None:
        """A kernel that was to be started is not."""
        stage = error.stage if isinstance(error, HpcctrError) else "internal"
        self.failures.add(stage)
        log.warning("no kernel: %s", str(error) or type(error).__name__, extra=about(kernel=kernel_id, stage=stage))

    def hear(self, view: LaunchView) -> None:
        """Compare what is told of a launch with what was told before; in the edge thread."""
        last = self._last.pop(view.launch, LaunchView(view.launch))
        if view.state != "gone":
            self._last[view.launch] = view
        begun, failed = view.state != last.state, view.error is not None and view.error != last.error
        if last.state == "ended" and view.state not in ("ended", "gone"):
            self.starts.add("again")
        if begun and view.state == "ended" and not failed:
            self._ended(view)
        if view.phases.get(READY) not in (None, last.phases.get(READY)):
            self._is_ready(view)
        if not self._is_begun(view) and failed:
            return  # ``refused`` tells
        if failed and view.error is not None:
            self.failures.add(str(view.error["stage"]))
        if failed or begun:
            self._write(view)

    def _is_begun(self, view: LaunchView) -> bool:
        if view.job or view.state not in ("submitting", "ended", "gone"):
            self._begun.add(view.launch)
        begun = view.launch in self._begun
        if view.state == "gone":
            self._begun.discard(view.launch)
        return begun

    def _ended(self, view: LaunchView) -> None:
        self.ends.add(view.ending or "unknown")
        if READY not in view.phases and view.ending != Ending.CANCELLED.value:
            self.failures.add("launch")

    def _is_ready(self, view: LaunchView) -> None:
        if SUBMITTED not in view.phases:
            self.phases.add(view.phases[READY], RESTARTED)
            return
        before = 0.0
        for name, seconds in sorted(view.phases.items(), key=lambda item: item[1]):
            self.phases.add(seconds - before, name)
            before = seconds
        self.ready.add(view.phases[READY], view.scheduler, view.engine)

    def _write(self, view: LaunchView) -> None:
        error: Mapping[str, object] = {} if view.error is None or view.state == "gone" else view.error
        log.log(
            logging.WARNING if error else logging.INFO,
            "%s",
            view.message if view.state != "gone" else "The kernel was shut down.",
            extra=about(
                kernel=view.kernel_id,
                launch=view.launch,
                stage=error.get("stage", view.state),
                scheduler=view.scheduler,
                job=view.job,
                nodes=view.nodes,
                ending=view.ending,
            ),
        )
