"""Notebooks that bring something with them: the request of another site, or a click that nobody trusts."""

import json
import re

from .lab import WIDGETS, picture

ELSEWHERE = {"nodes": 64, "partition": "elsewhere", "account": "theirs", "time": "5-00:00:00", "gpus_per_node": 8}


def test_a_notebook_from_elsewhere_is_offered_its_image_with_resources_of_this_site(desks, lab, mpi_image):
    request = {**ELSEWHERE, "image": mpi_image.reference}
    kept = {"version": 1, "image": {"reference": mpi_image.reference, "digest": mpi_image.digest}, "request": request}
    spec = {"name": "hpcctr-0000000000", "display_name": "Python with Open MPI there", "language": "python"}
    lab.notebook("elsewhere.ipynb", "From elsewhere", kernelspec=spec, hpcctr=kept)
    desk = desks()
    desk.expected.append(WIDGETS)
    desk.open("lab/tree/elsewhere.ipynb")
    form = desk.picker()
    form.get_by_role("option", selected=True).get_by_text(re.compile("Open MPI")).first.wait_for()
    assert form.get_by_label("Nodes", exact=True).input_value() == "2"
    preview = form.get_by_role("status", name="What would be submitted")
    preview.get_by_text(re.compile("elsewhere")).first.wait_for()
    picture(desk, "lab-offered")


def test_a_click_in_an_untrusted_notebook_opens_the_form_and_starts_nothing(desks, lab, command):
    args = json.dumps({"request": {"engine": "bare", "scheduler": "slurm", "nodes": 2}}).replace('"', "&quot;")
    click = f'<button data-commandlinker-command="hpcctr:new" data-commandlinker-args="{args}">More data</button>'
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    lab.notebook("untrusted.ipynb", click, kernelspec=spec)
    desk = desks().open("lab/tree/untrusted.ipynb")
    desk.page.get_by_role("button", name="More data").click()
    # JupyterLab asks first, and says which command it is; what is asked for here is a form all the same.
    desk.page.get_by_role("button", name="Run Once").click()
    desk.picker().wait_for()
    assert lab.jobs() == []
    assert command("squeue", "-h") == ""
    desk.leave()
