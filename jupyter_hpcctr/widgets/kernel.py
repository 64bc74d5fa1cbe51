"""A kernel in a container, started and used from a notebook's own code."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from .. import kernelspecs
from ..core.request import KernelRequest, parse
from ..errors import LaunchError
from ..launch.view import LaunchView
from . import outputs
from .home import Home

TURN_S = 0.1
READY_S = 60.0


class Kernel:
    """A kernel of a request, which is submitted at once; a context manager that ends it.

    Parameters
    ----------
    request : KernelRequest or mapping
        What is asked for; a mapping is read as ``core.request.parse`` reads it.
    cwd : str, optional
        Where it starts; the directory of this process if not given.
    home : Home, optional
        That of the widgets that show it.

    Raises
    ------
    HpcctrError
        The request was refused; nothing is left behind.
    """

    def __init__(
        self, request: KernelRequest | Mapping[str, object], *, cwd: str | None = None, home: Home | None = None
    ) -> None:
        self.request = request if isinstance(request, KernelRequest) else parse(request)
        self._home = home or Home()
        self._client: BlockingKernelClient | None = None
        self._seen = LaunchView("", state="gone")
        self.name, _ = kernelspecs.keep(self.request, saved=False)
        self._manager: Any = KernelManager(kernel_name=self.name)
        self._manager.start_kernel(cwd=cwd or self._home.directory)

    @property
    def kernel_id(self) -> str:
        """The id that Jupyter knows it by."""
        return str(self._manager.kernel_id)

    @property
    def status(self) -> LaunchView:
        """What is known of its launch now; its ``state`` is "gone" after ``shutdown``."""
        found = next((view for view in self._home.hub.views() if view.kernel_id == self.kernel_id), None)
        self._seen = found or dataclasses.replace(self._seen, state="gone")
        return self._seen

    def execute(self, code: str, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Run a cell; its output appears in the cell that runs here, and the reply's content is returned.

        A kernel whose job still waits is waited for, as a notebook's cell does. Interrupting the calling cell
        interrupts the kernel's.

        Raises
        ------
        LaunchError
            The kernel has been shut down.
        TimeoutError
            It took longer than ``timeout_s`` seconds; the cell goes on.
        KeyboardInterrupt
            The calling cell was interrupted.
        """
        client = self._connected()
        asked = client.execute(code, allow_stdin=False)
        until = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = _Waiting(client, asked, self._home)
        interrupted = False
        while not waiting.done:
            try:
                waiting.turn()
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                self.interrupt()
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"the cell has not ended in {timeout_s:g} s; it goes on in the kernel")
        if interrupted:
            raise KeyboardInterrupt
        return waiting.reply

    def interrupt(self) -> None:
        """Interrupt the cell that runs; cells that wait for the kernel are aborted."""
        self._alive().interrupt_kernel()

    def restart(self) -> None:
        """Start the kernel anew, in its job while there is one, else in a new job."""
        self._alive().restart_kernel()

    def shutdown(self) -> None:
        """End the kernel and its job; nothing if that has been done."""
        if self._client is not None:
            self._client.stop_channels()
            self._client = None
        if self._manager.has_kernel:
            self._manager.shutdown_kernel()

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the kernel and its job."""
        self.shutdown()

    def __repr__(self) -> str:
        view = self.status
        job = f", job {view.job}" if view.job else ""
        return f"<Kernel {self.name}: {view.state}{job}>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        from .status import JobStatus

        display(JobStatus(self))  # type: ignore[no-untyped-call]

    def _alive(self) -> Any:
        if not self._manager.has_kernel:
            raise LaunchError("this kernel has been shut down", hint="start another one")
        return self._manager

    def _connected(self) -> BlockingKernelClient:
        manager = self._alive()
        if self._client is None:
            client: BlockingKernelClient = manager.client()
            client.start_channels()
            try:
                client.wait_for_ready(timeout=READY_S)  # answered before there is a kernel, too
            except BaseException:
                client.stop_channels()
                raise
            self._client = client
        return self._client


class _Waiting:
    """One execute request on its way to its reply and to the idle state that ends its output."""

    def __init__(self, client: BlockingKernelClient, asked: str, home: Home) -> None:
        self.reply: dict[str, Any] = {}
        self._client, self._asked, self._home = client, asked, home
        self._idle = False

    @property
    def done(self) -> bool:
        """Whether all has come."""
        return self._idle and bool(self.reply)

    def turn(self) -> None:
        """Wait for a moment, and show what has come."""
        self._home.drain()
        with contextlib.suppress(queue.Empty):
            message = self._client.get_iopub_msg(timeout=TURN_S)
            if message["parent_header"].get("msg_id") == self._asked:
                content = message["content"]
                self._idle = self._idle or content.get("execution_state") == "idle"
                outputs.show(message)
            return
        with contextlib.suppress(queue.Empty):
            message = self._client.get_shell_msg(timeout=0)
            if message["parent_header"].get("msg_id") == self._asked:
                self.reply = message["content"]
