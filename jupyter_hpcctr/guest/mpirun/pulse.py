"""How the panel of ``%mpirun panel`` learns of the ranks: a second connection to the hub, which answers at any time."""

from __future__ import annotations

import os
import time

from .client import Client
from .errors import HubGoneError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    World = dict[str, Any]

PATIENCE_S = 10.0


class Pulse:
    """The panel's own connection to the hub: asked without waiting, and read without waiting.

    ``directory`` says where the sockets of the hub are, which may be another one each time.
    """

    def __init__(self, directory: Callable[[], str]) -> None:
        self._directory = directory
        self._client = Client(directory)
        self._asked: float | None = None
        self._number = 0

    def now(self) -> World:
        """Ask and wait; a hub that is not there has no ranks. It answers at once, also while a cell runs."""
        self._asked = None  # what comes from before is overtaken
        if not self._there():
            return {"state": "none"}
        client = Client(self._directory)
        try:
            world: World = client.request("status").get("world") or {}
        except HubGoneError:
            return {"state": "none"}
        finally:
            client.close()
        return world

    def interrupt(self) -> None:
        """Interrupt what runs on the ranks. Raises ``HubGoneError``."""
        client = Client(self._directory)
        try:
            client.connect()
            client.send("interrupt", {})
            client.request("status")  # answered behind it
        finally:
            client.close()

    @property
    def waits(self) -> bool:
        """Whether an answer is on its way."""
        return self._asked is not None

    def latest(self) -> World | None:
        """Return the state that has come, None where there is no news; ask where nothing is on its way."""
        if not self._there():
            return {"state": "none"}
        try:
            self._client.connect()
            world = None
            while (message := self._client.receive(0)) is not None:
                if self._asked is not None and message[0].get("id") == self._number:
                    world, self._asked = message[0].get("world"), None
            if world is None and (self._asked is None or time.monotonic() - self._asked > PATIENCE_S):
                self._asked, self._number = time.monotonic(), self._client.send("status", {})
        except HubGoneError:
            self._asked = None
            self._client.close()
            return {"state": "none"}
        return world

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _there(self) -> bool:
        return os.path.exists(os.path.join(self._directory(), "ranks"))


class Said:
    """What the hub says while it does what a button has asked for (in the place of a cell's ``View``)."""

    def __init__(self, show: Any) -> None:
        self.lines: list[str] = []
        self.failures: list[Any] = []
        self.gone: list[Any] = []
        self._show = show

    def handle(self, event: dict[str, Any], _buffers: list[Any]) -> None:
        """Take an event of the request; what goes by is shown, what is to be known is kept."""
        if event.get("event") == "notice":
            self._show(str(event["text"]))
            if not event.get("fleeting"):
                self.lines.append(str(event["text"]))

    def tick(self) -> float | None:
        """Nothing has to be done in time."""
        return None

    def close(self) -> None:
        """Nothing is kept open."""
