"""Without a mouse, and for people who see little: keys alone, and what axe-core finds."""

import re


def press(desk, *keys):
    for key in keys:
        desk.page.keyboard.press(key)


def tab_to(desk, target, *, key="Tab"):
    """Press a key until an element has the focus."""
    for _ in range(60):
        if target.evaluate("each => each === document.activeElement"):
            return
        desk.page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not reach {target}")


def test_keys_alone_start_a_kernel(desk, lab):
    press(desk, "Control+Shift+C")
    desk.page.keyboard.type("container on cluster")
    press(desk, "Enter")
    form = desk.picker()
    form.wait_for()
    tab_to(desk, form.get_by_label("Search images"))
    desk.page.keyboard.type("Tool 01")
    options = form.get_by_role("listbox", name="Images").get_by_role("option")
    options.nth(10).wait_for(state="detached")
    press(desk, "ArrowDown", "ArrowDown")
    form.get_by_role("option", name=re.compile("Tool 011"), selected=True).wait_for()
    press(desk, "ArrowUp")
    form.get_by_role("option", name=re.compile("Tool 010"), selected=True).wait_for()
    press(desk, "Control+A")
    desk.page.keyboard.type("Open MPI")
    options.nth(1).wait_for(state="detached")
    press(desk, "ArrowDown")
    form.get_by_role("option", name=re.compile("Python with Open MPI"), selected=True).wait_for()
    tab_to(desk, form.get_by_role("button", name="Start", exact=True))
    press(desk, "Enter")
    form.wait_for(state="detached")
    status = desk.status().get_by_role("button")
    status.get_by_text("Running").wait_for()
    desk.cell("print(6 * 7)").get_by_text("42").wait_for()
    # The status bar's item is reached by keys too, and shows the jobs.
    status.focus()
    press(desk, "Enter")
    desk.row("Running").wait_for()


def test_axe_finds_nothing_in_either_theme(desk):
    found = []
    desk.panel()
    desk.command("hpcctr:new")
    form = desk.picker()
    form.get_by_role("option").first.wait_for()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        desk.theme(theme)
        for part in (".jp-Dialog", "#hpcctr-jobs", "#hpcctr-status"):
            found += desk.accessible(part, theme=theme)
    assert found == []
