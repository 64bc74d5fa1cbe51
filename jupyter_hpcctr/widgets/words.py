"""What widgets say, as HTML: previews, states of jobs, problems. Whatever comes from elsewhere is escaped."""

from __future__ import annotations

import datetime
import html
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.cost import Cost, amount
from ..core.facts import Changed
from ..core.limits import Problem
from ..core.wording import ending_text, minutes_text
from ..errors import HpcctrError, read
from ..launch.preview import Preview
from ..launch.view import LaunchView

STATES = {
    "fetching": "Fetching image",
    "submitting": "Submitting",
    "pending": "Pending",
    "starting": "Starting",
    "running": "Running",
    "ended": "Ended",
    "gone": "Shut down",
}
SCHEDULERS = {"slurm": "Slurm", "local": "local"}


def status(text: str) -> str:
    """Return a message that screen readers read out when they may."""
    return f'<div role="status">{_lines(text)}</div>' if text else ""


def alert(text: str) -> str:
    """Return a message that screen readers read out at once."""
    return f'<div role="alert" style="font-weight:bold">{_lines(text)}</div>' if text else ""


def help_text(text: str) -> str:
    """Return a word of help beside a field."""
    return f'<span style="opacity:.75">{_text(text)}</span>' if text else ""


def problem(error: BaseException) -> str:
    """Return an error as one sentence."""
    if isinstance(error, HpcctrError):
        return sentence(error.message, error.hint)
    return f"This did not work: {error!r}. It is a bug: please report it."


def changed(news: Changed) -> str:
    """Return that the site's configuration has changed, and what to do."""
    return status(sentence(news.message, "restart this notebook's kernel to use it"))


def sentence(message: str, hint: str = "") -> str:
    """Return a message with its hint behind it."""
    return f"{message} ({hint})" if hint else message


def problems(found: Iterable[Problem]) -> str:
    """Return problems of one field as an alert, "" where there is none."""
    return alert("\n".join(sentence(each.message, each.hint) for each in found))


def no_image(found: Mapping[str, Any]) -> str:
    """Return that there is no image of a name, as ``offers.gallery.check`` found, with names like it."""
    near = f"\nDid you mean: {', '.join(found['near'])}" if found["near"] else ""
    return alert(sentence(found["message"], found["hint"]) + near)


def cost(found: Cost | None) -> str:
    """Return ``at most 12.50 EUR``; "" where nothing is known."""
    return "" if found is None else f"at most {amount(found)}"


def image(shown: Mapping[str, Any]) -> str:
    """Return the line of an image in the list, as plain text."""
    name = shown["title"] or shown["reference"]
    more = [f"{shown['size_bytes'] / 1e6:.0f} MB"] if shown["size_bytes"] else []
    more += [*shown["kernels"], *(badge["text"] for badge in shown["badges"])]
    return ", ".join([f"{name} — {'on the cluster' if shown['on_cluster'] else 'not on the cluster yet'}", *more])


def about_image(shown: Mapping[str, Any]) -> str:
    """Return what else is known of an image."""
    return help_text(". ".join(filter(None, (shown.get("reference"), shown.get("description")))))


def preview(found: Preview) -> str:
    """Return what would be submitted."""
    rows = [
        ("Command", f"<code>{_text(found.command)}</code>" if found.command else "none can be drawn yet"),
        ("Expected start", _text(moment(found.expected_start))),
        ("Cost", _text(cost(found.cost))),
        ("Image", "" if found.image_here else "is not on the cluster: it is fetched first"),
        ("Chosen for you", "<br>".join(_text(reason) for reason in found.reasons)),
    ]
    body = "".join(f"<dt><b>{name}</b></dt><dd>{value}</dd>" for name, value in rows if value)
    return f'<div role="status" aria-label="What would be submitted"><dl style="margin:0">{body}</dl></div>'


def question(found: Preview) -> str:
    """Return what is asked before a click submits anything."""
    kind = SCHEDULERS.get(found.scheduler, found.scheduler)
    more = [each for each in (cost(found.cost), moment(found.expected_start)) if each]
    asked = f"Submit this as a {kind} job?" + (f" It costs {more[0]}." if found.cost else "")
    start = f"<br>Expected start: {_text(more[-1])}." if found.expected_start else ""
    return f'<div role="alert">{_text(asked)}{start}<br><code>{_text(found.command)}</code></div>'


def job(view: LaunchView, *, now: datetime.datetime | None = None) -> str:
    """Return the state of a job in words."""
    kind = SCHEDULERS.get(view.scheduler, view.scheduler)
    rows = [
        ("State", state(view, now=now)),
        ("Job", f"{kind} job {view.job}" if view.job else ""),
        ("Image", view.image),
        ("Nodes", view.nodes),
        ("Expected start", moment(view.expected_start) if view.state == "pending" else ""),
        ("What happens", view.message),
        ("Error", str(read(view.error)) if view.error else ""),
    ]
    body = "".join(f"<dt><b>{name}</b></dt><dd>{_lines(value)}</dd>" for name, value in rows if value)
    return f'<div role="status" aria-label="State of the job"><dl style="margin:0">{body}</dl></div>'


def state(view: LaunchView, *, now: datetime.datetime | None = None) -> str:
    """Return ``Running on n1, 58 min left``, ``Pending (Resources)``, …"""
    text = STATES.get(view.state, view.state)
    if view.state == "running":
        left = _minutes_left(view.end_time, now or datetime.datetime.now())
        text += f" on {view.nodes}" if view.nodes else ""
        text += f", {minutes_text(left) if left else 'less than 1 min'} left" if left is not None else ""
    elif view.state == "pending" and view.reason:
        text += f" ({view.reason})"
    elif view.state == "ended" and view.ending and ending_text(view.ending):
        text += f" ({ending_text(view.ending)})"
    return text


def moment(text: str | None) -> str:
    """Return a local time as people write it, "" for none."""
    if not text:
        return ""
    try:
        return datetime.datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""


def _minutes_left(end: str | None, now: datetime.datetime) -> int | None:
    try:
        return None if not end else max(0, int((datetime.datetime.fromisoformat(end) - now).total_seconds() // 60))
    except (ValueError, TypeError):
        return None


def _text(text: str) -> str:
    return html.escape(text)


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
