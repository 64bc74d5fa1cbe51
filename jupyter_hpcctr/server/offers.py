"""What the form and the image picker offer: schedulers, limits, images; all of it from caches where there are any."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Collection
from typing import Any

from ..core.facts import Changed, Partition, Policy, Site
from ..core.request import ImageRef
from ..edge.loop import in_own_thread, in_thread
from ..errors import HpcctrError
from ..launch import Hub
from ..offers import found as of_site
from ..offers import gallery
from ..offers.form import form
from ..offers.words import moment
from .caches import Kept
from .pulls import allowed

FRESH_S, STALE_S = 30.0, 300.0
REFRESH_S = 14.0
"""Open forms ask every 15 seconds; however many they are, the schedulers are asked at most this often."""
FOUND_FRESH_S = 60.0
SEARCHES = 32
Checked = dict[str, Any]
Found = tuple[tuple[str, ...], list[dict[str, str]]]


class Offers:
    """Answers to ``options`` and ``images``, in the server's loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._policy = hub, hub.policy
        self._options: Kept[dict[str, Any]] = Kept(self._made_anew, fresh_s=FRESH_S, stale_s=STALE_S)
        self._searches: dict[str, Kept[Found]] = {}
        self._checks: dict[str, Kept[Checked]] = {}
        self._anew = False

    async def options(self, *, refresh: bool = False) -> tuple[dict[str, Any], str]:
        """Return what can be asked for, and the entity tag of that.

        With ``refresh`` the schedulers' answers are at most ``REFRESH_S`` old. ``age_s`` is that of the oldest answer.
        """
        self._anew = self._anew or refresh
        made, _ = await self._options.get(anew=refresh)
        return {**made["body"], "age_s": round(time.monotonic() - made["asked"], 1)}, made["etag"]

    async def _made_anew(self) -> dict[str, Any]:
        anew, self._anew = self._anew, False
        found = await self.sites(max_age_s=REFRESH_S if anew else FRESH_S)
        asked = min((self._hub.asked(name) for name in found), default=time.monotonic())
        changed = await in_thread(self._hub.changed)
        body = options(self._policy, found, changed=changed, imageless=self._imageless())
        text = json.dumps(body, sort_keys=True).encode()
        return {"body": body, "asked": asked, "etag": f'"{hashlib.sha256(text).hexdigest()[:32]}"'}

    def _imageless(self) -> list[str]:
        found = []
        for name in self._policy.engines:
            with contextlib.suppress(HpcctrError):  # one that is not installed is refused when it is asked for
                found += [name] if "none" in self._hub.engine(name).accepts else []
        return found

    async def sites(self, *, max_age_s: float = FRESH_S) -> dict[str, Site | HpcctrError]:
        """Return what each scheduler says of itself, or why it does not."""
        names = self._policy.schedulers
        answers = await asyncio.gather(
            *(self._hub.edge.call(self._hub.site(name, max_age_s=max_age_s)) for name in names), return_exceptions=True
        )
        found: dict[str, Site | HpcctrError] = {}
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, HpcctrError):
                raise answer
            found[name] = answer
        return found

    async def images(self, text: str) -> dict[str, Any]:
        """Return the images that can be chosen; with a text also those of the site's registries."""
        text = " ".join(text.split())
        found: tuple[str, ...] = ()
        problems: list[dict[str, str]] = []
        if text and self._policy.registries:
            found, problems = await self._search(text)
        recent = await in_thread(gallery.recent, self._hub.store)
        shown, more = await in_thread(gallery.gallery, self._hub.store, self._policy, recent, found, text)
        return {"images": shown, "problems": [*problems, *more]}

    async def _search(self, text: str) -> Found:
        key = text.casefold()
        if key not in self._searches:
            while len(self._searches) >= SEARCHES:
                del self._searches[next(iter(self._searches))]
            self._searches[key] = Kept(lambda: self._found(text), fresh_s=FOUND_FRESH_S, stale_s=FOUND_FRESH_S)
        (found, problems), _ = await self._searches[key].get()
        if problems:  # may be over in a moment
            self._searches.pop(key, None)
        return found, problems

    async def check(self, reference: str) -> dict[str, Any]:
        """Say whether there is an image of this name, and what is like it where there is none.

        Raises
        ------
        RequestError
            It is not an image's name.
        PolicyError
            The site does not allow this image.
        """
        ref = ImageRef(reference)
        allowed(ref, self._policy)
        if ref.text not in self._checks:
            while len(self._checks) >= SEARCHES:
                del self._checks[next(iter(self._checks))]
            self._checks[ref.text] = Kept(lambda: self._checked(ref), fresh_s=FOUND_FRESH_S, stale_s=FOUND_FRESH_S)
        checked, _ = await self._checks[ref.text].get()
        if not checked["found"]:  # may be there in a moment
            self._checks.pop(ref.text, None)
        return checked

    async def _checked(self, ref: ImageRef) -> Checked:
        return await in_own_thread(gallery.check, self._hub.store, self._policy, ref)

    async def _found(self, text: str) -> Found:
        return await in_own_thread(gallery.search, self._hub.store, text)


def options(
    policy: Policy,
    found: dict[str, Site | HpcctrError],
    *,
    changed: Changed | None = None,
    imageless: Collection[str] = (),
) -> dict[str, Any]:
    """Return what can be asked for; pure.

    ``changed``: the site's configuration is another one by now; ``imageless`` are the engines that need no image.
    """
    return {
        "schedulers": [_scheduler(name, answer, policy) for name, answer in found.items()],
        "engines": list(policy.engines),
        "imageless": list(imageless),
        "default_engine": policy.default_engine,
        "limits": {"max_nodes": policy.max_nodes, "max_time_minutes": policy.max_time_minutes},
        "currency": policy.currency,
        "priced": bool(policy.prices),
        "changed": None if changed is None else _changed(changed),
    }


def _changed(changed: Changed) -> dict[str, Any]:
    return {
        "at": moment(changed.at),
        "settings": list(changed.settings),
        "message": changed.message,
        "hint": "restart the server to use it",
    }


def _scheduler(name: str, answer: Site | HpcctrError, policy: Policy) -> dict[str, Any]:
    site = answer if isinstance(answer, Site) else Site(name)
    return {
        "name": name,
        "is_default": name == policy.default_scheduler,
        "version": site.version,
        "problem": None if isinstance(answer, Site) else str(answer),
        "partitions": [_partition(each) for each in site.partitions],
        "accounts": [{"name": a.name, "qos": list(a.qos), "is_default": a.is_default} for a in site.accounts],
        "qos": of_site.services(site),
        "infiniband": of_site.infiniband(site, policy),
        "form": form(site, policy),
    }


def _partition(partition: Partition) -> dict[str, Any]:
    return {
        "name": partition.name,
        "is_default": partition.is_default,
        "is_up": partition.is_up,
        "nodes_total": partition.nodes_total,
        "nodes_idle": partition.nodes_idle,
        "cpus_per_node": partition.cpus_per_node,
        "cpus_idle": partition.cpus_idle,
        "mem_mb_per_node": partition.mem_mb_per_node,
        "gpus": [{"type": kind, "per_node": count, "idle": idle} for kind, count, idle in of_site.gpus(partition)],
        "features": list(partition.features or ()),
        "time_limit_minutes": partition.time_limit_minutes,
        "max_nodes": partition.max_nodes,
    }
