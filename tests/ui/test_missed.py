"""What cells print while their page is reloaded or closed is in the notebook afterwards, once and in order."""

import json
import re

import pytest
from support.waiting import wait_until

from .lab import picture

PRINTS = """import pathlib, time
number = 0
while not pathlib.Path("STOP").exists():
    print("line", number, flush=True)
    number += 1
    time.sleep(0.02)
print("the end")"""
DISPLAYS = """from IPython.display import display
bar = display("0 %", display_id=True)
print("before")"""
UPDATES = """import pathlib, time
while not pathlib.Path("GO").exists():
    time.sleep(0.05)
bar.update("100 %")
raise ValueError("as it should")"""
OUTPUTS = ".jp-NotebookPanel:visible .jp-CodeCell >> nth={} >> .jp-OutputArea"


@pytest.fixture
def notebook(lab):
    """Write a notebook of ours with code cells; return its name. What they wait for is removed afterwards."""
    flags = [lab.site.cwd / name for name in ("STOP", "GO")]

    def write(name, *sources):
        request = {"engine": "bare", "scheduler": "local"}
        kept = lab.hpcctr("POST", "requests", {"request": request, "saved": False})[1]
        cells = [
            {"cell_type": "code", "id": f"cell-{at}", "metadata": {}, "source": each, "outputs": [], "execution_count": None}
            for at, each in enumerate(sources)
        ]  # fmt: skip
        spec = {"name": kept["name"], "display_name": kept["display_name"], "language": "python"}
        document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
        (lab.site.cwd / name).write_text(json.dumps(document))
        return name

    yield write
    for flag in flags:
        flag.unlink(missing_ok=True)


def show(desk, name, place="lab/tree"):
    """Open a notebook and wait for its cells."""
    desk.page.on("dialog", lambda dialog: dialog.accept())  # of a notebook that is not saved
    desk.open(f"{place}/{name}")
    desk.page.locator(".jp-NotebookPanel:visible .jp-CodeCell").first.wait_for()
    return desk


def run_all(desk, lab):
    wait_until(lambda: [each["state"] for each in lab.jobs()] == ["running"], "the kernel")
    desk.command("notebook:run-all-cells")


def lines(desk, cell=0):
    """The numbers of the lines that a cell shows."""
    return [int(each) for each in re.findall(r"line (\d+)", desk.page.locator(OUTPUTS.format(cell)).inner_text())]


def prompt(desk, cell=0):
    return desk.page.locator(".jp-NotebookPanel:visible .jp-CodeCell").nth(cell).locator(".jp-InputPrompt").inner_text()


def test_a_cell_goes_on_printing_after_the_page_was_reloaded(desk, lab, notebook):
    show(desk, notebook("reloaded.ipynb", PRINTS, ""))
    run_all(desk, lab)
    wait_until(lambda: len(lines(desk)) > 20, "the first lines")
    desk.command("docmanager:save")
    desk.page.reload()
    desk.ready()
    desk.page.locator(".jp-NotebookPanel:visible .jp-CodeCell").first.wait_for()
    wait_until(lambda: prompt(desk) == "[*]:", "the cell is shown as running")
    before = len(lines(desk))
    wait_until(lambda: len(lines(desk)) > before + 20, "it goes on")
    picture(desk, "lab-reloaded")
    (lab.site.cwd / "STOP").touch()
    desk.page.locator(OUTPUTS.format(0)).get_by_text("the end").wait_for()
    wait_until(lambda: prompt(desk) == "[1]:", "it has ended")
    shown = lines(desk)
    assert shown == list(range(len(shown)))
    output = desk.cell("print(number)")
    output.get_by_text(re.compile(r"^\s*\d+\s*$")).wait_for()
    assert int(output.inner_text()) == len(shown)


def test_cells_that_ended_while_no_page_was_open_have_their_outputs(desks, lab, notebook):
    name = notebook("closed.ipynb", DISPLAYS, UPDATES)
    first = show(desks(), name)
    run_all(first, lab)
    first.page.locator(OUTPUTS.format(0)).get_by_text("before").wait_for()
    first.page.goto("about:blank")
    (lab.site.cwd / "GO").touch()
    (kernel,) = lab.kernels()
    wait_until(
        lambda: [each["state"] for each in lab.hpcctr("GET", f"kernels/{kernel}/cells")[1]["cells"]] == ["ended"] * 2,
        "both cells have ended",
    )
    second = show(desks(), name)
    second.page.locator(OUTPUTS.format(1)).get_by_text("ValueError: as it should").last.wait_for()
    shown = second.page.locator(OUTPUTS.format(0))
    shown.get_by_text("100 %").wait_for()
    assert shown.inner_text().split() == ["'100", "%'", "before"]
    assert [prompt(second, cell) for cell in (0, 1)] == ["[1]:", "[2]:"]
    picture(second, "lab-missed")
