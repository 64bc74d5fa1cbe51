"""A kernel whose program was killed, found and taken over in the list of jobs."""

import subprocess
import sys

from support.slurm import short_directory

from .lab import picture

PROGRAM = """
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name="elsewhere")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kernel_that_nobody_has_is_taken_over_and_cancelled(desk, lab):
    lab.site.kernelspec("elsewhere", engine="bare", scheduler="slurm")
    with short_directory() as directory:  # for what a killed program leaves
        env = lab.site.env | {"TMPDIR": str(directory)}
        subprocess.run([sys.executable, "-c", PROGRAM], env=env, timeout=100, check=False)
    desk.panel()
    row = desk.row("Nobody has this kernel")
    row.wait_for()
    picture(desk, "lab-elsewhere")
    assert desk.accessible("#hpcctr-jobs") == []
    row.get_by_role("button", name="Take over").click()
    row.wait_for(state="detached")
    here = desk.row("Running")
    here.get_by_role("button", name="Restart").wait_for()
    (job,) = lab.jobs()
    assert (job["owner"], job["kernel_id"] in lab.kernels()) == (None, True)
    here.get_by_role("button", name="Cancel job").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Cancel job").click()
    desk.row("cancelled").wait_for()
