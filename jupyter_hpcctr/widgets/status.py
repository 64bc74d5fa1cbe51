"""The state of one job, followed while it changes, with a way to cancel it and to read its log."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Protocol

import ipywidgets  # type: ignore[import-untyped]

from ..launch import Listed
from ..launch.view import LaunchView
from . import words
from .confirm import Confirmation
from .home import Home

LOG_S, MINUTE_S = 2.0, 30.0
LOG_MOST = 65_536
NONE = "No job has been started from this notebook's kernel."


class Followed(Protocol):
    """What has a launch: a ``Kernel``."""

    @property
    def status(self) -> LaunchView:
        """What is known of the launch now."""


class JobStatus(ipywidgets.VBox):  # type: ignore[misc]
    """What a job does, in words, and buttons for it. A click on Cancel asks first.

    Parameters
    ----------
    job : Kernel or str, optional
        A kernel, or a launch's id. Where it is not given, the one that was started last from this process is
        followed.
    home : Home, optional
        That of the widgets around it.
    """

    def __init__(self, job: Followed | str | None = None, *, home: Home | None = None) -> None:
        self._home = home or Home()
        self._launch = (job or "") if job is None or isinstance(job, str) else job.status.launch
        self._follows_last = job is None
        self.view: LaunchView | None = None
        self._offset, self._text = 0, ""
        self._shows_log, self._reading = False, 0  # the number of the reader whose answers count
        self._tick: Callable[[], None] = lambda: None
        self._forget: Callable[[], None] = lambda: None
        self.state = ipywidgets.HTML()
        self.cancel_button = ipywidgets.Button(description="Cancel job …", tooltip="End the job; asks first")
        self.log_button = ipywidgets.Button(description="Show log", tooltip="Show what the job has printed")
        self.confirmation = Confirmation(no="Keep the job")
        self.message, self.log_text = ipywidgets.HTML(), ipywidgets.HTML()
        buttons = ipywidgets.HBox([self.cancel_button, self.log_button])
        super().__init__([self.state, buttons, self.confirmation, self.message, self.log_text])
        self.cancel_button.on_click(lambda _button: self._ask())
        self.log_button.on_click(lambda _button: self.show_log(not self._shows_log))
        for view in sorted(self._home.hub.views(), key=lambda view: view.submitted):
            self._hear(view)
        self._show()
        self._forget = self._home.hub.observe(lambda view: self._home.post(lambda: self._hear(view)))
        self._again()

    def close(self) -> None:
        """Take the widget away; the job stays."""
        self._rest()
        self._reading += 1
        super().close()

    @property
    def is_over(self) -> bool:
        """Whether there is no job, or none any more."""
        return self.view is None or self.view.state in ("ended", "gone")

    def cancel(self) -> None:
        """End the job, in whatever state it is; the kernel's notebook says so."""
        launch = self._found()
        if launch is None:
            self.message.value = words.alert("This job is not there any more.")
            return
        self.message.value = words.status("The job is being cancelled …")
        self._home.ask(launch.cancel(), lambda _: self._told(""), self._failed)

    def show_log(self, shown: bool = True) -> None:
        """Show the job's log from now on, or no more."""
        self._shows_log = shown
        self._reading += 1
        self.log_button.description = "Hide log" if shown else "Show log"
        if shown:
            self._read_log(self._reading)
        else:
            self.log_text.value = ""

    # -- what clicks do

    def _ask(self) -> None:
        view = self.view
        if view is None or self.is_over:
            return
        what = f"job {view.job}" if view.job else "this launch"
        question = f"Cancel {what}? All variables of its kernel are lost."
        self.confirmation.ask(words.alert(question), "Cancel the job", self.cancel)

    # -- what the hub says

    def _hear(self, view: LaunchView) -> None:
        known = self.view
        if self._follows_last and view.launch != self._launch:
            if view.state == "gone" or (known is not None and view.submitted < known.submitted):
                return
            self._launch, self._offset, self._text = view.launch, 0, ""
            self.confirmation.dismiss()
            self.show_log(self._shows_log)
        elif view.launch != self._launch or (known is not None and view.seq < known.seq):
            return
        self.view = view
        self._show()
        if view.state == "gone" and not self._follows_last:
            self._rest()

    def _rest(self) -> None:
        """Follow nothing any more."""
        self._forget()
        self._forget = lambda: None
        self._tick()

    def _show(self) -> None:
        view = self.view
        self.cancel_button.disabled = self.is_over
        self.log_button.disabled = view is None
        if self.is_over:
            self.confirmation.dismiss()
        self.state.value = words.status(NONE) if view is None else words.job(view)

    def _again(self) -> None:
        def due() -> None:
            self._show()
            self._again()

        self._tick = self._home.later(MINUTE_S, due)

    # -- the log

    def _found(self) -> Listed | None:
        return self._home.hub.launch(self._launch)

    def _read_log(self, reading: int) -> None:
        if reading != self._reading:
            return  # it was hidden meanwhile, or is read by another
        launch = self._found()
        if launch is None:
            self._show_text()
            return
        work = launch.log(self._offset, LOG_MOST)
        self._home.ask(work, lambda answer: self._have_read(reading, *answer), self._failed)

    def _have_read(self, reading: int, text: str, offset: int) -> None:
        if reading != self._reading:
            return
        more = offset != self._offset
        self._text, self._offset = (self._text + text)[-LOG_MOST:], offset
        self._show_text()
        if not self.is_over:
            self._home.later(LOG_S, lambda: self._read_log(reading))
        elif more:  # what was written last
            self._read_log(reading)

    def _show_text(self) -> None:
        name = f"Log of job {self.view.job}" if self.view is not None and self.view.job else "Log of the job"
        body = html.escape(self._text) or ("Nothing was printed." if self.is_over else "Nothing was printed yet.")
        label = html.escape(name, quote=True)
        self.log_text.value = (
            f'<pre role="log" aria-label="{label}" tabindex="0" style="max-height:20em;overflow:auto">{body}</pre>'
        )

    def _told(self, text: str) -> None:
        self.message.value = words.status(text)

    def _failed(self, error: BaseException) -> None:
        self.message.value = words.alert(words.problem(error))
