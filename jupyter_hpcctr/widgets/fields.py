"""One field of the form: a labelled control made from a property of the form's schema, with room for what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from ..core.limits import Problem
from . import words

STYLE = {"description_width": "10em"}
WIDTH = "28em"
NO_CHOICE = "as the site chooses"


class Field(ipywidgets.VBox):  # type: ignore[misc]
    """A control with its label, a word of help, and problems beside it.

    Parameters
    ----------
    name : str
        Its name in a request.
    schema : mapping
        ``title``, ``type``, and what there may be of ``enum``, ``default``, ``examples``, ``description``.
    changed : callable
        Is called when the user has changed it.
    """

    def __init__(self, name: str, schema: Mapping[str, Any], changed: Callable[[], object]) -> None:
        self.name = name
        self._schema = schema
        self._quiet = False
        self.control = _control(schema)
        self.help = ipywidgets.HTML(words.help_text(str(schema.get("description", ""))))
        self.problem = ipywidgets.HTML()
        super().__init__([ipywidgets.HBox([self.control, self.help]), self.problem])
        self.problem.layout.display = "none"
        self.control.observe(lambda _change: None if self._quiet else changed(), "value")

    @property
    def value(self) -> object:
        """What the field says, as a request is written; None where it is left to the site, or says what is usual."""
        value = self.control.value
        if isinstance(value, str):
            return value.strip() or None
        return None if value == self._schema.get("default") else value

    def show(self, schema: Mapping[str, Any] | None) -> None:
        """Show the field as a schema has it for what is chosen elsewhere; None hides it."""
        self.layout.display = "none" if schema is None else ""
        if schema is None:
            return
        self.help.value = words.help_text(str(schema.get("description", "")))
        if isinstance(self.control, ipywidgets.Dropdown) and "enum" in schema:
            options = _options(schema["enum"])
            if tuple(self.control.options) != options:
                value, self._quiet = self.control.value, True
                try:
                    self.control.options = options
                    self.control.value = value
                finally:
                    self._quiet = False

    def put(self, value: object) -> None:
        """Set the field, without telling that it was changed; None leaves it to the site."""
        self._quiet = True
        try:
            self._put(value)
        finally:
            self._quiet = False

    def _put(self, value: object) -> None:
        if isinstance(self.control, ipywidgets.IntText):
            self.control.value = int(str(value)) if value is not None else int(self._schema["default"])
        elif isinstance(self.control, ipywidgets.Dropdown):
            known = [each for _, each in self.control.options]
            if value is not None and value not in known:  # what the site does not have is said beside it
                self.control.options = (*self.control.options, (str(value), value))
            self.control.value = value
        else:
            self.control.value = "" if value is None else str(value)

    def say(self, found: tuple[Problem, ...]) -> None:
        """Show what is wrong with the field, nothing where nothing is."""
        self.problem.value = words.problems(found)
        self.problem.layout.display = "" if found else "none"


def _options(names: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    return ((NO_CHOICE, None), *((name, name) for name in names))


def _control(schema: Mapping[str, Any]) -> Any:
    common = {"description": schema["title"], "style": STYLE, "layout": {"width": WIDTH}}
    if schema.get("enum"):
        return ipywidgets.Dropdown(options=_options(schema["enum"]), value=None, **common)
    if schema["type"] == "integer" and "default" in schema:
        return ipywidgets.IntText(value=int(schema["default"]), **common)
    examples = " or ".join(schema.get("examples", ()))
    return ipywidgets.Text(placeholder=f"for example {examples}" if examples else NO_CHOICE, **common)
