"""What a launch does beside answering is ended once, and gets to the end of what it has begun."""

import asyncio

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.launch import Hub
from jupyter_hpcctr.launch.kernel import Launch


def test_a_task_that_tidies_up_is_not_disturbed_by_who_ends_it_too():
    launch = object.__new__(Launch)
    launch._tasks, launch._told_to_end, done = set(), set(), []

    async def submission():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # until the scheduler has said which job is to be cancelled
            done.append("cancelled")
            raise

    async def main():
        launch._spawn(submission())
        await asyncio.sleep(0)
        first = asyncio.create_task(launch._end_tasks())
        await asyncio.sleep(0)
        first.cancel()  # by a server that ends
        await launch._end_tasks()
        assert done == ["cancelled"]
        await launch._end_tasks()
        assert not launch._tasks

    asyncio.run(main())


class Stopping:
    """Stands for a launch: notes that it was ended, or fails at it."""

    def __init__(self, together, *, fails=False):
        self._together, self._fails, self.ended = together, fails, False

    async def stop(self):
        if self._fails:
            raise OSError("no")
        self._together.append(self)
        while len(self._together) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self.ended = True


def test_all_launches_are_ended_at_once_and_one_that_fails_keeps_none(caplog):
    hub = Hub(Policy(), engine=str, scheduler=str, store=None)
    together = []
    launches = [Stopping(together), Stopping(together, fails=True), Stopping(together)]
    hub.launches = set(launches)
    hub.close()
    assert [launch.ended for launch in launches] == [True, False, True]
    assert "could not be ended" in caplog.text
    hub.close()
