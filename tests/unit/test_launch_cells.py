"""What becomes of cells that wait for a kernel, whatever becomes of that: the scheduler and the agent are not real."""

import signal

import pytest
from support.front import Client
from support.launches import HELLO, READY

from jupyter_hpcctr.core.life import events as on
from jupyter_hpcctr.guest import wire


async def shut_down(launch):
    launch.signal(signal.SIGINT, ending=True)  # as jupyter_client does first
    launch.shutdown(restart=False)
    launch._allocation.ending.set()
    await launch.stop()


async def kill(launch):
    launch.signal(signal.SIGINT, ending=True)
    launch.kill(signal.SIGKILL, restart=False)
    launch._allocation.ending.set()
    await launch.stop()


async def restart(launch):
    launch.signal(signal.SIGINT, ending=True)
    launch.shutdown(restart=True)
    await launch.start_again()


async def restart_now(launch):
    launch.signal(signal.SIGINT, ending=True)
    launch.kill(signal.SIGKILL, restart=True)
    await launch.start_again()


async def interrupt(launch):
    launch.signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (shut_down, "the kernel was shut down"),
        (kill, "the kernel was shut down"),
        (restart, "the kernel was restarted"),
        (restart_now, "the kernel was restarted"),
        (interrupt, "interrupted"),
    ],
)
def test_a_cell_that_waited_is_told_what_became_of_its_kernel(launched, what, words):
    async def scenario(launch, seen):
        about = launch.connection_info
        key = about["key"]
        client = Client(about["ip"])
        try:
            await client.until("iopub", "iopub_welcome", key=key)
            await client.send("shell", "execute_request", {"code": "1"}, key=key)
            await client.until("iopub", "display_data", key=key)
            await what(launch)
            reply = await client.receive("shell", key=key)
            assert reply.content["evalue"].startswith(words)
            assert "queue" not in reply.content["evalue"]
        finally:
            client.close()

    launched(scenario)


def test_cells_that_wait_for_a_kernel_that_died_are_kept_for_the_next(launched):
    async def scenario(launch, seen):
        launch.tell(HELLO)
        launch.tell(READY)
        launch.tell(on.Exited(1, 1, -9))
        assert launch.exit_code == -9
        client = Client(launch.connection_info["ip"])
        key = launch.connection_info["key"]
        try:
            await client.until("iopub", "iopub_welcome", key=key)
            asked = await client.send("shell", "execute_request", {"code": "1"}, key=key)
            await client.until("iopub", "display_data", key=key)
            launch.kill(signal.SIGKILL, restart=True)  # as a restarter does first
            await launch.start_again()
            launch.tell(on.Ready(1, 2))
            (frames,) = launch._allocation.sent
            assert wire.unpack(key, frames).header["msg_id"] == asked
        finally:
            client.close()

    launched(scenario)


def test_a_restart_works_where_the_sockets_directory_was_removed(launched):
    async def scenario(launch, seen):
        directory = launch._face._directory
        directory.chmod(0o700)
        for each in directory.iterdir():
            each.unlink()
        directory.rmdir()
        await launch.start_again()
        client = Client(launch.connection_info["ip"])
        try:
            await client.send("shell", "kernel_info_request", key=launch.connection_info["key"])
            await client.until("shell", "kernel_info_reply", key=launch.connection_info["key"])
        finally:
            client.close()

    launched(scenario)
