"""The front alone: what clients are told while there is no kernel, and what is passed on when there is one.

The owner here records what the front asks of it; the sockets and the clients are real.
"""

import asyncio
import contextlib
import os
import time

import pytest
import zmq
from support.front import KEY, Client

from jupyter_hpcctr.edge.behind import Phase
from jupyter_hpcctr.edge.front import Front
from jupyter_hpcctr.edge.sockets import CHANNELS, Curve
from jupyter_hpcctr.guest import wire


def test_it_answers_kernel_info_and_heartbeat_before_there_is_a_kernel(drive):
    async def scenario(front, client, owner):
        front.ipykernel = "7.4.0"
        asked = await client.send("shell", "kernel_info_request")
        reply = await client.receive("shell")
        assert (reply.kind, reply.content["status"], reply.parent["msg_id"]) == ("kernel_info_reply", "ok", asked)
        assert reply.content["supported_features"] == ["kernel subshells"]
        states = [c["execution_state"] for kind, _, c in await client.published() if kind == "status"]
        assert states == ["busy", "idle", "idle"]
        await client.sockets["hb"].send(b"ping")
        assert await asyncio.wait_for(client.sockets["hb"].recv(), 2) == b"ping"
        assert owner.passed == []

    drive(scenario)


def test_a_message_with_a_wrong_signature_is_dropped(drive):
    async def scenario(front, client, owner):
        await client.send("shell", "kernel_info_request", key=b"guess")
        await client.send("control", "shutdown_request", key=b"guess")
        with pytest.raises(asyncio.TimeoutError):
            await client.receive("shell", seconds=0.3)
        assert owner.shutdowns == []

    drive(scenario)


def test_a_message_that_is_none_leaves_the_channel_open(drive, caplog):
    async def scenario(front, client, owner):
        front.ready()
        for frames in ([b"x"], [wire.DELIMITER, b"s"], [wire.DELIMITER, b"s", b'"execute_request"', b"", b"", b""]):
            await client.sockets["shell"].send_multipart(frames)
            await client.sockets["control"].send_multipart(frames)
        asked = await client.send("shell", "execute_request", {"code": "1"})
        await asyncio.sleep(0.1)
        assert wire.unpack(KEY, owner.passed[-1][1]).header["msg_id"] == asked

    drive(scenario)


def test_a_shutdown_of_a_kernel_that_is_left_to_another_process_is_not_passed_on(drive):
    async def scenario(front, client, owner):
        front.ready()
        for leaving in (True, False):
            owner.leaving = leaving
            await client.send("control", "shutdown_request", {"restart": False})
            while len(owner.shutdowns) < 2 - leaving:
                await asyncio.sleep(0.01)
            assert len(owner.passed) == 1 - leaving

    drive(scenario)


def test_what_is_asked_of_a_front_that_closes_reaches_no_kernel(drive):
    """A server that is being stopped asks each kernel to shut down, although it leaves them to the next one."""

    async def scenario(front, client, owner):
        front.ready()
        await client.send("control", "shutdown_request", {"restart": False})
        time.sleep(0.3)  # it is there, and the loop has not seen it yet
        await front.close()
        assert (owner.passed, owner.shutdowns) == ([], [])

    drive(scenario)


def test_a_waiting_cell_shows_why_in_place_and_runs_when_the_kernel_is_there_in_order(drive):
    async def scenario(front, client, owner):
        front.say("job 1 is pending")
        first = await client.send("shell", "execute_request", {"code": "1"})
        second = await client.send("shell", "execute_request", {"code": "2"})
        shown = await client.until("iopub", "display_data")
        assert shown.parent["msg_id"] == first
        assert shown.content["data"]["text/plain"] == "job 1 is pending\n", "else jupyter run puts output behind it"
        front.say("job 1 <b>runs</b>")
        update = await client.until("iopub", "update_display_data")
        assert update.content["transient"] == shown.content["transient"]
        assert "&lt;b&gt;runs" in update.content["data"]["text/html"]
        assert owner.passed == []
        front.ready()
        assert [(kind, parent) for kind, parent, _ in await client.published()][-1] == ("clear_output", first)
        ids = [wire.unpack(KEY, frames).header["msg_id"] for _, frames in owner.passed]
        assert ids == [first, second]
        third = await client.send("shell", "execute_request", {"code": "3"})
        await asyncio.sleep(0.1)
        assert wire.unpack(KEY, owner.passed[-1][1]).header["msg_id"] == third

    drive(scenario)


def test_an_interrupt_while_waiting_ends_the_first_cell_with_an_error_and_aborts_the_others(drive):
    async def scenario(front, client, owner):
        first = await client.send("shell", "execute_request", {"code": "1"})
        second = await client.send("shell", "execute_request", {"code": "2"})
        await client.published()
        front.abort("interrupted")
        replies = [await client.receive("shell"), await client.receive("shell")]
        assert [(r.parent["msg_id"], r.content["status"]) for r in replies] == [(first, "error"), (second, "aborted")]
        kinds = [kind for kind, _, _ in await client.published()]
        assert kinds == ["clear_output", "error", "status", "status"]
        front.ready()
        assert owner.passed == []

    drive(scenario)


def test_the_end_of_a_job_ends_running_and_waiting_cells_and_every_later_one_with_the_reason(drive):
    async def scenario(front, client, owner):
        front.ready()
        running = await client.send("shell", "execute_request", {"code": "1"})
        await asyncio.sleep(0.1)
        front.end("JobEnded", "the time limit", log_tail="last line")
        reply = await client.receive("shell")
        assert (reply.parent["msg_id"], reply.content["evalue"]) == (running, "the time limit")
        assert any("last line" in line for line in reply.content["traceback"])
        await client.send("shell", "execute_request", {"code": "2"})
        assert (await client.receive("shell")).content["ename"] == "JobEnded"
        await client.send("shell", "kernel_info_request")
        assert (await client.receive("shell")).content["status"] == "ok"
        assert front.phase is Phase.ENDED

    drive(scenario)


def test_a_reply_of_the_kernel_finishes_its_cell(drive):
    async def scenario(front, client, owner):
        front.ready()
        asked = await client.send("shell", "execute_request", {"code": "1"})
        await asyncio.sleep(0.1)
        request = wire.unpack(KEY, owner.passed[0][1])
        answer = wire.pack(
            KEY, "execute_reply", {"status": "ok"}, session="k", parent=request.header, idents=request.idents
        )
        front.from_kernel("shell", answer)
        assert (await client.receive("shell")).parent["msg_id"] == asked
        front.end("JobEnded", "over")
        with pytest.raises(asyncio.TimeoutError):
            await client.receive("shell", seconds=0.3)

    drive(scenario)


@pytest.mark.parametrize("phase", ["waiting", "ready", "ended"])
def test_shutdown_is_told_to_the_owner_and_answered_where_there_is_no_kernel(drive, phase):
    async def scenario(front, client, owner):
        if phase == "ready":
            front.ready()
        if phase == "ended":
            front.end("JobEnded", "over")
        await client.send("control", "shutdown_request", {"restart": True})
        if phase == "ready":
            await asyncio.sleep(0.1)
            assert [channel for channel, _ in owner.passed] == ["control"]
        else:
            assert (await client.receive("control")).content == {"status": "ok", "restart": True}
        assert owner.shutdowns == [True]

    drive(scenario)


def test_a_shutdown_that_comes_after_the_restart_it_was_for_is_answered_and_no_more(drive):
    async def scenario(front, client, owner):
        late = wire.pack(KEY, "shutdown_request", {"restart": True}, session="client")
        front.open()
        await client.sockets["control"].send_multipart(late)
        assert (await client.receive("control")).content == {"status": "ok", "restart": True}
        assert owner.shutdowns == []

    drive(scenario)


def test_interrupt_requests_go_to_the_owner_never_to_the_kernel(drive):
    async def scenario(front, client, owner):
        front.ready()
        await client.send("control", "interrupt_request")
        assert (await client.receive("control")).kind == "interrupt_reply"
        assert (owner.interrupted, owner.passed) == (1, [])

    drive(scenario)


def test_it_listens_again_where_jupyter_client_has_removed_its_files(drive, tmp_path):
    async def scenario(front, client, owner):
        with pytest.raises(PermissionError) if os.getuid() else contextlib.nullcontext():
            (tmp_path / "front-1").unlink()
        tmp_path.chmod(0o700)  # as root can without it
        for port in CHANNELS.values():
            (tmp_path / f"front-{port}").unlink(missing_ok=True)
        front.open()
        late = Client(front.connection_info["ip"])
        await late.until("iopub", "iopub_welcome")
        for each in (client, late):
            await each.send("shell", "kernel_info_request")
            assert (await each.receive("shell")).kind == "kernel_info_reply"
        late.close()

    drive(scenario)


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("is_complete_request", {"code": "x"}, {"status": "unknown"}),
        ("complete_request", {"code": "x", "cursor_pos": 1}, {"matches": [], "cursor_start": 1}),
        ("inspect_request", {}, {"found": False}),
        ("history_request", {}, {"history": []}),
        ("comm_info_request", {}, {"comms": {}}),
    ],
)
def test_no_request_of_a_front_end_hangs_while_there_is_no_kernel(drive, kind, content, expected):
    async def scenario(front, client, owner):
        await client.send("shell", kind, content)
        reply = await client.receive("shell")
        assert expected.items() <= reply.content.items()

    drive(scenario)


def test_a_cell_for_which_there_is_no_room_is_refused_aloud_and_forgotten(drive):
    async def scenario(front, client, owner):
        front.ready()
        owner.has_room = False
        await client.send("shell", "execute_request", {"code": "1"})
        reply = await client.receive("shell")
        assert (reply.content["status"], reply.content["ename"]) == ("error", "KernelUnreachable")
        published = [(kind, content.get("execution_state")) for kind, _, content in await client.published()]
        assert published[-2:] == [("error", None), ("status", "idle")]
        owner.has_room = True
        front.end("JobEnded", "it is over")
        with pytest.raises(asyncio.TimeoutError):
            await client.receive("shell", seconds=0.2)

    drive(scenario)


async def asked(client):
    """What a client is answered; where it was turned away, not even its question gets out."""
    await client.send("shell", "kernel_info_request")
    return (await client.receive("shell")).kind


def test_with_curve_only_clients_are_heard_that_know_the_key(tmp_path):
    async def main():
        context = zmq.Context()
        front = Front(context, tmp_path, KEY, None, Curve(*zmq.curve_keypair()))
        front.open()
        about = front.connection_info
        clients = [Client(about["ip"], about["curve_publickey"]), Client(about["ip"])]
        try:
            await clients[0].until("iopub", "iopub_welcome")
            assert await asked(clients[0]) == "kernel_info_reply"
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asked(clients[1]), 0.5)
        finally:
            for client in clients:
                client.close()
            await front.close()
            context.term()

    asyncio.run(main())
