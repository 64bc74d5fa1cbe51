"""The outputs of a cell as its page would have them, from its kernel's messages; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Outputs:
    """Takes messages in order; ``items`` are outputs as nbformat has them.

    It does what JupyterLab and nbclient do: streams of one name that follow one another become one, a display with a
    known id also changes those before it, and ``clear_output`` may wait for the next output. Text is left as it was
    printed, with its carriage returns.
    """

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []
        self._names: list[str | None] = []
        self._clear = False
        self.cleared = False

    @property
    def items(self) -> list[dict[str, Any]]:
        """The outputs, in order."""
        return [{**each, "text": "".join(each["text"])} if "text" in each else dict(each) for each in self._items]

    @property
    def displays(self) -> list[str | None]:
        """The display id of each output, None where it has none."""
        return list(self._names)

    def take(self, kind: str, content: Mapping[str, Any]) -> None:
        """Take a message of the cell's own execution."""
        if kind == "clear_output":
            self._clear = True
            if not content.get("wait"):
                self._clear_now()
        elif kind == "stream":
            self._stream(str(content.get("name", "stdout")), str(content.get("text", "")))
        elif kind == "error":
            output = {name: content.get(name, "") for name in ("ename", "evalue")}
            self._add({"output_type": kind, **output, "traceback": list(content.get("traceback") or ())})
        elif kind in ("display_data", "execute_result"):
            self.update(content)
            more = {"execution_count": content.get("execution_count")} if kind == "execute_result" else {}
            self._add({"output_type": kind, **_bundle(content), **more}, _name(content))
        elif kind == "update_display_data":
            self.update(content)

    def update(self, content: Mapping[str, Any]) -> None:
        """Change the displays of an id, whoever says so."""
        name = _name(content)
        for at, each in enumerate(self._names):
            if name is not None and each == name:
                self._items[at].update(_bundle(content))

    def _stream(self, name: str, text: str) -> None:
        self._clear_now()
        last = self._items[-1] if self._items else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self._add({"output_type": "stream", "name": name, "text": [text]})

    def _add(self, output: dict[str, Any], name: str | None = None) -> None:
        self._clear_now()
        self._items.append(output)
        self._names.append(name)

    def _clear_now(self) -> None:
        if self._clear:
            self._items, self._names = [], []
            self._clear, self.cleared = False, True


def _bundle(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(content.get(name) or {}) for name in ("data", "metadata")}


def _name(content: Mapping[str, Any]) -> str | None:
    name = (content.get("transient") or {}).get("display_id")
    return name if isinstance(name, str) else None
