"""Requests: what would become of one, and those that are kept as kernelspecs, which any client starts by name."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .. import kernelspecs
from ..core.adapt import adapt
from ..core.facts import Site
from ..core.request import KernelRequest, to_dict
from ..core.resolve import precheck
from ..edge.loop import in_thread
from ..errors import EngineError, HpcctrError, ImageError, PolicyError, RequestError, SubmitRefused
from ..launch import Hub, Preview
from ..offers.words import form_words, moment
from .document import asked
from .errors import NotHere
from .offers import Offers

REFUSALS = (RequestError, PolicyError, EngineError, ImageError, SubmitRefused)
"""What a form shows beside its fields; anything else is an error of the answer."""


class Requests:
    """Previews, and the kernelspecs that requests are kept in.

    Parameters
    ----------
    hub : Hub
        Which draws the previews.
    offers : Offers
        Which knows the sites.
    fetched_in : callable
        Gives the seconds until an image that is being fetched is there, None where nobody can tell.
    cwd : str
        Where kernels are started.
    """

    def __init__(self, hub: Hub, offers: Offers, fetched_in: Callable[[str], float | None], *, cwd: str) -> None:
        self._hub, self._offers, self._fetched_in, self._cwd = hub, offers, fetched_in, cwd

    async def plan(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Say what a request would come to; one that is refused is answered with the field at fault."""
        raw: Mapping[str, Any] = body["request"]
        reasons: tuple[str, ...] = ()
        try:
            request = asked(raw)
            if body.get("adapt"):
                sites = {n: s for n, s in (await self._offers.sites()).items() if isinstance(s, Site)}
                request, reasons = adapt(request, sites, self._hub.policy)
            raw = form_words(to_dict(request))
            preview = await self._hub.edge.call(self._hub.preview(request, cwd=self._cwd))
        except REFUSALS as error:
            problem = {"field": error.field, "message": error.message, "hint": error.hint}
            return {**_previewed(Preview(image_here=False)), "request": raw, "reasons": reasons, "problems": [problem]}
        wait_s = None if preview.image_here or request.image is None else self._fetched_in(request.image.text)
        said = {**_previewed(preview), "request": raw, "reasons": [*reasons, *preview.reasons]}
        return said | {"expected_start": _not_before(said["expected_start"], wait_s)}

    async def kept(self) -> dict[str, Any]:
        """Return the requests that there are kernelspecs of."""
        found = await in_thread(kernelspecs.ours)
        return {"requests": [_kept(name, each["spec"]) for name, each in sorted(found.items())]}

    async def keep(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write a request's kernelspec; the same request has the same one, and a saved one stays saved.

        Raises
        ------
        RequestError
            It cannot be understood.
        PolicyError
            The site does not allow it.
        """
        request = asked(body["request"])
        precheck(request, self._hub.policy)
        return await in_thread(_keep, request, body.get("display_name"), bool(body.get("saved", False)))

    async def forget(self, name: str) -> None:
        """Remove a kernelspec. Raises ``NotHere``, or ``PolicyError`` where it is not the user's own."""
        await in_thread(_forget, name)

    async def collect(self, in_use: Callable[[], Collection[str]]) -> tuple[str, ...]:
        """Remove the kernelspecs that were made for one start long ago."""
        return await in_thread(kernelspecs.collect, frozenset(in_use()), self._hub.policy.one_off_days)


def _keep(request: KernelRequest, display_name: str | None, saved: bool) -> dict[str, Any]:
    try:
        return _kept(*kernelspecs.keep(request, display_name, saved=saved))
    except OSError as error:
        raise _unwritable(error) from error


def _forget(name: str) -> None:
    if name not in kernelspecs.ours():
        raise NotHere("there is no such request", hint="it may have been removed already")
    try:
        kernelspecs.remove(name)
    except RequestError as error:
        raise NotHere(error.message) from error
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> HpcctrError:
    return PolicyError(
        f"the kernelspec cannot be changed: {error.strerror}",
        hint="one that the administrator has installed is not yours to change",
    )


def _kept(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "display_name": spec["display_name"],
        "saved": kernelspecs.is_saved(spec),
        "request": form_words(kernelspecs.request_of(spec)),
        "created": moment(kernelspecs.created(spec)),
    }


def _not_before(start: str | None, wait_s: float | None) -> str | None:
    """Return a start that is no earlier than some seconds from now: a job is submitted when its image is there."""
    if start is None or wait_s is None:
        return start
    ready = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=wait_s)
    return start if datetime.datetime.fromisoformat(start) >= ready else ready.isoformat(timespec="seconds")


def _previewed(preview: Preview) -> dict[str, Any]:
    cost = preview.cost
    starts = moment(preview.expected_start)
    return {
        "command": preview.command or None,
        "script": preview.script or None,
        "engine": preview.engine or None,
        "scheduler": preview.scheduler or None,
        "resources": dict(preview.resources),
        "reasons": list(preview.reasons),
        "problems": [{"field": p.field, "message": p.message, "hint": p.hint} for p in preview.problems],
        "expected_start": starts,
        "expected_start_source": preview.scheduler if starts else None,
        "cost": None
        if cost is None
        else {"amount": cost.amount, "unit": cost.unit, "billing": cost.billing, "hours": cost.hours},
        "image_on_cluster": preview.image_here,
    }
