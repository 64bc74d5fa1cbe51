"""What a launch does beside answering is ended once, and gets to the end of what it has begun."""

import asyncio

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
