"""The form as somebody uses it who is new: small windows, names that are wrong, figures that change meanwhile."""

import re

import pytest
from support.small_images import make, plain

from .lab import SIZE, WIDGETS

__all__ = ["make"]  # a fixture

SMALL = {"width": 800, "height": 600}
BOX = "each => { const {top, bottom, height} = each.getBoundingClientRect(); return {top, bottom, height}; }"


def box(element):
    return element.evaluate(BOX)


@pytest.fixture
def desk(same_desk):
    """One page for all of these tests."""
    return same_desk


@pytest.fixture
def form(desk):
    """The form with its images."""
    desk.command("hpcctr:new")
    desk.picker().get_by_role("option").first.wait_for()
    return desk.picker()


def choose(form, reference):
    """Type a name, and take the option that it makes."""
    form.get_by_label("Search images").fill(reference)
    form.get_by_role("option", name=reference, exact=True).click()


def test_in_a_small_window_several_images_and_start_are_in_sight(desk, form):
    desk.page.set_viewport_size(SMALL)
    form.get_by_role("option", name=re.compile("Open MPI")).first.click()
    form.get_by_role("status", name="What would be submitted").get_by_text("sbatch").first.wait_for()
    start, cancel, save = (
        box(form.get_by_role("button", name=name, exact=True).filter(has_text=name))
        for name in ("Start", "Cancel", "Save as environment")
    )
    assert start["top"] == cancel["top"] == save["top"], "they are one line"
    assert start["bottom"] <= SMALL["height"]
    images = form.get_by_role("listbox", name="Images")
    bottom = box(images)["bottom"]
    assert sum(box(each)["bottom"] <= bottom for each in images.get_by_role("option").all()[:10]) >= 4
    assert box(form.locator("code"))["height"] < SMALL["height"] / 20, "the command is a line"
    found = []
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        desk.theme(theme)
        found += desk.accessible(".jp-Hpcctr-dialog", theme=theme)
    assert found == []
    desk.leave()
    desk.page.set_viewport_size(SIZE)


def test_a_wrong_name_is_said_before_anything_starts_and_what_is_like_it(desk, form, lab, make):
    reference = make(plain)
    choose(form, f"{reference}x")
    form.get_by_role("alert").get_by_text("there is no such image").wait_for()
    assert desk.accessible(".jp-Hpcctr-dialog") == []
    form.get_by_role("button", name="Start", exact=True).click()
    form.get_by_label("Search images").and_(desk.page.locator(":focus")).wait_for()
    assert lab.jobs() == []
    form.get_by_role("group", name="Similar names").get_by_role("button", name=reference, exact=True).click()
    form.get_by_role("status", name="Fetching").get_by_text(re.compile("to fetch")).wait_for()
    form.get_by_role("option", name=reference, exact=True, selected=True).wait_for()
    form.get_by_role("alert").wait_for(state="detached")
    desk.leave()


def test_an_image_that_the_search_hides_is_named_and_not_started(desk, form, lab):
    form.get_by_role("option", name=re.compile("Python with Open MPI")).click()
    form.get_by_label("Search images").fill("PyTorch")
    form.get_by_role("status", name="Chosen image").get_by_text("Python with Open MPI").wait_for()
    form.get_by_role("button", name="Start", exact=True).click()
    form.get_by_role("alert").get_by_text("The search hides the chosen image").wait_for()
    assert desk.accessible(".jp-Hpcctr-dialog") == []
    form.get_by_role("button", name="Clear the search").click()
    form.get_by_role("option", name=re.compile("Python with Open MPI"), selected=True).wait_for()
    assert lab.jobs() == []
    desk.leave()


def test_the_count_of_idle_nodes_has_an_age_and_changes_while_the_form_is_open(full, desk, form):
    form.get_by_text(re.compile(r"0 of 2 nodes are idle.* \((just now|\d+ s ago)\)")).wait_for()
    full()
    form.get_by_text(re.compile(r"2 of 2 nodes are idle.* \((just now|\d+ s ago)\)")).wait_for()
    desk.leave()


def test_another_scheduler_has_its_own_fields(desk, form, lab):
    preview = form.get_by_role("status", name="What would be submitted")
    form.get_by_role("option", name=re.compile("Open MPI")).first.click()
    preview.get_by_text("--nodes=1").first.wait_for()
    form.get_by_label("Partition").wait_for()
    form.get_by_text("Advanced").click()
    form.get_by_label("Scheduler").select_option("local")
    form.get_by_label("Partition").wait_for(state="detached")
    form.get_by_text(re.compile(r"^A node has \d+$")).wait_for()
    preview.get_by_text("sbatch").first.wait_for(state="detached")
    assert desk.accessible(".jp-Hpcctr-dialog") == []
    form.get_by_label("Scheduler").select_option("slurm")
    form.get_by_label("Partition").wait_for()
    preview.get_by_text("sbatch").first.wait_for()
    assert lab.jobs() == []
    desk.leave()


def test_a_configuration_that_was_edited_meanwhile_is_said_in_the_form(desk, form, lab):
    before = dict(lab.site.settings)
    lab.site.configure(currency="CHF", max_nodes=1)
    try:
        notice = form.get_by_role("status").filter(has_text="the site's configuration has changed at")
        notice.get_by_text("max_nodes, currency").wait_for(timeout=60_000)
        notice.get_by_text("restart the server to use it").wait_for()
        assert desk.accessible(".jp-Hpcctr-dialog") == []
    finally:
        lab.site.settings = before
        lab.site.configure()
    notice.wait_for(state="detached", timeout=60_000)
    desk.leave()


def test_a_kernel_of_one_start_is_not_offered_to_other_notebooks(desks, lab):
    request = {"engine": "bare", "scheduler": "slurm", "argv": ["false", "{connection_file}"]}
    once = lab.hpcctr("POST", "requests", {"request": request, "saved": False})[1]
    asked = {"request": {**request, "nodes": 2}, "display_name": "Two", "saved": True}
    saved = lab.hpcctr("POST", "requests", asked)[1]
    lab.notebook("fresh.ipynb", "No kernel yet")
    desk = desks()
    desk.expected.append(WIDGETS)
    desk.open("lab/tree/fresh.ipynb")
    chosen = desk.page.get_by_role("dialog").filter(has_text="Select Kernel").get_by_role("combobox")
    if not chosen.is_visible():
        desk.command("notebook:change-kernel")
    chosen.wait_for()
    offered = chosen.get_by_role("option").all_inner_texts()
    assert "Two" in offered and once["display_name"] not in offered
    assert chosen.evaluate("each => each.selectedOptions[0].text") != once["display_name"]
    desk.page.get_by_role("dialog").get_by_role("button", name="No Kernel").first.click()
    for each in (once, saved):
        lab.hpcctr("DELETE", f"requests/{each['name']}")


def test_the_help_menu_opens_the_documentation(desk):
    desk.page.get_by_role("menuitem", name="Help").click()
    desk.page.get_by_role("menuitem", name="Container Kernels Documentation").click()
    heading = desk.page.get_by_role("heading", name="Starting a kernel")
    heading.wait_for()
    desk.command("application:close-all")
    heading.wait_for(state="detached")
