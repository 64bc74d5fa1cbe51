"""What the front says in a kernel's place while there is none (Jupyter messaging, 5.4)."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from ..guest.wire import DELIMITER, PROTOCOL

UNREACHABLE = (
    "the connection to the kernel is down, and no more requests can be kept until it is back: "
    "what was sent before will run; send this again then"
)


def kernel_info(ipykernel: str | None) -> dict[str, Any]:
    """Content of a ``kernel_info_reply`` for a Python kernel that is yet to start.

    ``ipykernel`` is the version found in the image, None where unknown; subshells came with 7.0.
    """
    modern = ipykernel is not None and int(ipykernel.split(".")[0]) >= 7
    return {
        "status": "ok",
        "protocol_version": PROTOCOL,
        "implementation": "hpcctr",
        "implementation_version": ipykernel or "",
        "language_info": {
            "name": "python",
            "version": "3",
            "mimetype": "text/x-python",
            "file_extension": ".py",
            "pygments_lexer": "ipython3",
            "codemirror_mode": {"name": "ipython", "version": 3},
            "nbconvert_exporter": "python",
        },
        "banner": "A kernel in a container on the cluster; it starts when its job does.",
        "help_links": [],
        "supported_features": ["kernel subshells"] if modern else [],
    }


def stand_in(kind: str, content: Mapping[str, Any], ipykernel: str | None) -> dict[str, Any] | None:
    """Content of the reply to a request that needs no kernel; None where the request must wait."""
    position = content.get("cursor_pos", 0)
    answers: dict[str, dict[str, Any]] = {
        "is_complete_request": {"status": "unknown"},
        "complete_request": {
            "status": "ok", "matches": [], "cursor_start": position, "cursor_end": position, "metadata": {},
        },
        "inspect_request": {"status": "ok", "found": False, "data": {}, "metadata": {}},
        "history_request": {"status": "ok", "history": []},
        "comm_info_request": {"status": "ok", "comms": {}},
    }  # fmt: skip
    if kind == "kernel_info_request":
        return kernel_info(ipykernel)
    return answers.get(kind)


def notice(text: str) -> dict[str, str]:
    """A MIME bundle of a waiting line: plain text, and the same in a quiet HTML box.

    The plain text is a whole line: ``jupyter run`` writes it as it is, and the next output behind it.
    """
    box = "border-left:3px solid var(--jp-info-color1,#2196f3);padding:.2em .6em;white-space:pre-wrap"
    return {
        "text/plain": f"{text}\n",
        "text/html": f'<div role="status" style="{box}">{html.escape(text)}</div>',
    }


def failure(name: str, value: str, *, log_tail: str = "") -> dict[str, Any]:
    """Content of an ``error`` message, with the log's last lines as its traceback."""
    lines = [f"{name}: {value}"]
    if log_tail:
        lines += ["", "The last lines of the job's log:", *(f"    {line}" for line in log_tail.splitlines())]
    return {"ename": name, "evalue": value, "traceback": lines}


def are_given_here(frames: Sequence[bytes]) -> bool:
    """Whether a kernel's message on iopub is a welcome or a status, which the front says itself to who awaits one."""
    if len(frames) < 4 or DELIMITER not in frames[:2]:
        return False
    header = frames[frames.index(DELIMITER) + 2]
    return b'"iopub_welcome"' in header or b'"status"' in header
