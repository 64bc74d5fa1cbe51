"""The form and the widgets in Notebook 7, which has no side panel of kernels and no status bar."""

import re

import nbformat
from support.waiting import wait_until

OF_NOTEBOOK_7 = r"(?s)reading 'schema'.*notebook_core|'filebrowser:open-path' not registered"
"""Complaints of version 7.6 itself, without any extension too; the second comes now and then."""
OF_ITS_FILES = r"Cannot convert undefined or null to object .*notebook_core"
"""Another one, of its list of files."""
PICKER = "from jupyter_hpcctr.widgets import ImagePicker\npicker = ImagePicker(); picker"
READY = """async () => {
  await window.jupyterapp.restored;
  const { context } = window.jupyterapp.shell.currentWidget;
  await context.ready;
  await context.sessionContext.ready;
  await context.sessionContext.session.kernel.info;
}"""


def test_the_widgets_are_shown_on_a_page_of_notebook_7(desks, lab):
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PICKER)], metadata={"kernelspec": spec})
    nbformat.write(document, lab.site.cwd / "widgets.ipynb")
    desk = desks()
    desk.expected.append(OF_NOTEBOOK_7)
    desk.page.goto(f"{lab.url}/notebooks/widgets.ipynb?token={lab.token}")
    desk.page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.context")
    desk.page.evaluate(READY)
    desk.command("notebook:run-all-cells")
    shown = desk.page.locator(".jp-OutputArea .jupyter-widgets").first
    shown.get_by_text("Python with Open MPI — on the cluster").wait_for()


def test_the_menu_of_new_files_has_no_kernel_that_was_made_for_one_start(desks, lab):
    request = {"engine": "bare", "scheduler": "slurm", "argv": ["false", "{connection_file}"]}
    once = lab.hpcctr("POST", "requests", {"request": request, "saved": False})[1]
    saved = lab.hpcctr("POST", "requests", {"request": request | {"nodes": 2}, "display_name": "Two", "saved": True})[1]
    desk = desks()
    desk.expected += [OF_NOTEBOOK_7, OF_ITS_FILES]
    desk.page.goto(f"{lab.url}/tree?token={lab.token}")
    desk.page.wait_for_function("window.jupyterapp?.shell && window.jupyterapp.restored.then(() => true)")
    desk.page.locator(".jp-FileBrowser").get_by_role("menuitem", name="New", exact=True).click()
    desk.page.get_by_role("menuitem", name="Two", exact=True).wait_for()
    assert once["display_name"] not in desk.page.get_by_role("menuitem").all_inner_texts()
    for each in (once, saved):
        lab.hpcctr("DELETE", f"requests/{each['name']}")


def test_a_kernel_is_chosen_for_a_page_of_notebook_7(desks, lab):
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    lab.notebook("seven.ipynb", "A page", kernelspec=spec)
    desk = desks()
    desk.expected.append(OF_NOTEBOOK_7)
    # Of a kernel that is left while the page still asks it:
    desk.expected.append("restore the debugger state")
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
