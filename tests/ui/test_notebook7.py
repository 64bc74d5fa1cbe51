"""The form in Notebook 7, which has no side panel of kernels and no status bar."""

import re

from support.waiting import wait_until


def test_a_kernel_is_chosen_for_a_page_of_notebook_7(desks, lab):
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    lab.notebook("seven.ipynb", "A page", kernelspec=spec)
    desk = desks()
    desk.expected.append(r"(?s)reading 'schema'.*notebook_core")  # of Notebook 7.6 itself, without any extension too
    desk.expected.append("restore the debugger state")  # of a kernel that is left while the page still asks it
    desk.page.goto(f"{lab.url}/notebooks/seven.ipynb?token={lab.token}")
    desk.page.wait_for_function("window.jupyterapp?.shell && window.jupyterapp.restored.then(() => true)")
    desk.page.get_by_role("button", name=re.compile("container", re.IGNORECASE)).first.click()
    form = desk.picker()
    form.get_by_label("Search images").fill("Open MPI")
    form.get_by_role("option", name=re.compile("Python with Open MPI")).click()
    form.get_by_role("button", name="Start", exact=True).click()
    form.wait_for(state="detached")
    wait_until(lambda: [each["state"] for each in lab.jobs()] == ["running"], "the kernel's job")
    desk.page.get_by_role("button", name=kernel_name(lab)).wait_for()  # the page has left its other kernel
    desk.command("notebook:insert-cell-below")
    cell = desk.page.locator(".jp-CodeCell")
    cell.locator(".cm-content").click()
    desk.page.keyboard.insert_text("import os; print('runs in job', os.environ['SLURM_JOB_ID'])")
    desk.page.keyboard.press("Shift+Enter")
    cell.first.locator(".jp-OutputArea").get_by_text("runs in job").wait_for()
    (job,) = lab.jobs()
    assert (job["state"], job["notebook"]) == ("running", "seven.ipynb")


def kernel_name(lab):
    """What people call the kernel: a request that was saved has the name under which it was."""
    (job,) = lab.jobs()
    kept = lab.hpcctr("GET", "requests")[1]["requests"]
    (name,) = [each["display_name"] for each in kept if each["name"] == job["kernel_name"]]
    return re.compile(re.escape(name))
