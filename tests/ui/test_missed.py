"""What cells print while their page is reloaded or closed is in the notebook afterwards, once and in order."""

import json
import re

import pytest
from support.waiting import wait_until

from .lab import picture
from .test_notebook7 import OF_NOTEBOOK_7

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
LATER = 250  # lines in five seconds; the page looks for the second time three seconds after it was connected
OF_COMMS = "Comm not found for comm id"  # of the widgets' manager, when a page that has just come asks a busy kernel
EMPTY = {"outputs": [], "execution_count": None}
DEAF = "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel._ws.onmessage = () => undefined"
AGAIN = "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.reconnect()"
OUTPUTS = ".jp-NotebookPanel:visible .jp-CodeCell >> nth={} >> .jp-OutputArea"


@pytest.fixture
def notebook(lab):
    """Write a notebook of ours with code cells; return its name. What they wait for is removed afterwards."""
    flags = [lab.site.cwd / name for name in ("STOP", "GO")]

    def write(name, *sources):
        request = {"engine": "bare", "scheduler": "local"}
        kept = lab.hpcctr("POST", "requests", {"request": request, "saved": False})[1]
        cells = [
            {"cell_type": "code", "id": f"cell-{at}", "source": each, "metadata": {}} | EMPTY
            for at, each in enumerate(sources)
        ]
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
    desk.open(f"{place}/{name}", reset=place != "notebooks")
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


@pytest.mark.parametrize("place", ["lab/tree", "notebooks"])
def test_a_cell_goes_on_printing_after_the_page_was_reloaded(desks, lab, notebook, place):
    desk = desks()
    desk.expected += [OF_NOTEBOOK_7, OF_COMMS]
    show(desk, notebook(f"{place[:3]}.ipynb", PRINTS, ""), place)
    run_all(desk, lab)
    wait_until(lambda: len(lines(desk)) > 20, "the first lines")
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
    wait_until(lambda: output.inner_text().strip() == str(len(shown)), "the last number")


def both_end(lab):
    (kernel,) = lab.kernels()

    def states():
        return [each["state"] for each in lab.hpcctr("GET", f"kernels/{kernel}/cells")[1]["cells"]]

    wait_until(lambda: states() == ["ended"] * 2, "both cells have ended")


def test_a_page_that_was_not_connected_when_its_cells_ended_has_all_of_it_once(desk, lab, notebook):
    show(desk, notebook("deaf.ipynb", PRINTS, "print('line', number)\n6 * 7"))
    run_all(desk, lab)
    wait_until(lambda: len(lines(desk)) > LATER, "lines after the page's second look, which would find the rest")
    desk.page.evaluate(DEAF)
    (lab.site.cwd / "STOP").touch()
    both_end(lab)
    assert prompt(desk) == "[*]:"
    desk.page.evaluate(f"void {AGAIN}")
    desk.page.locator(OUTPUTS.format(1)).get_by_text("42", exact=True).wait_for()
    wait_until(lambda: [prompt(desk, cell) for cell in (0, 1)] == ["[1]:", "[2]:"], "both have ended here, too")
    shown = lines(desk)
    assert shown == list(range(len(shown)))
    assert lines(desk, 1) == [len(shown)]
    desk.command("notebook:insert-cell-below")
    desk.cell("print('goes', 'on')").get_by_text("goes on").wait_for()


def test_cells_that_ended_while_no_page_was_open_have_their_outputs(desks, lab, notebook):
    name = notebook("closed.ipynb", DISPLAYS, UPDATES)
    first = show(desks(), name)
    run_all(first, lab)
    first.page.locator(OUTPUTS.format(0)).get_by_text("before").wait_for()
    first.page.goto("about:blank")
    (lab.site.cwd / "GO").touch()
    both_end(lab)
    second = show(desks(), name)
    second.page.locator(OUTPUTS.format(1)).get_by_text("ValueError: as it should").last.wait_for()
    shown = second.page.locator(OUTPUTS.format(0))
    shown.get_by_text("100 %").wait_for()
    assert shown.inner_text().split() == ["'100", "%'", "before"]
    assert [prompt(second, cell) for cell in (0, 1)] == ["[1]:", "[2]:"]
    picture(second, "lab-missed")
