"""The views of all launches of a process, and who is told when one changes."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable

from .view import LaunchView

log = logging.getLogger(__name__)

Listener = Callable[[LaunchView], None]


class Observers:
    """Keeps the last view of each launch and hands new ones on; any thread may look, the edge thread tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: dict[str, LaunchView] = {}
        self._listeners: tuple[Listener, ...] = ()
        self._seq = 0

    def observe(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener of each change from now on, until what is returned is called."""

        def once(view: LaunchView) -> None:
            listener(view)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not once)

        with self._lock:
            self._listeners = (*self._listeners, once)
        return end

    def views(self) -> tuple[LaunchView, ...]:
        """Return the last view of each launch that is not gone, in the order of their starts."""
        with self._lock:
            return tuple(self._views.values())

    def tell(self, view: LaunchView) -> LaunchView:
        """Number a view, keep it unless its launch is gone, and hand it on; return it as it was told.

        What a listener raises goes to the log and reaches nobody else.
        """
        with self._lock:
            self._seq += 1
            numbered = dataclasses.replace(view, seq=self._seq)
            if numbered.state == "gone":
                self._views.pop(numbered.launch, None)
            else:
                self._views[numbered.launch] = numbered
            listeners = self._listeners
        for listener in listeners:
            try:
                listener(numbered)
            except Exception:  # noqa: BLE001  (the edge loop goes on whatever they do)
                log.exception("a listener failed on the news of a launch")
        return numbered
