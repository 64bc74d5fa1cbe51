"""What a kernel is taken for while it is awaited: by jupyter_server's culler, JupyterLab, VS Code and consoles.

The culling code is jupyter_server's own, and reads a real front. What clients make of a status is as they do it:
JupyterLab leaves out what concerns requests that the server does not track, VS Code takes the last one.
"""

import asyncio
from datetime import timedelta

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from support.front import KEY

from jupyter_hpcctr.edge import answers
from jupyter_hpcctr.edge import front as module
from jupyter_hpcctr.guest import wire

IDLE_S = 60
ANSWERED = {
    "kernel_info_request": {},
    "complete_request": {"code": "x", "cursor_pos": 1},
    "inspect_request": {"code": "x", "cursor_pos": 1},
    "history_request": {},
    "is_complete_request": {"code": "x"},
    "comm_info_request": {},
}
UNTRACKED = AsyncMappingKernelManager().untracked_message_types
IDLE = {"execution_state": "idle"}
CLIENTS = {
    "JupyterLab": lambda parent_type: parent_type not in UNTRACKED,
    "VS Code": lambda parent_type: True,
}


class Server(AsyncMappingKernelManager):
    """A Jupyter server's manager with one kernel: a front. It ends nothing, and says what it would have ended."""

    def watch(self, front):
        self.kernel = ServerKernelManager(parent=self)
        self.kernel._kernel_spec = KernelSpec()
        self.kernel.load_connection_info(front.connection_info)
        self._kernels["k"] = self.kernel
        self._kernel_connections["k"] = 0
        self.kernel.execution_state = "starting"
        self.culled, self.heard = [], []
        self.start_watching_activity("k")
        self._front = front

    def track_message_type(self, message_type):
        self.heard.append(message_type)
        return super().track_message_type(message_type)

    async def hears_all(self):
        """Wait until it has read all that was published so far."""
        marker = wire.pack(KEY, f"marker-{len(self.heard)}", {}, session="test", idents=[b"marker"])
        self._front.from_kernel("iopub", marker)
        await until(lambda: wire.unpack(KEY, marker).kind in self.heard)

    async def shutdown_kernel(self, kernel_id):
        self.culled.append(kernel_id)

    def hours_pass(self):
        self.kernel.last_activity = self.last_kernel_activity = utcnow() - timedelta(hours=5)

    @property
    def is_active(self):
        recent = utcnow() - timedelta(seconds=IDLE_S)
        return self.kernel.last_activity > recent and self.last_kernel_activity > recent

    async def culls(self):
        await self.cull_kernels()
        return self.culled == ["k"]


@pytest.fixture
def drive_server(drive):
    """Run a scenario with a front and a server that culls what is idle for a minute, connected or not."""

    def run(scenario, **settings):
        async def with_server(front, client, owner):
            server = Server(cull_idle_timeout=IDLE_S, cull_connected=True, **settings)
            server.watch(front)
            await until(lambda: "iopub_welcome" in server.heard)
            try:
                await scenario(front, client, server)
            finally:
                server.stop_watching_activity("k")
                server.kernel.context.destroy(linger=0)

        drive(with_server)

    return run


async def ask(client, kind):
    """Send a request and return when it is answered and all is published that comes with that."""
    asked = await client.send("shell", kind, ANSWERED[kind])
    await client.until("shell", kind.replace("request", "reply"))
    while (said := await client.until("iopub", "status")).parent.get("msg_id") != asked or said.content != IDLE:
        pass
    await client.until("iopub", "status")


async def until(condition):
    async def wait():
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), 10)


@pytest.mark.parametrize("kind", ANSWERED)
@pytest.mark.parametrize("cells", [0, 1, 2])
def test_a_cell_that_waits_is_never_culled_whatever_else_is_asked_meanwhile(drive_server, kind, cells):
    async def scenario(front, client, server):
        for _ in range(cells):
            await client.send("shell", "execute_request", {"code": "1"})
        await ask(client, kind)
        await server.hears_all()
        assert server.kernel.execution_state == ("busy" if cells else "idle")
        server.hours_pass()
        assert await server.culls() is (cells == 0)  # an idle one is saved by its activity: the next test

    drive_server(scenario)


@pytest.mark.parametrize("settings", [{}, {"cull_busy": True}], ids=str)
@pytest.mark.parametrize("cells", [0, 1])
def test_who_waits_hours_in_the_queue_keeps_the_job_with_and_without_cells(drive_server, monkeypatch, cells, settings):
    monkeypatch.setattr(module, "STAY_S", 0.02)

    async def scenario(front, client, server):
        for _ in range(cells):
            await client.send("shell", "execute_request", {"code": "1"})
        await until(lambda: not cells or server.kernel.execution_state == "busy")
        for _ in range(3):
            server.hours_pass()
            await until(lambda: server.is_active)
            assert not await server.culls()

    drive_server(scenario, **settings)


@pytest.mark.parametrize("how", ["ready", "ended"])
def test_a_kernel_that_is_there_or_over_is_culled_as_any_other(drive_server, monkeypatch, how):
    monkeypatch.setattr(module, "STAY_S", 0.02)

    async def scenario(front, client, server):
        server.hours_pass()
        front.ready() if how == "ready" else front.end("JobEnded", "over")
        await ask(client, "complete_request") if how == "ended" else None
        await until(lambda: server.is_active)  # its idle time begins now
        assert not await server.culls()
        server.hours_pass()
        await asyncio.sleep(0.1)  # five times what would save an awaited one
        assert await server.culls()

    drive_server(scenario)


@pytest.mark.parametrize("heeds", CLIENTS.values(), ids=CLIENTS)
def test_clients_show_an_awaited_kernel_as_idle_until_a_cell_waits_and_then_as_busy(drive, heeds):
    async def scenario(front, client, owner):
        async def shown():
            front.from_kernel("iopub", wire.pack(KEY, "marker", {}, session="test", idents=[b"marker"]))
            states = ["unknown"]
            while (message := await client.receive("iopub")).kind != "marker":
                if message.kind == "status" and heeds(message.parent.get("msg_type")):
                    states.append(message.content["execution_state"])
            return states[-1]

        async def shown_after(kind):
            await client.send("shell", kind, ANSWERED[kind])
            await client.until("shell", kind.replace("request", "reply"))
            return await shown()

        for kind in ANSWERED:  # VS Code shuts down what is never idle
            assert await shown_after(kind) == "idle"
        await client.send("shell", "execute_request", {"code": "1"})
        for kind in ANSWERED:
            assert await shown_after(kind) == "busy"
        front.abort("interrupted")
        assert await shown() == "idle"
        await client.send("shell", "execute_request", {"code": "1"})
        assert await shown_after("comm_info_request") == "busy"
        front.end("JobEnded", "over")
        assert await shown() == "idle"
        assert await shown_after("kernel_info_request") == "idle"

    drive(scenario)


def test_what_a_kernel_says_while_it_starts_does_not_hide_that_cells_wait(drive_server):
    async def scenario(front, client, server):
        await client.send("shell", "execute_request", {"code": "1"})
        await client.until("iopub", "display_data")
        for state, parent in (("starting", {}), ("busy", {"msg_type": "x"}), ("idle", {"msg_type": "x"})):
            said = wire.pack(KEY, "status", {"execution_state": state}, session="k", parent=parent, idents=[b"status"])
            front.from_kernel("iopub", said)
        text = {"name": "stdout", "text": "a start-up file prints"}
        front.from_kernel("iopub", wire.pack(KEY, "stream", text, session="k", idents=[b"stream"]))
        await server.hears_all()
        assert (await client.receive("iopub")).kind == "stream"
        assert server.kernel.execution_state == "busy"

    drive_server(scenario)


def test_a_dead_kernels_cell_shows_it_at_once_and_fails_when_the_kernel_is_started_again(drive):
    async def scenario(front, client, owner):
        front.ready()
        asked = [await client.send("shell", "execute_request", {"code": "1"}) for _ in range(2)]
        await until(lambda: len(owner.passed) == 2)
        front.died(answers.failure("KernelDied", "SIGKILL"))
        error = await client.until("iopub", "error")
        assert (error.parent["msg_id"], error.content["evalue"]) == (asked[0], "SIGKILL")
        with pytest.raises(asyncio.TimeoutError):
            await client.receive("shell", seconds=0.2)
        front.wait("KeyboardInterrupt", "the kernel was restarted")
        replies = [await client.receive("shell"), await client.receive("shell")]
        assert [(r.parent["msg_id"], r.content["status"]) for r in replies] == [
            (asked[0], "error"),
            (asked[1], "aborted"),
        ]
        assert replies[0].content["ename"] == "KernelDied"
        assert "error" not in [kind for kind, _, _ in await client.published()], "it is shown once"

    drive(scenario)


@pytest.mark.parametrize("how", ["nobody starts it again", "its job ends", "it is shut down"])
def test_a_dead_kernels_cell_gets_its_reply_in_any_case(drive, monkeypatch, how):
    monkeypatch.setattr(module, "DEATH_S", 0.05 if how == "nobody starts it again" else 60)

    async def scenario(front, client, owner):
        front.ready()
        await client.send("shell", "execute_request", {"code": "1"})
        await until(lambda: owner.passed)
        front.died(answers.failure("KernelDied", "SIGKILL"))
        if how == "its job ends":
            front.end("JobEnded", "over")
        elif how == "it is shut down":
            await front.close()
        assert (await client.receive("shell")).content["ename"] == "KernelDied"

    drive(scenario)


def test_a_second_death_waits_as_long_as_the_first_before_cells_fail(drive, monkeypatch):
    async def scenario(front, client, owner):
        for number, death_s in enumerate((0.1, 60)):
            monkeypatch.setattr(module, "DEATH_S", death_s)
            front.ready()
            await client.send("shell", "execute_request", {"code": "1"})
            await until(lambda number=number: len(owner.passed) == number + 1)
            front.died(answers.failure("KernelDied", "SIGKILL"))
            if number == 0:
                front.wait("KeyboardInterrupt", "the kernel was restarted")
                await client.receive("shell")
        with pytest.raises(asyncio.TimeoutError):
            await client.receive("shell", seconds=0.5)

    drive(scenario)
