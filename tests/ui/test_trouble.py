"""What the page says when something does not work: a start that fails, a scheduler or a registry that is down."""

import re

import pytest

from .lab import WIDGETS, picture

WORDS = "the program says why it ends"
FAILING = {"engine": "bare", "scheduler": "slurm", "argv": ["sh", "-c", f"echo {WORDS}; exit 3", "{connection_file}"]}
COMMANDS = ("sinfo", "squeue", "sbatch", "scontrol", "sacctmgr")
REFUSED = {"engine": "bare", "scheduler": "slurm", "constraint": "nonesuch"}


@pytest.fixture
def saved(lab):
    """Save environments for the time of a test: ``saved("Name", request)``."""
    names = []

    def save(title, request):
        status, made = lab.hpcctr("POST", "requests", {"request": request, "display_name": title, "saved": True})
        assert status == 201
        names.append(made["name"])

    yield save
    for name in names:
        lab.hpcctr("DELETE", f"requests/{name}")


def card(desk, title):
    """A saved environment in the launcher."""
    return desk.page.locator(".jp-LauncherCard:visible", has_text=title).first


def test_a_start_that_fails_says_why_and_shows_its_log(desks, saved, lab):
    saved("Ends at once", FAILING)
    saved("Asks for what is not there", REFUSED)
    desk = desks().open()
    card(desk, "Ends at once").click()
    desk.panel()
    row = desk.row("Ended")
    row.get_by_role("button", name="Log").click()
    (number,) = [each["job"] for each in lab.jobs()]
    desk.page.get_by_role("log", name=f"Log of job {number}").get_by_text(WORDS).first.wait_for()
    picture(desk, "lab-log")
    row.get_by_role("button", name="Remove").click()
    row.wait_for(state="detached")
    desk.command("launcher:create")
    card(desk, "Asks for what is not there").click()
    desk.expected += [r"status of 409 .*/api/sessions", WIDGETS]
    refused = desk.page.get_by_role("dialog").filter(has_text="Error Starting Kernel")
    refused.get_by_text("Slurm refused the job: Invalid feature specification").wait_for()
    refused.get_by_text("choose features that nodes have").wait_for()
    refused.get_by_role("button", name="Ok", exact=True).click()


def test_daemons_that_are_down_are_named(desks, broken, second_registry):
    registry, process = second_registry
    desk = desks().open()
    desk.command("hpcctr:new")
    form = desk.picker()
    process.terminate()
    process.wait(timeout=30)
    form.get_by_label("Search images").fill("nobody-has-this")
    form.get_by_role("status", name="Found").get_by_text(registry.host).wait_for()
    with broken(*COMMANDS, words="Unable to contact slurm controller (connect failure)"):
        desk.set(form, "Nodes", "2")
        form.get_by_role("alert").filter(has_text=re.compile("controller|scheduler", re.IGNORECASE)).first.wait_for()
    desk.set(form, "Nodes", "1")
    form.get_by_role("status", name="What would be submitted").get_by_text("sbatch").wait_for()
