"""What a Jupyter server's event stream says, for tests of our own events."""

import json
import time

import websocket

PATIENCE_S = 30
SCHEMAS = "https://jupyter-hpcctr.github.io/schemas"


class Events:
    """The WebSocket that a page has open; use as a context."""

    def __init__(self, server):
        self._socket = websocket.create_connection(
            f"{server.url.replace('http', 'ws', 1)}/api/events/subscribe",
            header=[f"Authorization: token {server.token}"],
            timeout=PATIENCE_S,
        )
        self.seen = []

    def until(self, kind, wanted, *, timeout=PATIENCE_S):
        """Return the first event of a kind (``job``, ``pull``) that ``wanted`` says yes to."""
        until = time.monotonic() + timeout
        while True:
            self._socket.settimeout(max(until - time.monotonic(), 0.01))
            try:
                said = json.loads(self._socket.recv())
            except websocket.WebSocketTimeoutException:
                raise AssertionError(f"not in {timeout} s; there came {self.seen}") from None
            if said["schema_id"] == f"{SCHEMAS}/{kind}/v1":
                self.seen.append(said)
                if wanted(said):
                    return said

    def job(self, wanted, *, timeout=PATIENCE_S):
        """Return what is said of the first job that ``wanted`` says yes to."""
        return self.until("job", lambda said: wanted(said["job"]), timeout=timeout)["job"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
