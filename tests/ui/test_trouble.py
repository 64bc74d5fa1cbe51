"""What the page says when something does not work: a start that fails, a scheduler or a registry that is down."""

import re

import pytest

from .lab import picture

WORDS = "the program says why it ends"
FAILING = {"engine": "bare", "scheduler": "slurm", "argv": ["sh", "-c", f"echo {WORDS}; exit 3", "{connection_file}"]}
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
    row.wait_for()
    row.get_by_role("button", name="Log").click()
    (number,) = [each["job"] for each in lab.jobs() if each["state"] == "ended"]
    desk.page.get_by_role("log", name=f"Log of job {number}").get_by_text(WORDS).first.wait_for()
    picture(desk, "lab-log")
    row.get_by_role("button", name="Remove").click()
    row.wait_for(state="detached")


def test_daemons_that_are_down_are_named(desks, broken, second_registry, saved):
    registry, process = second_registry
    desk = desks().open()
    process.terminate()
    process.wait(timeout=30)
    desk.command("hpcctr:new")
    form = desk.picker()
    form.get_by_label("Search images").fill("mpi")
    form.get_by_text(re.compile(re.escape(registry.host))).first.wait_for()
    with broken("sinfo", "squeue", "sbatch", "scontrol", words="Unable to contact slurm controller (connect failure)"):
        desk.set(form, "Nodes", "2")
        form.get_by_role("alert").filter(has_text=re.compile("controller|scheduler", re.IGNORECASE)).first.wait_for()
