"""What goes wrong between the parts: a connection that drops, changes at the same time, a controller that is gone."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from jupyter_client.manager import AsyncKernelManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from support.notebooks import by_rank
from support.waiting import wait_until
from support.wire import between_link_and_agents

from jupyter_hpcctr.errors import LaunchError, PolicyError

BARE = {"engine": "bare", "scheduler": "slurm"}


@pytest.fixture
def wire():
    """A wire between the link and all agents, which can be cut, reset, stopped and mended."""
    with between_link_and_agents() as made:
        yield made


def test_a_cell_that_was_sent_while_the_connection_was_down_runs_when_it_is_back(wire, start):
    kernel = start(**BARE)
    kernel.run("x = 1")
    wire.cut()
    time.sleep(0.5)
    kernel.client.execute("x += 1")
    time.sleep(1)
    wire.mend()
    assert kernel.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    assert kernel.value("x") == 2


def test_a_restart_while_the_connection_is_down_is_done_when_it_is_back(wire, start):
    kernel = start(**BARE)
    kernel.run("x = 1")
    wire.cut()
    time.sleep(0.5)
    kernel.manager.restart_kernel(now=True)
    wire.mend()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("'x' in globals()") is False


SLOW_PRINTS = "import time\nfor number in range(100):\n    print(number, flush=True)\n    time.sleep(0.02)"


@pytest.mark.parametrize("harm", ["reset", "cut", "stop"])
def test_output_across_a_broken_connection_is_complete_and_in_order(wire, start, harm):
    kernel = start(**BARE)
    kernel.run("1")
    printed = []

    def follow(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])
        if len(printed) == 10:
            getattr(wire, harm)()
            threading.Timer(1.0, wire.mend).start()

    reply = kernel.client.execute_interactive(SLOW_PRINTS, output_hook=follow, timeout=120)
    assert reply["content"]["status"] == "ok"
    assert "".join(printed).split() == [str(number) for number in range(100)]


def test_an_interrupt_while_the_connection_is_down_arrives_when_it_is_back(wire, start):
    kernel = start(**BARE)
    kernel.run("1")
    kernel.client.execute("while True: pass")
    while kernel.client.get_iopub_msg(timeout=30)["msg_type"] != "execute_input":
        pass
    wire.cut()
    kernel.manager.interrupt_kernel()
    wire.mend()
    assert kernel.client.get_shell_msg(timeout=60)["content"]["ename"] == "KeyboardInterrupt"


def test_a_cell_on_ranks_is_complete_though_the_connection_was_down_meanwhile(wire, start):
    kernel = start(**BARE, ntasks=2)
    kernel.run("%%mpirun -n 2\n1")
    printed = []

    def follow(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])
        if len(printed) == 5:
            wire.cut()
            threading.Timer(2.0, wire.mend).start()

    code = f"%%mpirun -n 2\n{SLOW_PRINTS}"
    reply = kernel.client.execute_interactive(code, output_hook=follow, timeout=120)
    assert reply["content"]["status"] == "ok", reply["content"]
    assert by_rank("".join(printed)) == dict.fromkeys((0, 1), [str(number) for number in range(100)])


def test_two_restarts_at_once_after_a_jobs_end_start_one_job(site, start):
    kernel = start(**BARE)
    kernel.value("1")
    subprocess.run(["scancel", kernel.launch.job], check=True)
    until = time.monotonic() + 30
    while kernel.run("1")[0].get("ename") != "JobEnded":
        assert time.monotonic() < until
    hub, launch = kernel.manager.provisioner._hub, kernel.launch

    async def both():
        await asyncio.gather(launch.start_again(), launch.start_again())

    hub.edge.wait(both())
    assert kernel.value("1 + 1") == 2
    assert len(site.queue()) == 1


def test_a_start_that_is_abandoned_during_its_submission_leaves_no_job(site, monkeypatch):
    slow = site.directory / "bin"
    slow.mkdir()
    real = subprocess.run(["which", "sbatch"], capture_output=True, text=True, check=True).stdout.strip()
    (slow / "sbatch").write_text(f'#!/bin/sh\nsleep 1\nexec {real} "$@"\n')
    (slow / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    manager = site.manager(**BARE)

    async def abandoned():
        other = AsyncKernelManager(kernel_name=manager.kernel_name)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(other.start_kernel(), 0.5)
        other.context.destroy(linger=0)

    asyncio.run(abandoned())
    manager.context.destroy(linger=0)
    assert site.left_behind() == []


def test_a_signal_that_has_no_name_is_told_like_any_other(start):
    kernel = start(**BARE)
    content, _ = kernel.run("import os; os.kill(os.getpid(), 40)", timeout=30)
    assert (content["ename"], "signal 40" in content["evalue"]) == ("KernelDied", True)


def test_a_kernel_that_died_before_its_job_ended_is_not_started_by_a_restarter(site, start):
    kernel = start(**BARE)
    kernel.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert kernel.manager.is_alive() is False
    subprocess.run(["scancel", kernel.launch.job], check=True)
    until = time.monotonic() + 30
    while not kernel.manager.is_alive():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert site.queue() == []


def test_a_job_whose_scheduler_was_away_at_shutdown_is_cancelled_when_it_is_back(full, slurm, site, start):
    kernel = start(**BARE)
    job = kernel.launch.job
    controller = slurm.status().pids["slurmctld"]
    os.kill(controller, signal.SIGSTOP)
    try:
        kernel.stop()
    finally:
        os.kill(controller, signal.SIGCONT)
    until = time.monotonic() + 90
    while any(line.startswith(f"{job} ") for line in site.queue()):
        assert time.monotonic() < until
        time.sleep(0.2)
    wait_until(lambda: not list(site.state.glob("kernels/*")), "its record goes when the job is known to be gone")


def test_what_cannot_be_written_is_an_error_and_leaves_nothing(site):
    (site.directory / "file").write_text("")
    site.configure(state_dir=str(site.directory / "file" / "state"))
    manager = site.manager(**BARE)
    with pytest.raises(LaunchError, match="file"):
        manager.start_kernel()
    manager.context.destroy(linger=0)
    assert site.left_behind() == []


def test_what_the_site_forbids_is_refused_before_an_image_is_fetched(site, registry):
    site.configure(image_patterns=["elsewhere.example/*"], store=str(site.directory / "store"))
    manager = site.manager(image=f"{registry.host}/python:1", scheduler="slurm")
    with pytest.raises(PolicyError, match="elsewhere"):
        manager.start_kernel()
    manager.context.destroy(linger=0)
    assert not (site.directory / "store" / "sha256").exists()


def test_ten_restarts_cost_no_descriptors(start):
    kernel = start(**BARE)
    kernel.value("1")

    def restarted():
        kernel.manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(timeout=60)
        kernel.value("1")
        return len(os.listdir("/proc/self/fd"))

    first = restarted()
    assert max(restarted() for _ in range(4)) <= first + 2


DYING = """
import os, sys, threading
from ipykernel.kernelapp import IPKernelApp
app = IPKernelApp.instance()
app.initialize(["-f", sys.argv[1]])
threading.Timer(1, os._exit, (3,)).start()
app.start()
"""
RESTARTER = {"KernelRestarter": {"time_to_dead": 0.5, "restart_limit": 2}}


def test_a_kernel_that_the_server_gives_up_takes_its_job_with_it(site, serve):
    (site.config / "jupyter_server_config.json").write_text(json.dumps(RESTARTER))
    server = serve()
    name = site.kernelspec("dying", **BARE, argv=[sys.executable, "-c", DYING, "{connection_file}"])
    server.open_notebook("a.ipynb", name)
    assert len(site.queue()) == 1
    until = time.monotonic() + 100
    while server.kernels():
        assert time.monotonic() < until, "jupyter_server restarts it, as often as configured, and then forgets it"
        time.sleep(0.5)
    assert site.left_behind() == []


def test_kernels_can_be_listed_from_the_moment_in_which_one_is_there(site):
    listed = []

    class Kernels(AsyncMappingKernelManager):
        async def _add_kernel_when_ready(self, *what):
            await super()._add_kernel_when_ready(*what)
            listed.extend(self.list_kernels())

    async def scenario():
        kernels = Kernels()
        kernel_id = await kernels.start_kernel(kernel_name=site.kernelspec("mine", **BARE))
        await kernels.shutdown_kernel(kernel_id, now=True)
        return kernel_id

    kernel_id = asyncio.run(scenario())
    assert [each["id"] for each in listed] == [kernel_id]
