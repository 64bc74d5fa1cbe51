"""A kernel's sockets for its clients, when somebody removes their files; and what dead processes have left."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys

import pytest
import zmq
from support.front import KEY, Client, Owner

from jupyter_hpcctr.edge import leftovers, sockets
from jupyter_hpcctr.edge.front import Front
from jupyter_hpcctr.errors import UnsafePath

NAME = "hpcctr-0123456789ab"


@contextlib.asynccontextmanager
async def front_in(directory):
    context = zmq.Context()
    front = Front(context, directory, KEY, Owner())
    try:
        front.open()
        yield front
    finally:
        await front.close()
        context.term()


async def can_connect(front):
    client = Client(front.connection_info["ip"])
    try:
        await client.until("iopub", "iopub_welcome")
    finally:
        client.close()
    return True


def remove(directory):
    directory.chmod(0o700)
    shutil.rmtree(directory)


def test_after_a_restart_clients_find_sockets_whose_directory_was_removed(tmp_path):
    async def scenario():
        async with front_in(tmp_path / NAME) as front:
            client = Client(front.connection_info["ip"])
            await client.until("iopub", "iopub_welcome")
            remove(tmp_path / NAME)
            front.open()
            assert await can_connect(front)
            assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o500
            await client.send("shell", "kernel_info_request")
            assert (await client.receive("shell")).kind == "kernel_info_reply"
            client.close()

    asyncio.run(scenario())


def test_files_that_were_removed_come_back_by_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(sockets, "LOOK_S", 0.01)

    async def scenario():
        async with front_in(tmp_path / NAME) as front:
            remove(tmp_path / NAME)
            while not (tmp_path / NAME / "front-4").exists():
                await asyncio.sleep(0.01)
            assert await can_connect(front)

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize("by", ["a request", "the kernel"])
def test_the_channels_of_later_are_there_when_they_can_be_used(tmp_path, by):
    async def scenario():
        async with front_in(tmp_path / NAME) as front:
            files = {path.name for path in (tmp_path / NAME).glob("front-*")}
            assert files == {"front-1", "front-2", "front-4"}
            client = Client(front.connection_info["ip"])
            await client.sockets["hb"].send(b"early")
            if by == "a request":
                await client.send("shell", "kernel_info_request")
            else:
                front.ready()
            assert await asyncio.wait_for(client.sockets["hb"].recv(), 10) == b"early"
            assert (tmp_path / NAME / "front-3").exists()
            client.close()

    asyncio.run(scenario())


def test_somebody_elses_directory_in_its_place_is_not_used_and_harms_no_restart(tmp_path, caplog):
    async def scenario():
        async with front_in(tmp_path / NAME) as front:
            client = Client(front.connection_info["ip"])
            await client.until("iopub", "iopub_welcome")
            remove(tmp_path / NAME)
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
            front.open()
            assert list((tmp_path / "elsewhere").iterdir()) == []
            await client.send("shell", "kernel_info_request")
            assert (await client.receive("shell")).kind == "kernel_info_reply"
            client.close()
            (tmp_path / NAME).unlink()

    asyncio.run(scenario())
    assert "clients cannot connect to a kernel" in caplog.text


def test_a_kernel_that_nobody_could_reach_is_not_started(tmp_path):
    (tmp_path / NAME).mkdir(mode=0o755)

    async def scenario():
        async with front_in(tmp_path / NAME):
            pytest.fail("it listens")

    with pytest.raises(UnsafePath):
        asyncio.run(scenario())


MARK = """
import os, signal, sys
from pathlib import Path
from jupyter_hpcctr.edge import leftovers
leftovers.mark(Path(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def left(tmp_path):
    """A directory of a process that was killed, as its sockets leave it."""
    leftovers.sweep.cache_clear()
    (tmp_path / NAME).mkdir(mode=0o700)
    subprocess.run([sys.executable, "-c", MARK, str(tmp_path / NAME)], check=False)
    (tmp_path / NAME / "front-1").touch()
    (tmp_path / NAME).chmod(0o500)
    yield tmp_path / NAME
    leftovers.sweep.cache_clear()
    if (tmp_path / NAME).is_dir():
        (tmp_path / NAME).chmod(0o700)


def test_the_next_start_removes_what_a_killed_process_left(left):
    async def scenario():
        async with front_in(left.parent / "hpcctr-ba9876543210"):
            assert not left.exists()

    asyncio.run(scenario())


@pytest.mark.parametrize("whose", ["ours", "another host's", "another container's", "unmarked", "otherwise named"])
def test_what_may_be_in_use_stays(left, whose):
    left.chmod(0o700)
    marked = os.readlink(left / "owner").split()
    if whose == "ours":
        leftovers.mark(left)
    elif whose == "otherwise named":
        left = left.rename(left.parent / "hpcctr-1000-0123456789ab")
    else:
        (left / "owner").unlink()
    if whose.startswith("another"):
        marked[{"another host's": 0, "another container's": 2}[whose]] = "elsewhere"
        (left / "owner").symlink_to(" ".join(marked))
    leftovers.sweep(left.parent)
    assert left.exists()


def test_what_was_left_before_a_reboot_is_removed(left):
    left.chmod(0o700)
    leftovers.mark(left)
    marked = os.readlink(left / "owner").split()
    (left / "owner").unlink()
    (left / "owner").symlink_to(" ".join((marked[0], "another-boot", *marked[2:])))
    leftovers.sweep(left.parent)
    assert not left.exists()
