"""A kernel's whole life through jupyter_client, on Slurm and without it, real in every part."""

import os
import queue
import time

import pytest
from jupyter_client.manager import KernelManager
from support.kernels import READY_S, Running

from jupyter_hpcctr import kernelspecs
from jupyter_hpcctr.core.request import parse

BARE = {"engine": "bare", "scheduler": "slurm"}


@pytest.fixture(params=["slurm", "local"])
def kernel(request, start):
    return start(engine="bare", scheduler=request.param)


def texts(published, *kinds):
    return [m["content"]["data"]["text/plain"] for m in published if m["msg_type"] in kinds]


def test_a_kernel_runs_as_the_user_in_the_job_and_leaves_nothing(site, start):
    kernel = start(**BARE, cpus_per_task=2, gpus_per_node=1, time=5)
    env = kernel.value("dict(__import__('os').environ)")
    assert env["SLURMD_NODENAME"] in ("n1", "n2")
    assert env["SLURM_JOB_ID"] == kernel.launch.job
    assert env["SLURM_CPUS_PER_TASK"] == "2"
    assert env["CUDA_VISIBLE_DEVICES"] == "0"
    assert kernel.value("__import__('os').getuid()") == os.getuid()
    assert kernel.value("__import__('os').getcwd()") == str(site.cwd)
    assert [line.split()[1] for line in site.queue()] == ["RUNNING"]
    kernel.stop()
    assert site.left_behind() == []


def test_restart_is_in_the_same_job_with_nothing_of_the_old_kernel(kernel):
    job, pid = kernel.launch.job, kernel.value("__import__('os').getpid()")
    kernel.run("kept = 1")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("'kept' in globals()") is False
    assert kernel.value("__import__('os').getpid()") != pid
    assert kernel.launch.job == job


def test_a_killed_kernel_is_seen_as_dead_and_restarts_in_its_job(kernel):
    job = kernel.launch.job
    content, published = kernel.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (content["ename"], content["status"]) == ("KernelDied", "error")
    assert "SIGKILL" in content["evalue"]
    assert kernel.manager.is_alive() is False
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("1 + 1") == 2
    assert kernel.launch.job == job


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "while True: pass"])
def test_interrupt_stops_a_cell_and_not_the_kernel(kernel, code):
    kernel.run("x = 42")
    asked = kernel.begun(code)
    kernel.manager.interrupt_kernel()
    assert kernel.ended(asked)["ename"] == "KeyboardInterrupt"
    assert kernel.value("x") == 42


def test_input_comms_and_ten_megabytes_pass(kernel):
    kernel.client.execute("name = input('who? ')", allow_stdin=True)
    assert kernel.client.get_stdin_msg(timeout=60)["content"]["prompt"] == "who? "
    kernel.client.input("me")
    assert kernel.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    assert kernel.value("name") == "me"
    _, published = kernel.run(
        "from comm import create_comm\nc = create_comm('t', data={'n': 1}, buffers=[b'x' * 10_000_000])"
    )
    opened = [m for m in published if m["msg_type"] == "comm_open"]
    assert opened[0]["content"]["data"] == {"n": 1}
    assert bytes(opened[0]["buffers"][0]) == b"x" * 10_000_000
    sent = kernel.client.session.msg("execute_request", {"code": f"n = len({'y' * 10_000_000!r})", "silent": False})
    kernel.client.shell_channel.send(sent)
    assert kernel.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    assert kernel.value("n") == 10_000_000


def test_subshells_pass(site, kernel):
    kernel.client.kernel_info()
    assert "kernel subshells" in kernel.client.get_shell_msg(timeout=60)["content"]["supported_features"]
    control = kernel.client.control_channel
    control.send(kernel.client.session.msg("create_subshell_request"))
    subshell = kernel.client.get_control_msg(timeout=60)["content"]["subshell_id"]
    gate = site.cwd / "gate"
    asked = kernel.client.execute(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)")
    message = kernel.client.session.msg("execute_request", {"code": "1", "silent": False})
    message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)
    first = kernel.client.get_shell_msg(timeout=60)
    assert first["parent_header"]["msg_id"] == message["header"]["msg_id"]
    gate.touch()
    assert kernel.ended(asked)["status"] == "ok"


def test_a_cell_waits_in_the_queue_says_why_and_runs_in_order(full, start):
    kernel = start(**BARE)
    first = kernel.client.execute("print('one')")
    kernel.client.execute("print('two')")
    shown = until_message(kernel, "display_data")
    assert shown["parent_header"]["msg_id"] == first
    job = kernel.launch.job
    until = time.monotonic() + 20
    while True:
        text = until_message(kernel, "update_display_data")["content"]["data"]["text/plain"]
        if "Resources" in text or "Priority" in text:
            break
        assert time.monotonic() < until
    assert f"Slurm job {job} is pending" in text
    full()
    words = []
    while len(words) < 2:
        content = until_message(kernel, "stream", seconds=30)["content"]
        words += [content["text"]] if content["name"] == "stdout" else []
    assert words == ["one\n", "two\n"]
    assert kernel.launch.job == job


def until_message(kernel, kind, *, seconds=20):
    until = time.monotonic() + seconds
    while True:
        try:
            message = kernel.client.get_iopub_msg(timeout=max(0.1, until - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"no {kind} in {seconds} s") from None
        if message["msg_type"] == kind:
            return message


def test_interrupt_while_pending_aborts_the_waiting_cells_and_keeps_the_job(full, site, start):
    kernel = start(**BARE)
    kernel.client.execute("1")
    second = kernel.client.execute("2")
    while until_message(kernel, "status")["parent_header"].get("msg_id") != second:
        pass  # it has arrived when it is said to be busy with it
    kernel.manager.interrupt_kernel()
    replies = [kernel.client.get_shell_msg(timeout=60)["content"] for _ in range(2)]
    assert [r["status"] for r in replies] == ["error", "aborted"]
    assert f"{kernel.launch.job} PENDING" in " ".join(site.queue())
    full()
    assert kernel.value("1 + 1") == 2


def test_shutdown_while_pending_cancels_the_job_at_once(full, site, start):
    kernel = start(**BARE)
    job = kernel.launch.job
    kernel.client.execute("1")
    until_message(kernel, "display_data")
    kernel.manager.shutdown_kernel()
    assert kernel.client.get_shell_msg(timeout=10)["content"]["evalue"].startswith("the kernel was shut down")
    assert not [line for line in site.queue() if line.startswith(f"{job} ")]


@pytest.mark.parametrize("now", [True, False])
def test_restart_while_pending_keeps_the_place_in_the_queue(full, start, now):
    kernel = start(**BARE)
    job = kernel.launch.job
    kernel.client.execute("1")
    until_message(kernel, "display_data")
    kernel.manager.restart_kernel(now=now)
    assert kernel.client.get_shell_msg(timeout=60)["content"]["evalue"].startswith("the kernel was restarted")
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.launch.job == job
    full()
    assert kernel.value("1 + 1") == 2


@pytest.mark.parametrize("encryption", ["auto", "required"])
def test_a_kernel_starts_and_restarts_where_the_site_wants_encryption(site, encryption):
    kernelspecs.write("ours", kernelspecs.content(parse({"engine": "bare", "scheduler": "local"})))
    kernel = Running(KernelManager(kernel_name="ours", transport_encryption=encryption), cwd=site.cwd)
    try:
        assert "curve_publickey" in kernel.manager.get_connection_info()
        assert kernel.value("1 + 1") == 2
        kernel.manager.restart_kernel()
        kernel.client.wait_for_ready(timeout=READY_S)
        assert kernel.value("2 + 2") == 4
        assert kernel.client.hb_channel.is_beating()
    finally:
        kernel.stop()


def test_a_console_prints_the_notice_on_a_line_of_its_own(full, start, capsys):
    client = start(**BARE).client

    def show(message):
        client._output_hook_default(message)  # as jupyter run does
        if message["msg_type"] == "display_data":
            full()

    client.execute_interactive("print('the output')", output_hook=show, timeout=READY_S)
    notice, output = capsys.readouterr().out.splitlines()
    assert ("Slurm job" in notice, output) == (True, "the output")
