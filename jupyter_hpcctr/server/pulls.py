"""Images that are fetched because somebody asked for them before any kernel did."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from ..core.facts import Policy
from ..core.pulling import figures
from ..core.request import ImageRef, KernelRequest
from ..core.resolve import precheck
from ..core.seams import ImageStore
from ..edge.loop import in_own_thread
from ..errors import HpcctrError, PullCancelled
from .errors import NotHere
from .pace import Pace

PACE_S = 1.0
AT_ONCE = 2


def allowed(ref: ImageRef, policy: Policy) -> None:
    """Raise ``PolicyError`` where the site does not allow an image."""
    engine = next((name for name in policy.engines if name != policy.plain_engine), None)
    precheck(KernelRequest(image=ref, engine=engine), policy)


class Pulls:
    """Fetches in the background, and tells how far each is. Used in the server's loop.

    Parameters
    ----------
    store : ImageStore
        Where images are kept.
    policy : Policy
        Which of them are allowed.
    tell : callable
        Sends the data of an event.
    """

    def __init__(self, store: ImageStore, policy: Policy, tell: Callable[[dict[str, Any]], None]) -> None:
        self._store, self._policy, self._tell = store, policy, tell
        self._pace = Pace(self._announce, PACE_S)
        self._news: dict[str, dict[str, Any]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    def start(self, reference: str) -> None:
        """Begin to fetch an image, unless that is going on already.

        Raises
        ------
        RequestError
            It is not an image's name.
        PolicyError
            The site does not allow this image.
        """
        ref = ImageRef(reference)
        allowed(ref, self._policy)
        if reference in self._running:
            return
        self._note(reference, "running", step="waiting")
        task = asyncio.get_running_loop().create_task(self._pull(ref))
        self._running[reference] = task
        task.add_done_callback(lambda _: self._running.pop(reference))

    async def _pull(self, ref: ImageRef) -> None:
        loop, over = asyncio.get_running_loop(), threading.Event()

        def report(step: str) -> None:
            if over.is_set():
                raise PullCancelled(f"{ref.text} is no longer fetched")
            loop.call_soon_threadsafe(self._step, ref.text, step)

        try:
            async with self._room:
                await in_own_thread(self._store.pull, ref, report)
        except asyncio.CancelledError:
            self._note(ref.text, "cancelled")
        except HpcctrError as error:
            self._note(ref.text, "failed", message=str(error))
        except Exception as error:
            self._note(ref.text, "failed", message=f"{error!r}")
            raise
        else:
            self._note(ref.text, "done")
        finally:
            over.set()

    def cancel(self, reference: str) -> None:
        """Cancel fetching an image. Raises ``NotHere`` where nobody has asked for it."""
        if reference not in self._running:
            raise NotHere(f"{reference} is not being fetched", hint="it may have arrived meanwhile")
        self._running[reference].cancel()

    def left_s(self, reference: str) -> float | None:
        """Return in how many seconds an image will be there, None where it is not fetched or nobody can tell."""
        left = self._news.get(reference, {}).get("left_s")
        return None if left is None else float(left)

    def _step(self, reference: str, step: str) -> None:
        if self._news.get(reference, {}).get("state") == "running":
            self._note(reference, "running", step=step)

    def _note(self, reference: str, state: str, *, step: str = "", message: str = "") -> None:
        self._news[reference] = {"reference": reference, "state": state, **figures(step), "message": message}
        self._pace.touch(reference)

    def _announce(self, reference: str) -> None:
        news = self._news[reference]
        if news["state"] != "running":
            del self._news[reference]
        self._tell(news)
