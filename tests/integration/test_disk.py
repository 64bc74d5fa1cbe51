"""Full disks and removed directories: cells go on, and kernel and job obey."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.slurm import short_directory
from support.waiting import wait_until

from jupyter_hpcctr.agent import logfile

TESTS = Path(__file__).parents[1]
IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
BARE = {"engine": "bare", "scheduler": "slurm"}
MOST_BYTES = logfile.HEAD + 2 * logfile.TAIL


@pytest.fixture(scope="module")
def on_a_full_disk():
    """What a kernel printed while its state directory was full, and what its log had then and later."""
    with short_directory() as directory:
        words = [*IN_A_NAMESPACE, sys.executable, str(TESTS / "support" / "full_disk.py"), str(directory)]
        env = {**os.environ, "PYTHONPATH": str(TESTS)}
        done = subprocess.run(words, env=env, stdout=subprocess.PIPE, timeout=300, check=True)
        return json.loads(done.stdout)


def test_a_full_disk_holds_up_no_cell(on_a_full_disk):
    assert all("the cell's end\n" in text for text in on_a_full_disk["printed"][:2])
    assert on_a_full_disk["value"] == 2


def test_a_full_disk_is_told_in_the_cell_once(on_a_full_disk):
    text = "".join(on_a_full_disk["printed"])
    assert text.count("The job's log cannot be written: " + on_a_full_disk["why"]) == 1


def test_of_a_full_disk_the_log_keeps_the_newest_and_the_count_of_what_is_missing(on_a_full_disk):
    log = on_a_full_disk["log"]
    at, missing = logfile.gap(log.encode())
    assert log[:at].endswith("\n")
    assert at > 1000
    assert missing > 4_000_000
    assert log.endswith("100000\n")
    assert "there is room again\n" in on_a_full_disk["log after"]


def test_a_log_is_bounded_and_shown_with_a_line_for_what_is_missing(start):
    kernel = start(**BARE)
    content, _ = kernel.run("import os; os.system('echo the first line; seq 2000000; echo the last line')")
    assert content["status"] == "ok"
    path = Path(kernel.launch.plan.log_file)
    wait_until(lambda: path.read_bytes().endswith(b"the last line\n"), "the end of the log")
    assert path.stat().st_size <= MOST_BYTES
    text, offset = "", 0
    while True:
        more, offset = kernel.manager.provisioner._hub.edge.wait(kernel.launch.log(offset))
        if not more:
            break
        text += more
    assert "the first line\n1\n2\n" in text
    assert "2000000\nthe last line\n" in text
    assert "bytes are missing here" in text
    assert offset > 14_000_000


def test_what_ranks_print_to_the_log_is_bounded_too(start):
    kernel = start(**BARE, ntasks=2)
    code = "%%mpirun -n 2\nimport os\nfor _ in range(40):\n    os.write(2, b'x' * 99_999 + b'\\n')"
    content, _ = kernel.run(code)
    assert content["status"] == "ok", content
    assert Path(kernel.launch.plan.log_file).stat().st_size <= MOST_BYTES


def obeys(kernel, site):
    """Interrupt, restart, a new client, and the end: all of them work, and nothing is left."""
    asked = kernel.begun("while True: pass")
    kernel.manager.interrupt_kernel()
    assert kernel.ended(asked)["ename"] == "KeyboardInterrupt"
    job = kernel.launch.job
    kernel.run("kept = 1")
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("'kept' in globals()") is False
    assert kernel.launch.job == job
    kernel.client.stop_channels()
    kernel.client = kernel.manager.client()
    kernel.client.start_channels()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("1 + 1") == 2
    kernel.stop()
    assert site.left_behind() == []


def test_without_its_state_directory_a_kernel_obeys(site, start):
    kernel = start(**BARE)
    kernel.run("1")
    shutil.rmtree(site.state)
    obeys(kernel, site)
    assert start(**BARE).value("1 + 1") == 2, "and the next kernel makes it again"


def test_without_its_socket_directory_a_kernel_obeys(site, start):
    kernel = start(**BARE)
    kernel.run("1")
    directory = Path(kernel.launch.connection_info["ip"]).parent
    directory.chmod(0o700)
    shutil.rmtree(directory)
    obeys(kernel, site)


def test_without_its_directory_on_the_node_a_kernel_obeys(site, start):
    kernel = start(**BARE)
    kernel.run("1")
    shutil.rmtree(kernel.launch.plan.run_dir)
    obeys(kernel, site)


def test_without_its_directory_on_the_node_a_kernel_in_an_image_obeys(site, start, kernel_image, image_policy):
    site.configure(store=image_policy.store)
    kernel = start(image=kernel_image.reference, scheduler="slurm")
    kernel.run("1")
    shutil.rmtree(kernel.launch.plan.run_dir, ignore_errors=True)  # the image is mounted below it
    obeys(kernel, site)


def test_a_kernel_whose_restart_is_impossible_can_be_shut_down(site, start):
    kernel = start(**BARE)
    kernel.run("1")
    there = Path(kernel.launch.plan.run_dir)
    shutil.rmtree(there)
    there.write_text("somebody else's")
    kernel.manager.restart_kernel(now=True)
    until = time.monotonic() + 60
    while kernel.run("1")[0].get("ename") != "JobEnded":
        assert time.monotonic() < until
    kernel.stop()
    there.unlink()
    assert site.left_behind() == []
