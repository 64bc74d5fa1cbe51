"""Without a mouse, and for people who see little: keys alone, and what axe-core finds."""

import contextlib
import re

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

ENVIRONMENT = "Flow solver"
PALETTE = "apputils:activate-command-palette"


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


def by_palette(desk, words, label, *, kind="active"):
    """Find a command in the palette: the one that Enter runs, or anywhere in the list ("item").

    JupyterLab closes the palette again when its page takes the focus, late in its start.
    """
    desk.page.wait_for_function(f"window.jupyterapp.commands.keyBindings.some(each => each.command === '{PALETTE}')")
    palette = desk.page.locator("#modal-command-palette")
    for _ in range(10):
        press(desk, "Escape", "Control+Shift+C")
        desk.page.keyboard.type(words)
        with contextlib.suppress(sync_api.TimeoutError):
            palette.locator(f".lm-mod-active{'' if kind == 'active' else ', .lm-CommandPalette-item'}").filter(
                has_text=label
            ).first.wait_for(timeout=2000)
            return
    raise AssertionError(f"the palette does not offer {label}")


def test_keys_alone_start_a_kernel(desk, lab):
    for words in ("slurm", "gpu", "cluster"):
        by_palette(desk, words, "New container kernel…", kind="item")
    by_palette(desk, "new container", "New container kernel…")
    press(desk, "Enter")
    form = desk.picker()
    form.wait_for()
    tab_to(desk, form.get_by_label("Search images"))
    desk.page.keyboard.type("tool-01")
    options = form.get_by_role("listbox", name="Images").get_by_role("option")
    options.nth(11).wait_for(state="detached")
    press(desk, "ArrowDown", "ArrowDown")
    form.get_by_role("option", name=re.compile("Tool 011"), selected=True).wait_for()
    press(desk, "ArrowUp")
    form.get_by_role("option", name=re.compile("Tool 010"), selected=True).wait_for()
    press(desk, "Control+A")
    desk.page.keyboard.type("Open MPI")
    options.nth(1).wait_for(state="detached")
    press(desk, "ArrowDown")
    form.get_by_role("option", name=re.compile("Python with Open MPI"), selected=True).wait_for()
    save_by_keys(desk, form)
    tab_to(desk, form.get_by_role("button", name="Start", exact=True))
    press(desk, "Enter")
    form.wait_for(state="detached")
    status = desk.status().get_by_role("button")
    status.get_by_text("Running").wait_for()
    desk.cell("print(6 * 7)").get_by_text("42").wait_for()
    # The status bar's item is reached by keys too, and shows the jobs.
    status.focus()
    press(desk, "Enter")
    desk.row("Running").get_by_role("button", name="Log").focus()
    press(desk, "Enter")
    desk.page.get_by_role("log", name=re.compile("Log of job")).wait_for()
    accessible_in_both_themes(desk)
    starts_from_its_card(desk)


def save_by_keys(desk, form):
    tab_to(desk, form.get_by_role("button", name="Save as environment"))
    press(desk, "Enter", "Control+A")
    desk.page.keyboard.type(ENVIRONMENT)
    press(desk, "Enter")
    form.get_by_role("status", name="Done").get_by_text(f"“{ENVIRONMENT}” is saved").wait_for()


def starts_from_its_card(desk):
    desk.leave()
    desk.command("launcher:create")
    desk.page.locator(".jp-LauncherCard[data-category='Notebook']:visible", has_text=ENVIRONMENT).click()
    desk.row("Running").nth(1).wait_for()


def accessible_in_both_themes(desk):
    """Let axe-core look at the form, the jobs, the log and the status bar."""
    desk.command("hpcctr:new")
    desk.picker().get_by_role("option").first.wait_for()
    desk.picker().get_by_text("Advanced").click()
    found = []
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        desk.theme(theme)
        for part in (".jp-Hpcctr-dialog", "#hpcctr-jobs", "#hpcctr-status", ".jp-Hpcctr-log"):
            found += desk.accessible(part, theme=theme)
    assert found == []
