"""The list of images, with a search: the catalogue's, those used before, the store's, and what registries have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from ..core.request import ImageRef
from ..edge.loop import in_own_thread, in_thread
from ..errors import RequestError
from ..offers import gallery
from . import words
from .fields import STYLE
from .home import Home

PATIENCE_S = 3.0
SETTLED_S = 0.3
NO_IMAGE = ""
Shown = dict[str, Any]


class ImageList(ipywidgets.VBox):  # type: ignore[misc]
    """A search and a list; ``reference`` is what is chosen, None for no image.

    Parameters
    ----------
    reference : str or None
        What is chosen at first; None leaves it to the list.
    changed : callable
        Is called when another image was chosen.
    """

    def __init__(self, reference: str | None, changed: Callable[[], object], *, home: Home) -> None:
        self._home, self._changed = home, changed
        self._policy = home.hub.policy
        self._first = reference
        self._registry: tuple[str, ...] = ()
        self._shown: dict[str, Shown] = {}
        self._number = 0
        self._unplan: Callable[[], None] = lambda: None
        wide = {"width": "auto"}
        self.search = ipywidgets.Text(description="Search images", style=STYLE, layout=wide, continuous_update=True)
        self.search.placeholder = "a word, or the whole reference of any image"
        self.list = ipywidgets.Select(description="Images", style=STYLE, layout=wide, rows=8)
        self.ask_button = ipywidgets.Button(
            description="Search the registries", layout={"width": "auto", "align_self": "flex-start"}
        )
        self.ask_button.layout.display = "" if self._policy.registries else "none"
        self.about, self.message = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__([self.search, self.list, self.about, self.ask_button, self.message])
        self.search.observe(lambda _change: self._typed(), "value")
        self.list.observe(lambda _change: self._chosen(), "value")
        self.ask_button.on_click(lambda _button: self.ask_registries())
        self._home.wait(self.refresh(), PATIENCE_S)

    @property
    def reference(self) -> str | None:
        """The image that is chosen, None for none."""
        return self.list.value or self._first or None

    @reference.setter
    def reference(self, reference: str | None) -> None:
        self._first = reference
        self.search.value = ""
        self._offer(list(self._shown.values()), reference or NO_IMAGE)

    def refresh(self) -> Any:
        """Look again what there is; return a future."""
        self._number += 1
        number, text = self._number, self.search.value.strip()
        store, found = self._home.hub.store, self._registry

        async def look() -> tuple[list[Shown], list[dict[str, str]]]:
            recent = await in_thread(gallery.recent, store)
            return await in_thread(gallery.gallery, store, self._policy, recent, found, text)

        return self._home.ask(
            look(), lambda answer: self._fill(*answer) if number == self._number else None, self._failed
        )

    def ask_registries(self) -> Any:
        """Search the site's registries for the text of the search; return a future."""
        text = self.search.value.strip()
        self.message.value = words.status("Searching the registries …")

        def answered(answer: tuple[tuple[str, ...], list[dict[str, str]]]) -> None:
            self._registry, problems = answer
            number = f"{len(self._registry)} image{'' if len(self._registry) == 1 else 's'}"
            said = words.status(f"The registries have {number} of that name.")
            self.message.value = said if not problems else words.alert("\n".join(each["message"] for each in problems))
            self.refresh()

        work = in_own_thread(gallery.search, self._home.hub.store, text)
        return self._home.ask(work, answered, self._failed)

    def _typed(self) -> None:
        self._unplan()
        self._unplan = self._home.later(SETTLED_S, self.refresh)

    def _fill(self, images: list[Shown], problems: list[dict[str, str]]) -> None:
        self._shown = {image["reference"]: image for image in images}
        if problems:
            self.message.value = words.alert("\n".join(each["message"] for each in problems))
        self._offer(images, self.list.value if self.list.value is not None else self._first)

    def _offer(self, images: list[Shown], chosen: str | None) -> None:
        """Make the options; what is chosen stays chosen, unless another whole reference was typed."""
        options = [(words.image(image), image["reference"]) for image in images]
        known = {reference for _, reference in options}
        typed = self.search.value.strip()
        if typed and typed not in known and ("/" in typed or ":" in typed) and _is_reference(typed):
            options.insert(0, (f"{typed} — as typed; it is fetched first", typed))
            chosen = typed
        elif chosen and chosen not in known and not typed:
            options.insert(0, (f"{chosen} — not on the cluster; it is fetched first", chosen))
        if self._policy.plain_engine in self._policy.engines:
            options.append(("No image: the Python of this environment", NO_IMAGE))
        offered = [reference for _, reference in options]
        before = self.list.value
        self.list.options = options
        self.list.value = chosen if chosen in offered else next(iter(offered), None)
        self._first = None
        if self.list.value == before:
            self._tell()

    def _chosen(self) -> None:
        self._tell()
        self._changed()

    def _tell(self) -> None:
        self.about.value = words.about_image(self._shown.get(self.list.value or "", {}))

    def _failed(self, error: BaseException) -> None:
        self.message.value = words.alert(words.problem(error))


def _is_reference(text: str) -> bool:
    try:
        ImageRef(text)
    except RequestError:
        return False
    return True
