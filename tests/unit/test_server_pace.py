"""News of many kernels at a pace that leaves the server's loop free."""

import asyncio
import threading

from jupyter_events import EventLogger

from jupyter_hpcctr.launch import LaunchView
from jupyter_hpcctr.server import service
from jupyter_hpcctr.server.jobs import PACE_S, Jobs
from jupyter_hpcctr.server.pace import Pace

KERNELS, CHANGES = 200, 20


class FakeHub:
    """Launches of which only news are there."""

    def observe(self, listener):
        self.hear = listener
        return lambda: None

    def launch(self, launch_id):
        return None

    def views(self):
        return ()


async def no_notebooks():
    return {}


def test_a_key_that_is_touched_often_is_told_seldom_and_never_left_out():
    told = []

    async def main():
        pace = Pace(told.append, 0.5)
        for _ in range(100):
            pace.touch("a")
            await asyncio.sleep(0)
        assert told == ["a"]
        while len(told) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.6)

    asyncio.run(main())
    assert told == ["a", "a"]


def test_news_of_200_kernels_leave_every_turn_of_the_loop_to_others():
    """The loop's lag: between two events everybody else who waits for the loop has had his turn."""
    turn, told, sent = 0, {}, []
    logger = EventLogger()
    logger.register_event_schema(service._EVENTS / "job.yaml")

    async def page(logger, schema_id, data):
        sent.append(data["job"]["id"])

    def tell(data):
        told[turn] = told.get(turn, 0) + 1
        logger.emit(schema_id=service.JOB, data=data)

    async def main():
        nonlocal turn
        logger.add_listener(listener=page)
        hub, loop = FakeHub(), asyncio.get_running_loop()
        jobs = Jobs(hub, loop, tell=tell, notebooks=no_notebooks, kernel_name=lambda kernel: "")

        def news():
            for change in range(CHANGES):
                for kernel in range(KERNELS):
                    seq = change * KERNELS + kernel
                    hub.hear(LaunchView(f"l{kernel}", f"k{kernel}", "running", message=str(change), seq=seq))

        begun = loop.time()
        thread = threading.Thread(target=news)
        thread.start()
        last = str(CHANGES - 1)
        while thread.is_alive() or jobs._pace._due or len(jobs.board.rows) < KERNELS:
            turn += 1
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(row.view.message == last for row in jobs.board.rows.values())
        return loop.time() - begun

    seconds = asyncio.run(main())
    assert max(told.values()) == 1
    assert set(sent) == {f"l{n}" for n in range(KERNELS)}
    assert max(map(sent.count, set(sent))) <= seconds / PACE_S + 1


def test_a_server_that_has_ended_is_told_nothing():
    loop, hub = asyncio.new_event_loop(), FakeHub()
    Jobs(hub, loop, tell=print, notebooks=no_notebooks, kernel_name=str)
    loop.close()
    hub.hear(LaunchView("a"))
