"""The question that stands between a click and what it does."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets  # type: ignore[import-untyped]


class Confirmation(ipywidgets.VBox):  # type: ignore[misc]
    """A question with two answers; not seen until it is asked. What is done was fixed when it was asked."""

    def __init__(self, *, no: str) -> None:
        self.question = ipywidgets.HTML()
        self.yes = ipywidgets.Button(description="Yes", button_style="warning")
        self.no = ipywidgets.Button(description=no)
        self._work: Callable[[], object] | None = None
        super().__init__([self.question, ipywidgets.HBox([self.yes, self.no])])
        self.layout.display = "none"
        self.yes.on_click(lambda _button: self._confirmed())
        self.no.on_click(lambda _button: self.dismiss())

    @property
    def asked(self) -> bool:
        """Whether the question stands there."""
        return self._work is not None

    def ask(self, question: str, yes: str, work: Callable[[], object]) -> None:
        """Ask, in HTML; ``work`` is done once when the answer is ``yes``."""
        self.question.value, self.yes.description, self._work = question, yes, work
        self.yes.layout.width = self.no.layout.width = "auto"
        self.layout.display = ""

    def dismiss(self) -> None:
        """Take the question back."""
        self._work = None
        self.layout.display = "none"

    def _confirmed(self) -> None:
        work = self._work
        self.dismiss()
        if work is not None:
            work()
