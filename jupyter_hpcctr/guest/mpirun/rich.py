"""Figures, tables and other rich results of many ranks in one output: tabs, or one for all if they are equal.

The tabs are HTML and CSS alone, so that they are there in a saved notebook and in what nbconvert makes of it;
where a page is cleaned of styles, or printed, all ranks' results are below one another. While a cell runs
and its results change, ``ipywidgets`` are used where they are, for a chosen tab then stays chosen. They
also remain where a result has no form that HTML can hold.
"""

from __future__ import annotations

import base64
import html
import os

from .labels import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Bundle = dict[str, Any]
    """Data by MIME type, as in Jupyter's messages."""
    Group = tuple[list[int], Bundle, Bundle]
    """Ranks, their data, and its metadata."""

WIDGET = "application/vnd.jupyter.widget-view+json"
PLAIN, HTML, MARKDOWN, SVG = "text/plain", "text/html", "text/markdown", "image/svg+xml"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
SHOWN = {PLAIN, HTML, SVG, "text/latex", *IMAGES}
INTERVAL_S = 0.25
BYTES_PER_S = 4e6  # larger outputs are updated more seldom


class Slot:
    """One output, with a result of each rank that has one there."""

    def __init__(self, world: int) -> None:
        self.display_id = f"mpirun-{os.urandom(8).hex()}"
        self.shown = False
        self.changed = False
        self.due = 0.0
        self._world = world
        self._results: dict[int, tuple[Bundle, Bundle]] = {}
        self._tabs: _Tabs | None = None
        self._no_tabs = False

    def put(self, rank: int, data: Bundle, metadata: Bundle) -> None:
        """Set the result of ``rank``."""
        self._results[rank] = ({mime: value for mime, value in data.items() if mime != WIDGET}, metadata)
        self.changed = True

    def remove(self, rank: int) -> None:
        """Take the result of ``rank`` away."""
        if self._results.pop(rank, None) is not None:
            self.changed = True

    def bundle(self, now: float, live: bool) -> tuple[Bundle, Bundle]:
        """Return data and metadata to be shown from now on. ``live``: the cell still runs in a front end."""
        groups = self._groups()
        lasting = all(_fits_html(data) for _, data, _ in groups)
        if len(groups) > 1 and (live or not lasting):
            self._widget(groups)
        data, metadata = bundle(groups, self._world, self.display_id)
        if self._tabs is not None and len(groups) > 1 and (live or not lasting):
            data[WIDGET] = self._tabs.view()
        self.changed = False
        self.due = now + max(INTERVAL_S, sum(len(str(value)) for value in data.values()) / BYTES_PER_S)
        return data, metadata

    @property
    def provisional(self) -> bool:
        """Whether what is shown uses widgets and need not."""
        return self._tabs is not None and all(_fits_html(data) for data, _ in self._results.values())

    def close(self) -> None:
        """Close the widgets, once what has been shown last does not use them."""
        if self._tabs is not None and self.provisional:
            self._tabs.close()
            self._tabs = None

    def _groups(self) -> list[Group]:
        groups: list[Group] = []
        for rank, (data, metadata) in sorted(self._results.items()):
            for ranks, other, _ in groups:
                if _same(data, other):
                    ranks.append(rank)
                    break
            else:
                groups.append(([rank], data, metadata))
        return groups

    def _widget(self, groups: list[Group]) -> None:
        if self._no_tabs:
            return
        try:
            if self._tabs is None:
                self._tabs = _Tabs()
            self._tabs.fill(groups)
        except Exception:  # whatever an image's ipywidgets lacks: the tabs of HTML are as good
            self._no_tabs, self._tabs = True, None


class _Tabs:
    """The same as widgets."""

    def __init__(self) -> None:
        import ipywidgets  # type: ignore[import-untyped]

        self._kit = ipywidgets
        self._tab = ipywidgets.Tab()
        self._pages: list[Any] = []

    def fill(self, groups: list[Group]) -> None:
        """Show ``groups``; what is chosen stays chosen."""
        while len(self._pages) < len(groups):
            self._pages.append(self._kit.Output())
        for number, (_, data, metadata) in enumerate(groups):
            page = self._pages[number]
            outputs = ({"output_type": "display_data", "data": data, "metadata": metadata},)
            if page.outputs != outputs:
                page.outputs = outputs
        if len(self._tab.children) != len(groups):
            self._tab.children = self._pages[: len(groups)]
        for number, (ranks, _, _) in enumerate(groups):
            self._tab.set_title(number, label(ranks))

    def view(self) -> Bundle:
        """Return the content of a widget view's MIME type."""
        return {"version_major": 2, "version_minor": 0, "model_id": self._tab.model_id}

    def close(self) -> None:
        for widget in (*self._pages, self._tab):
            widget.close()


def bundle(groups: list[Group], world: int, name: str) -> tuple[Bundle, Bundle]:
    """Return data and metadata of one output for ``groups``; ``name`` is unique in the page."""
    if not groups:
        return {PLAIN: ""}, {}
    plain = "\n".join(f"{label(ranks)}:\n{_text(data.get(PLAIN, ''))}" for ranks, data, _ in groups)
    if len(groups) > 1:
        return {PLAIN: plain, HTML: _tabs(groups, name)}, {}
    ranks, data, metadata = groups[0]
    if world == 1:
        return dict(data), metadata
    captioned = {**data, PLAIN: plain}
    if data.keys() & {HTML, SVG, *IMAGES} or data.keys() <= {PLAIN}:
        captioned[HTML] = _caption(ranks) + as_html(data, metadata)
    elif MARKDOWN in data:
        captioned[MARKDOWN] = f"*{label(ranks)}*\n\n{_text(data[MARKDOWN])}"
    return captioned, metadata  # LaTeX, or an application's own: their renderers know no captions


def as_html(data: Bundle, metadata: Bundle) -> str:
    """Return the richest of ``data`` as HTML."""
    if HTML in data:
        return _text(data[HTML])
    if SVG in data:  # as an image: identifiers within several SVGs in one page would meet
        return _image(SVG, base64.b64encode(_text(data[SVG]).encode()).decode(), metadata.get(SVG))
    for mime in IMAGES:
        if mime in data:
            return _image(mime, "".join(_text(data[mime]).split()), metadata.get(mime))
    if "text/latex" in data:
        return f"<div>{html.escape(_text(data['text/latex']), quote=False)}</div>"
    text = data.get(MARKDOWN, data.get(PLAIN, ""))
    return f"<pre>{html.escape(_text(text), quote=False)}</pre>"


def _image(mime: str, encoded: str, metadata: Any) -> str:
    sizes = metadata if isinstance(metadata, dict) else {}
    attributes = "".join(
        f' {side}="{int(sizes[side])}"' for side in ("width", "height") if isinstance(sizes.get(side), (int, float))
    )
    return f'<img src="data:{mime};base64,{encoded}"{attributes}>'


def _caption(ranks: list[int]) -> str:
    return f'<div class="mpirun-ranks" style="opacity:.65;font-size:smaller">{label(ranks)}</div>'


def _tabs(groups: list[Group], name: str) -> str:
    """Return radio buttons without a script, whose sections are also readable one below the other."""
    chosen = ",".join(
        f"#{name}>input:nth-of-type({number}):checked~section:nth-of-type({number})"
        for number in range(1, len(groups) + 1)
    )
    style = (
        f"#{name}>input{{position:absolute;opacity:0;width:0}}"
        f"#{name}>label{{display:inline-block;padding:2px 10px;cursor:pointer;opacity:.65;"
        "border-bottom:2px solid transparent}"
        f"#{name}>input:checked+label{{opacity:1;border-bottom-color:currentColor}}"
        f"#{name}>input:focus-visible+label{{outline:1px dotted}}"
        f"@media screen{{#{name}>section,#{name} .mpirun-ranks{{display:none}}{chosen}{{display:block}}}}"
        f"@media print{{#{name}>label{{display:none}}}}"
    )
    buttons = "".join(
        f'<input type="radio" name="{name}" id="{name}-{number}"{"" if number else " checked"}>'
        f'<label for="{name}-{number}">{label(ranks)}</label> '
        for number, (ranks, _, _) in enumerate(groups)
    )
    pages = "".join(
        f"<section>{_caption(ranks)}{as_html(data, metadata)}</section>" for ranks, data, metadata in groups
    )
    return f'<div id="{name}"><style>{style}</style>{buttons}{pages}</div>'


def _same(one: Bundle, other: Bundle) -> bool:
    """Compare what is seen: the plain text beside a figure often holds an address in memory."""
    rich = one.keys() | other.keys()
    return all(one.get(mime) == other.get(mime) for mime in (rich - {PLAIN} or rich))


def _fits_html(data: Bundle) -> bool:
    return HTML in data or SHOWN.issuperset(data)


def _text(value: Any) -> str:
    """Return text that Jupyter's format also allows to be a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value)
