"""A kernel whose program was killed, found and taken over in the list of jobs."""

from support.programs import killed
from support.slurm import short_directory

from .lab import picture


def test_a_kernel_that_nobody_has_is_taken_over_and_cancelled(desk, lab):
    lab.site.kernelspec("elsewhere", engine="bare", scheduler="slurm")
    with short_directory() as directory:  # for what a killed program leaves
        env = lab.site.env | {"TMPDIR": str(directory)}
        killed(lab.site, "elsewhere", env=env)
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
