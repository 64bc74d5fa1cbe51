"""Shows what another kernel publishes for a cell as the output of the cell that runs here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def show(message: Mapping[str, Any]) -> None:
    """Show one message of iopub; what is no output is passed over.

    Views of the other kernel's widgets have no model here: their plain text is shown.
    """
    kind, content = message["header"]["msg_type"], message["content"]
    if kind == "stream":
        stream = sys.stderr if content["name"] == "stderr" else sys.stdout
        stream.write(content["text"])
        stream.flush()
    elif kind == "error":
        sys.stdout.flush()
        sys.stderr.write("\n".join(content["traceback"]) + "\n")
        sys.stderr.flush()
    elif kind in ("display_data", "execute_result", "update_display_data"):
        _display(content, update=kind == "update_display_data")
    elif kind == "clear_output":
        from IPython.display import clear_output

        clear_output(wait=bool(content.get("wait")))  # type: ignore[no-untyped-call]


def _display(content: Mapping[str, Any], *, update: bool) -> None:
    from IPython.display import publish_display_data

    sys.stdout.flush()
    sys.stderr.flush()
    data = {mime: value for mime, value in content["data"].items() if mime != WIDGET_VIEW}
    transient = {name: value for name, value in (content.get("transient") or {}).items() if name == "display_id"}
    metadata = content.get("metadata") or {}
    publish_display_data(data, metadata, transient=transient, update=update and bool(transient))  # type: ignore[no-untyped-call]
