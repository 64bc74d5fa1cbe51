"""How kernels and jobs come to their end, and what the notebook says of it; real in every part."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.kernels import processes_with

BARE = {"engine": "bare", "scheduler": "slurm"}


def ended(kernel, *, seconds=30):
    """Run cells until one is told that the job is over; return that error."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        content, _ = kernel.run("import time; time.sleep(0.5)")
        if content["status"] == "error" and content["ename"] == "JobEnded":
            return content
    raise AssertionError("the kernel was never told that its job is over")


def test_the_time_limit_ends_the_running_cell_with_words_and_restart_begins_anew(site, start):
    kernel = start(**BARE, time=1)
    job = kernel.launch.job
    kernel.value("1")
    hasten = ["scontrol", "update", f"JobId={job}", f"EndTime={time.strftime('%Y-%m-%dT%H:%M:%S')}"]
    subprocess.run(hasten, check=True)
    content, _ = kernel.run("import time; time.sleep(150)", timeout=150)
    assert content["ename"] == "JobEnded"
    assert "time limit of 1 min" in content["evalue"]
    assert "Restart" in content["evalue"]
    assert kernel.manager.is_alive(), "the end of a job is no crash: nothing may restart by itself"
    assert ended(kernel)["evalue"] == content["evalue"]
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("1 + 1") == 2
    assert kernel.launch.job != job


def test_scancel_from_outside_is_told_and_nothing_is_submitted_again(site, start):
    kernel = start(**BARE)
    kernel.value("1")
    kernel.begun("import time; time.sleep(60)")
    subprocess.run(["scancel", kernel.launch.job], check=True)
    content = kernel.client.get_shell_msg(timeout=60)["content"]
    assert (content["ename"], "cancelled" in content["evalue"]) == ("JobEnded", True)
    time.sleep(2)
    assert kernel.manager.is_alive()
    assert site.queue() == []


def test_scancel_of_a_pending_job_is_told_to_the_waiting_cell(full, start):
    kernel = start(**BARE)
    kernel.client.execute("1")
    subprocess.run(["scancel", kernel.launch.job], check=True)
    content = kernel.client.get_shell_msg(timeout=60)["content"]
    assert (content["ename"], "cancelled" in content["evalue"]) == ("JobEnded", True)


def test_a_plan_that_another_version_has_written_is_refused_with_what_to_do(full, start):
    kernel = start(**BARE)
    kernel.client.execute("1")
    path = Path(kernel.launch.plan.secret_file)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    full()
    content = kernel.client.get_shell_msg(timeout=60)["content"]
    assert content["ename"] == "JobEnded"
    said = " ".join(content["traceback"])
    assert "written by another version of jupyter_hpcctr" in said
    assert "Restart the kernel" in said
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("1 + 1") == 2


@pytest.mark.parametrize("scheduler", ["slurm", "local"])
def test_a_kernel_that_dies_at_import_is_told_with_the_log(site, start, scheduler):
    (site.cwd / "bad").mkdir()
    kernel = start(
        engine="bare", scheduler=scheduler, argv=["python3", "-c", "import no_such_module_at_all", "{connection_file}"]
    )
    content, _ = kernel.run("1")
    assert content["ename"] == "JobEnded"
    assert "before it was ready" in content["evalue"]
    assert any("no_such_module_at_all" in line for line in content["traceback"])


def test_the_agents_end_is_told(site, start):
    kernel = start(**BARE)
    job, pid = kernel.launch.job, kernel.value("__import__('os').getppid()")
    os.kill(pid, signal.SIGKILL)
    told = ended(kernel, seconds=100)["evalue"]
    assert f"job {job} " in told
    assert "SIGKILL" in told
    assert "Restart" in told
    until = time.monotonic() + 10
    while any("boot.py" in line for line in processes_with(str(site.directory))):
        assert time.monotonic() < until, "the kernel ends with its agent"
        time.sleep(0.1)
    assert start(**BARE).value("1 + 1") == 2, "the next agent sweeps up what the killed one left"


def test_a_refused_request_raises_and_leaves_nothing(site):
    from jupyter_hpcctr.errors import SubmitRefused

    manager = site.manager(**BARE, partition="nowhere")
    with pytest.raises(SubmitRefused, match="nowhere"):
        manager.start_kernel()
    manager.context.destroy(linger=0)


def test_a_refused_restart_is_told_in_the_notebook_and_the_next_one_works(site, start):
    kernel = start(**BARE)
    kernel.value("1")
    subprocess.run(["scontrol", "update", "PartitionName=debug", "State=DOWN"], check=True)
    subprocess.run(["scancel", kernel.launch.job], check=True)
    ended(kernel)
    subprocess.run(["scontrol", "update", "PartitionName=debug", "State=INACTIVE"], check=True)
    try:
        kernel.manager.restart_kernel()
        kernel.client.wait_for_ready(timeout=60)
        content, _ = kernel.run("1")
        assert content["ename"] == "SubmitRefused"
    finally:
        subprocess.run(["scontrol", "update", "PartitionName=debug", "State=UP"], check=True)
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("1 + 1") == 2


FORGETFUL = """
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name={name!r})
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute_interactive("1", timeout=60, output_hook=lambda message: None)
client.stop_channels()
print(manager.provisioner.launch.job)
"""


SAVE = "n = 41\n%hpcctr checkpoint open({!r}, 'w').write(str(n))"
SHORT_MINUTES = """
import dataclasses
from jupyter_hpcctr.config import HpcctrSite
freeze = HpcctrSite.freeze
def shortened(site):
    policy = freeze(site)
    assert policy.orphan_idle_minutes == 1
    return dataclasses.replace(policy, orphan_idle_minutes=0.2)
HpcctrSite.freeze = shortened
"""


def test_a_program_that_ends_without_a_shutdown_leaves_no_job(site):
    name = site.kernelspec("forgotten", **BARE)
    script = FORGETFUL.format(name=name)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip().isdecimal(), done.stderr
    assert site.left_behind() == []


def test_a_server_that_was_killed_leaves_its_job_only_for_the_time_allowed(site):
    site.configure(orphan_idle_minutes=1)
    name = site.kernelspec("orphan", **BARE)
    script = SHORT_MINUTES + FORGETFUL.format(name=name) + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    saved = site.cwd / "saved"
    script = script.replace('interactive("1"', f"interactive({SAVE.format(str(saved))!r}")
    subprocess.run([sys.executable, "-u", "-c", script], capture_output=True, text=True, timeout=100)
    assert len(site.queue()) == 1
    until = time.monotonic() + 100
    while site.queue():
        assert time.monotonic() < until
        time.sleep(0.5)
    assert saved.read_text() == "41", "its checkpoint ran before"
    (left,) = [path for path in site.left_behind() if "/tmp/hpcctr-" not in path]
    assert left.startswith(f"{site.state}/kernels/"), "for the next server, to say what became of it"
    shutil.rmtree(left)
    for each in (site.directory / "tmp").glob("hpcctr-*"):
        assert not list(each.glob("kernel")), "the agent tidied up its own"
        each.chmod(0o700)
        subprocess.run(["rm", "-r", str(each)], check=True)
