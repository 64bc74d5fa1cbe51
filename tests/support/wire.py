"""A TCP proxy between two ends, which can be cut, reset, stopped and mended."""

import contextlib
import socket
import struct
import threading
from unittest import mock

from jupyter_hpcctr import compose

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Wire:
    """Listens on ``address``; what comes is passed to ``target``, which may be set later.

    ``cut`` ends all connections and refuses new ones, ``reset`` ends them by RST and takes new ones,
    ``stop`` lets nothing through while all stay open, as when packets are dropped; ``mend`` undoes each.
    """

    def __init__(self, target=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.target = target
        self.accepted = 0
        self._open = True
        self._flows = threading.Event()
        self._flows.set()
        self._ends = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            if not self._open:
                inner.close()
                continue
            try:
                outer = socket.create_connection(self.target)
            except OSError:
                inner.close()
                continue
            self.accepted += 1
            with self._lock:
                self._ends += [inner, outer]
            for one, other in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one, other):
        try:
            while data := one.recv(65536):
                self._flows.wait()
                other.sendall(data)
        except OSError:
            pass
        finally:
            for each in (one, other):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _end(self, *, reset):
        with self._lock:
            ends, self._ends = self._ends, []
        for each in ends:
            with contextlib.suppress(OSError):
                if reset:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    each.close()
                else:
                    each.shutdown(socket.SHUT_RDWR)
            if not reset:
                each.close()

    def cut(self):
        self._open = False
        self._end(reset=False)

    def reset(self):
        self._end(reset=True)

    def stop(self):
        self._flows.clear()

    def mend(self):
        self._open = True
        self._flows.set()

    def close(self):
        self.cut()
        self._flows.set()
        self.listener.close()


@contextlib.contextmanager
def between_link_and_agents():
    """Yield a wire through which the agents of all kernels connect that this process starts meanwhile."""
    made, original = Wire(), compose.Hub.endpoint

    async def endpoint(hub, name):
        host, _, port = (await original(hub, name)).removeprefix("tcp://").rpartition(":")
        made.target = (host, int(port))
        return made.address

    with mock.patch.object(compose.Hub, "endpoint", endpoint):
        yield made
    made.close()
