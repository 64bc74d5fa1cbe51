"""From the choice of an image to the job's end, as a person sees it, in one notebook."""

import re

from support.waiting import wait_until

from .lab import LIMIT_MINUTES, picture

RANKS = """%%mpirun
import os
from mpi4py import MPI
comm = MPI.COMM_WORLD
where = os.environ["SLURMD_NODENAME"]
print("rank", comm.rank, "of", comm.size, "on", where, "and the sum of all is", comm.allreduce(comm.rank))"""


def test_a_notebook_in_an_image_from_the_choice_to_the_end(desk, desks, full, lab, mpi_image):
    form = choose(desk, mpi_image)
    picture(desk, "lab-picker")
    form.get_by_role("button", name="Start", exact=True).click()
    form.wait_for(state="detached")
    waits_with_its_reason(desk)
    queued = desk.cell("import os; print('runs in job', os.environ['SLURM_JOB_ID'])")
    picture(desk, "lab-pending")
    full()
    job = runs(desk, lab, queued)
    output = desk.cell(RANKS)
    output.get_by_text(re.compile("rank 3 of 4 on n2 and the sum of all is 6")).wait_for()
    warned(desk, job)
    picture(desk, "lab-running")
    other = reloaded_and_in_a_second_tab(desk, desks)
    restarted_in_its_job(desk, lab, job)
    among_what_runs(desk, job)
    job = continued(desk, lab, job)
    cancelled(other, job)
    ended(desk, lab, job)


def choose(desk, image):
    """Fill the form; the preview says what comes of it."""
    desk.page.locator(".jp-LauncherCard[data-category='Notebook']", has_text="New container kernel…").click()
    form = desk.picker()
    form.get_by_label("Search images").fill("Open MPI")
    taken = form.get_by_role("listbox", name="Images").get_by_role("option", name=re.compile("Python with Open MPI"))
    taken.click()
    taken.get_by_text(re.compile(r"Open MPI 4\.")).wait_for()
    desk.set(form, "Nodes", "3")
    form.get_by_role("alert").filter(has_text=re.compile("nodes")).first.wait_for()
    picture(desk, "lab-refused")
    for label, value in {"Nodes": "2", "MPI ranks": "4", "Time limit": str(LIMIT_MINUTES)}.items():
        desk.set(form, label, value)
    preview = form.get_by_role("status", name="What would be submitted")
    preview.get_by_text(re.compile(r"sbatch .*--nodes=2")).wait_for()
    form.get_by_role("alert").first.wait_for(state="detached")
    return form


def waits_with_its_reason(desk):
    row = desk.panel().get_by_role("listitem").first
    row.get_by_text("Pending", exact=True).wait_for()
    row.get_by_text(re.compile("Resources|Priority")).first.wait_for()
    desk.status().get_by_text(re.compile("Pending")).wait_for()
    indicates(desk, "Starting")


def runs(desk, lab, queued):
    """Wait for the job; the cell that was run meanwhile is executed. Return the job's number."""
    desk.row("Running").wait_for()
    desk.status().get_by_text(re.compile(r"Running on n\S* · \d+ min left")).wait_for()
    queued.get_by_text("runs in job").wait_for()
    (job,) = numbers(lab)
    assert queued.inner_text().split()[-1] == job
    indicates(desk, "Idle")
    return job


def indicates(desk, status):
    """JupyterLab's own kernel indicator, beside the name of the kernel."""
    indicator = desk.page.locator(".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator")
    indicator.get_by_text(f"Kernel status: {status}").wait_for(state="attached")


def warned(desk, job):
    warning = desk.page.locator(
        ".Toastify__toast", has_text=re.compile(rf"Job {job} of \S+\.ipynb ends in {LIMIT_MINUTES} minutes")
    )
    warning.wait_for()
    warning.get_by_role("button", name="Continue in a new job").wait_for()


def reloaded_and_in_a_second_tab(desk, desks):
    """The page finds its kernel again, and a second one sees the same job; return the second."""
    desk.command("docmanager:save")
    desk.page.locator(".jp-mod-dirty").wait_for(state="detached")
    desk.page.reload()
    desk.ready()
    desk.page.locator(".jp-NotebookPanel:visible").wait_for()
    desk.cell("print('after the', 'reload')").get_by_text("after the reload").wait_for()
    other = desks().open("lab/workspaces/other")
    other.panel().get_by_role("listitem").filter(has_text="Running").wait_for()
    return other


def restarted_in_its_job(desk, lab, job):
    desk.panel()
    desk.row("Running").get_by_role("button", name="Restart").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Restart", exact=True).click()
    desk.page.get_by_role("dialog").wait_for(state="detached")
    desk.cell("print('forgotten' if 'os' not in globals() else 'kept')").get_by_text("forgotten").wait_for()
    assert numbers(lab) == [job]


def among_what_runs(desk, job):
    """JupyterLab's own panel of what runs has a section of jobs."""
    desk.command("running:show-panel")
    desk.page.locator(".jp-RunningSessions").get_by_text(re.compile(f"job {job}: .*ipynb")).wait_for()
    desk.panel()


def continued(desk, lab, job):
    """One click on the warning, and a confirmation: the notebook goes on in another job. Return its number."""
    warning = desk.page.locator(".Toastify__toast", has_text=re.compile(rf"Job {job} of \S+ ends in"))
    warning.get_by_text(re.compile("It has no checkpoint")).wait_for()
    desk.cell("%hpcctr restore restored = 6 * 7").get_by_text("this runs first").wait_for()
    desk.cell("%hpcctr checkpoint --before 20s pass").get_by_text("20 s before the end").wait_for()
    warning.get_by_text(re.compile("Its checkpoint runs at")).wait_for()
    warning.get_by_role("button", name="Continue in a new job").click()
    desk.page.get_by_role("dialog").get_by_text("restored = 6 * 7").wait_for()
    desk.page.get_by_role("dialog").get_by_role("button", name="Continue in a new job").click()
    desk.page.get_by_role("dialog").wait_for(state="detached")
    wait_until(lambda: numbers(lab) not in ([], [job]), "another job")
    (another,) = numbers(lab)
    desk.row("Running").get_by_text(re.compile(f"job {another}")).first.wait_for()
    desk.page.locator(".Toastify__toast").get_by_text(re.compile("the restore code has run")).wait_for()
    said = desk.cell("import os; print('goes on in job', os.environ['SLURM_JOB_ID'], 'with', restored)")
    said.get_by_text(f"goes on in job {another} with 42").wait_for()
    return another


def numbers(lab):
    return [each["job"] for each in lab.jobs() if each["state"] == "running"]


def cancelled(other, job):
    """Cancel in the second tab."""
    other.row("Running").get_by_role("button", name="Cancel job").click()
    other.page.get_by_role("dialog").get_by_role("button", name="Cancel job").click()
    other.row("Ended").wait_for()


def ended(desk, lab, job):
    """The first tab hears of it; what has ended leaves the list by a click."""
    row = desk.row("Ended")
    row.get_by_text(re.compile("cancelled", re.IGNORECASE)).first.wait_for()
    desk.status().get_by_text(re.compile(r"Ended \(cancelled\)")).wait_for()
    indicates(desk, "Disconnected")
    desk.page.locator(".Toastify__toast", has_text=re.compile(rf"Job {job} of \S+ ends in")).wait_for(state="detached")
    picture(desk, "lab-ended")
    row.get_by_role("button", name="Remove").click()
    row.wait_for(state="detached")
    assert job not in [each["job"] for each in lab.jobs()]
