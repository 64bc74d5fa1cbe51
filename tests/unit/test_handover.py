"""A launch that is left to another process: what that one finds."""

import asyncio
import signal
import threading

from support.launches import HELLO, PLAN, READY, Allocation

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.life.state import Mode
from jupyter_hpcctr.core.request import KernelRequest
from jupyter_hpcctr.edge.journal import Journal
from jupyter_hpcctr.edge.requests import Requests
from jupyter_hpcctr.guest import wire
from jupyter_hpcctr.launch import Hub, jobs, record
from jupyter_hpcctr.launch.kernel import Launch
from jupyter_hpcctr.launch.places import of_kernel
from jupyter_hpcctr.launch.record import Kernel, Session


def left_by(monkeypatch, tmp_path, scenario):
    """Run a scenario with a kernel that runs; return the records that were written of it."""
    written = []
    monkeypatch.setattr(jobs, "Allocation", Allocation)
    monkeypatch.setattr(jobs, "gather", lambda *facts, **more: None)
    monkeypatch.setattr(jobs, "draw", lambda *facts, **more: PLAN)
    monkeypatch.setattr(jobs, "precheck", lambda *facts: ("bare", "slurm"))
    monkeypatch.setattr(Allocation, "submission", None, raising=False)
    monkeypatch.setattr(Allocation, "quick", (HELLO, READY))
    monkeypatch.setattr(Allocation, "announce_absence", lambda self: asyncio.sleep(0), raising=False)
    monkeypatch.setattr(record, "write", lambda directory, was: written.append(was))

    async def main():
        hub = Hub(Policy(state_dir=str(tmp_path)), engine=str, scheduler=str, store=None)
        launch = Launch(hub, KernelRequest(), cwd="/", kernel=Kernel.here("k1", "spec", "/home/me"))
        try:
            await launch.start()
            await scenario(hub, launch)
        finally:
            for each in launch._jobs._all.values():
                each.ending.set()
            await launch.stop()
            await hub._close()

    asyncio.run(main())
    return written


def test_what_jupyter_asks_of_a_kernel_before_it_is_left_does_not_end_it(monkeypatch, tmp_path):
    """Its server is being stopped: it asks each kernel for its end, and that may be read before the kernel is left."""
    seen = []

    async def scenario(hub, launch):
        told = launch._allocation.commands
        hub.leaving = True  # as ``leave`` sets it, in the server's thread
        launch.signal(signal.SIGINT, ending=True)
        seen.append(launch.shutdown(restart=False))
        await launch.handover.leave()
        seen.extend((launch._driver.life.mode, told))

    left_by(monkeypatch, tmp_path, scenario)
    assert seen == [False, Mode.DETACHED, []]


def test_the_next_process_finds_it_as_it_was_though_it_is_gone_from_here(monkeypatch, tmp_path):
    gone, writing = threading.Event(), asyncio.Event()

    async def scenario(hub, launch):
        loop = asyncio.get_running_loop()
        write = record.write

        def slowly(directory, was):
            loop.call_soon_threadsafe(writing.set)
            assert gone.wait(30)
            write(directory, was)

        monkeypatch.setattr(record, "write", slowly)
        hub.observe(lambda view: gone.set() if view.state == "gone" else None)
        launch.handover.session = Session("s", "a.ipynb", "a.ipynb", "notebook")
        await writing.wait()
        assert await launch.handover.leave()
        assert (launch.view.state, launch.handover.is_ours, launch.handover.has_record) == ("gone", False, False)

    last = left_by(monkeypatch, tmp_path, scenario)[-1]
    assert (last.view.state, last.session.path, last.life.mode.value) == ("running", "a.ipynb", "detached")


def test_cells_that_end_here_because_another_process_has_the_kernel_go_on_there(monkeypatch, tmp_path):
    directory, told = of_kernel(str(tmp_path), "k1"), []

    async def scenario(hub, launch):
        sockets, key = launch._front.sockets, launch._front.key
        frames = wire.pack(key, "execute_request", {"code": "1"}, session="a page", idents=[b"page"])
        frames[-2] = b'{"cellId": "c1"}'
        for each in (launch.journal, sockets.requests):
            each.asked(frames)
        launch._front._on_client("shell", frames)
        send = sockets.send

        def noted(channel, frames):
            told.append((channel, b"KernelTaken" in b"".join(frames)))
            send(channel, frames)

        monkeypatch.setattr(sockets, "send", noted)
        await launch.handover.give_up("the program 7 on login1")

    left_by(monkeypatch, tmp_path, scenario)
    assert {("iopub", True), ("shell", True)} <= set(told), "the page is told"
    assert len(Requests(directory).open()) == 1, "the other process answers it"
    assert [each.ended for each in Journal(directory, 1_000_000).executions.all()] == [None]
