"""The user page of ``%%mpirun``: its cells run in the page's order in one kernel, and show what the page shows."""

import re

import pytest
from support.images import CHECKOUT
from support.notebooks import Notebook, by_rank, text_of, told

from jupyter_hpcctr.guest.mpirun.magic import HELP
from jupyter_hpcctr.guest.mpirun.options import COMMANDS, OPTIONS

PAGE = (CHECKOUT / "docs" / "mpirun.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(<!-- not run: [^\n]* -->\n)?```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)


@pytest.fixture
def notebook(start):
    """A kernel without a container, with two nodes of two slots each, which share this machine's CPUs."""
    env = {"MPI4PY_MPIABI": "openmpi", "OMPI_MCA_mpi_yield_when_idle": "1"}
    return Notebook(start(engine="bare", scheduler="slurm", nodes=2, ntasks_per_node=2, env=env))


def shown_by(notebook, code):
    """All that a cell shows as text: what it prints, and its error."""
    content, published = notebook.running.run(code)
    error = told(content) if content["status"] == "error" else ""
    return re.sub(r"\x1b\[[0-9;]*m", "", text_of(published, "stdout", "stderr")) + error


def missing(expected, shown):
    """The lines that the page promises and the cell does not show; ``…`` stands for anything."""
    lines = [line for line in expected.splitlines() if line.strip() and "│" not in line]
    patterns = {line: re.escape(line).replace("…", ".*") for line in lines}
    return [line for line, each in patterns.items() if not re.search(f"^{each}$", shown, re.MULTILINE)]


def test_the_pages_cells_show_what_it_says(notebook):
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == PAGE.count("```python")
    runnable = [(code, expected) for skipped, code, expected in blocks if not skipped]
    assert len(runnable) > 12
    for code, expected in runnable:
        shown = shown_by(notebook, code)
        assert ("Error" in shown) == ("Error" in expected), shown
        assert by_rank(expected) == {} or by_rank(shown) == by_rank(expected), shown
        assert missing(expected, shown) == [], shown


def test_every_option_and_every_command_is_on_the_page_and_in_the_help():
    options = {name for option in OPTIONS for name in (option.short, option.name) if name}
    for text in (PAGE, HELP):
        assert options <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
        assert [command for command in COMMANDS if f"%mpirun {command}" not in text] == []
    rows = re.findall(r"^\| `(?:-n N`, `)?(--[a-z-]+)", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(option.name for option in OPTIONS)
