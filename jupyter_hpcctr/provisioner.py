"""The kernel provisioner: jupyter_client's contract on one side, a ``Launch`` on the other.

Its only trait is ``request``, the user's; the site's policy is not to be had here, because
jupyter_client hands whatever a kernelspec's ``config`` holds to this class's traits.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
from typing import Any

import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Dict

from . import compose
from .core.request import parse
from .edge.sockets import Curve
from .errors import HpcctrError, RequestError
from .launch import Hub, Launch
from .launch.gather import said
from .launch.record import Kernel


class HpcctrProvisioner(KernelProvisionerBase):  # type: ignore[misc,unused-ignore]
    """Starts kernels in containers through the site's scheduler.

    A kernelspec names it in ``metadata.kernel_provisioner`` with
    ``{"provisioner_name": "hpcctr", "config": {"request": {…}}}``.
    """

    request = Dict(help="What is asked for: image, engine, scheduler and sbatch(1)'s names of resources.").tag(
        config=True
    )

    launch: Launch | None = None
    _hub: Hub | None = None
    _hears_of_death = False

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel, or a job that will become one."""
        return self.launch is not None

    async def poll(self) -> int | None:
        """Return None while the kernel is alive or awaited, else its exit status; from memory."""
        return 0 if self.launch is None else self.launch.exit_code

    async def wait(self) -> int | None:
        """Wait until the kernel's process has ended."""
        launch = self.launch
        while launch is not None and launch.exit_code is None:  # noqa: ASYNC110  (another loop's)
            await asyncio.sleep(0.02)
        return None if launch is None else launch.exit_code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel, wherever it runs; SIGINT while it is awaited aborts waiting cells."""
        if self.launch is not None and self._hub is not None and signum:
            launch = self.launch
            # jupyter_client interrupts a kernel that it is going to shut down.
            ending = bool(getattr(self.parent, "shutting_down", False))
            self._hub.edge.post(lambda: launch.signal(signum, ending=ending))

    async def kill(self, restart: bool = False) -> None:
        """End the kernel's process; its job goes on until ``cleanup`` says that nothing follows."""
        self._end(signal.SIGKILL, restart=restart)

    async def terminate(self, restart: bool = False) -> None:
        """End the kernel's process, politely."""
        self._end(signal.SIGTERM, restart=restart)

    def _end(self, signum: int, *, restart: bool) -> None:
        if self.launch is not None and self._hub is not None:
            launch = self.launch
            self._hub.edge.post(lambda: launch.kill(signum, restart=restart))

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Parse the request before anything is started; raises ``RequestError``, or ``ConfigurationError``."""
        if self.launch is None:
            hub = self._hub = self._here()
            hub.recorder.asked()
            await asyncio.to_thread(hub.changed)
            try:
                parse(self.request)
            except RequestError as error:
                self._forget_failed_start(hub, error)
                raise
        kwargs.setdefault("cmd", [])
        if self.parent is not None and self.parent.has_trait("last_activity"):
            # jupyter_server lists a kernel a moment before it sets this, and until then cannot list any.
            self.parent.last_activity = datetime.datetime.now(datetime.timezone.utc)
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Submit, or start again in the job that is there, and return the front's address at once.

        Raises
        ------
        HpcctrError
            The request was refused; the message says by whom and what to do.
        """
        if self.launch is not None and self._hub is not None:
            try:
                with said():
                    await self._hub.edge.call(self.launch.start_again())
            except HpcctrError as error:
                self._hub.recorder.refused(error, str(self.kernel_id or ""))
                raise
            return self.launch.connection_info  # type: ignore[return-value]
        hub = self._hub = self._hub or self._here()
        cwd = str(kwargs.get("cwd") or os.getcwd())  # noqa: PTH109
        curve, kernel = self._curve(), self._kernel()
        was = hub.claimed.pop(kernel.id, None)

        async def start() -> Launch:
            if was is not None:
                return await Launch.go_on(hub, *was, kernel=kernel, curve=curve)
            launch = Launch(hub, parse(self.request), cwd=cwd, curve=curve, kernel=kernel)
            await launch.start()
            return launch

        try:
            with said():
                self.launch = await hub.edge.call(start())
        except BaseException as error:
            self._forget_failed_start(hub, error)
            raise
        self.connection_info = self.launch.connection_info  # type: ignore[assignment]
        return self.connection_info

    def _kernel(self) -> Kernel:
        """Say what Jupyter knows the kernel by, and which server has it."""
        servers = getattr(self.parent, "parent", None)
        name = str(getattr(self.parent, "kernel_name", "") or "")
        return Kernel.here(str(self.kernel_id or ""), name, str(getattr(servers, "root_dir", "") or ""))

    def _curve(self) -> Curve | None:
        """Make keys for the front where Jupyter's ``transport_encryption`` wants them, as ``LocalProvisioner`` does."""
        asked = getattr(self.parent, "transport_encryption", "disabled")
        declared = "curve" in self.kernel_spec.metadata.get("supported_encryption", ())
        return Curve(*zmq.curve_keypair()) if asked == "required" or (asked == "auto" and declared) else None

    def _here(self) -> Hub:
        """Return this process's hub; raises ``ConfigurationError``."""
        try:
            return compose.here(getattr(self.parent, "config", None))
        except HpcctrError:
            self._forget_pending()
            raise

    def _forget_failed_start(self, hub: Hub, error: BaseException) -> None:
        hub.recorder.refused(error, str(self.kernel_id or ""))
        self._forget_pending()

    def _forget_pending(self) -> None:
        # jupyter_client 8.10 keeps a start that failed in _pending_kernels; then shutdown_all() of a server
        # raises 404 for it before the healthy kernels are waited for, and the server never ends.
        pending = getattr(getattr(self.parent, "parent", None), "_pending_kernels", {})
        pending.pop(self.kernel_id, None)

    async def post_launch(self, **kwargs: Any) -> None:
        """Hear of it when jupyter_client gives a kernel up, for then it calls no provisioner any more."""
        restarter = getattr(self.parent, "_restarter", None)
        if restarter is not None and not self._hears_of_death:
            self._hears_of_death = True
            restarter.add_callback(self._given_up, "dead")

    def _given_up(self) -> None:
        launch, hub = self.launch, self._hub
        if launch is not None and hub is not None:
            hub.edge.post(lambda: asyncio.ensure_future(launch.stop()))

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Expect the kernel's end; its message reaches the kernel by the front."""
        if self.launch is not None and self._hub is not None:
            launch = self.launch
            self._hub.edge.post(lambda: launch.shutdown(restart=restart))

    async def cleanup(self, restart: bool = False) -> None:
        """End the job unless a restart follows."""
        if not restart and self.launch is not None and self._hub is not None:
            launch, self.launch = self.launch, None
            await self._hub.edge.call(launch.stop())

    async def get_provisioner_info(self) -> dict[str, Any]:
        """Return what is worth knowing of the launch: job, node phases in seconds, reasons."""
        info = await super().get_provisioner_info()
        if self.launch is not None:
            plan = self.launch.plan
            info["job"] = self.launch.job
            info["phases"] = dict(self.launch.phases)
            info["reasons"] = [] if plan is None else list(plan.reasons)
        return info

    def resolve_path(self, path: str) -> str | None:
        """Return the absolute path by which the kernel knows a file, None where it is not found."""
        return None if self.launch is None else self.launch.resolve_path(path)

    def get_shutdown_wait_time(self, recommended: float = 5.0) -> float:
        """Give the message time to cross the cluster's network."""
        return max(recommended, 10.0)
