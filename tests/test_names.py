"""Core, ranks and the page know what schedulers can do, and none of them by name."""

import ast
import re

import pytest
from test_house import PACKAGE, ROOT, shown

from jupyter_hpcctr import plugins

NAMES = plugins.names(plugins.SCHEDULERS)
PROGRAMS = re.compile(r"slurm|srun|sbatch|squeue|scontrol|sinfo|sacct|scancel", re.IGNORECASE)
# Open MPI's own name of a part of it, which is switched off.
ALLOWED = {"jupyter_hpcctr/ranks/launcher.py": ["^slurm"]}
# What people type to find the commands of the palette: it decides nothing.
SOUGHT = "HPC cluster (Slurm, jobs, GPU)"
PYTHON = sorted(path for room in ("core", "ranks") for path in (PACKAGE / room).rglob("*.py"))
PAGES = sorted(p for p in (ROOT / "labextension" / "src").rglob("*.ts*") if "__tests__" not in p.parts)
COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
QUOTED = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"|`([^`]*)`")


def docstrings(tree):
    """What is for people who read the code: strings that are statements of their own."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def words(path):
    """Every identifier and every string of a module, without docstrings and comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings(tree):
            yield node.value
        for name in ("id", "attr", "name", "arg"):
            if isinstance(found := getattr(node, name, None), str):
                yield found


def named(texts):
    return [text for text in texts if PROGRAMS.search(text) or text in NAMES]


@pytest.mark.parametrize("path", PYTHON, ids=shown)
def test_core_and_ranks_name_no_scheduler(path):
    assert named(words(path)) == ALLOWED.get(shown(path), [])


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_the_page_names_no_scheduler(path):
    code = COMMENT.sub("", path.read_text(encoding="utf-8")).replace(SOUGHT, "")
    assert PROGRAMS.findall(code) == []
    assert named("".join(each) for each in QUOTED.findall(code)) == []


def test_a_name_would_be_found():
    assert set(NAMES) >= {"local", "slurm"}
    assert named(["local", "local times", "SLURM_JOB_ID", "plural"]) == ["local", "SLURM_JOB_ID"]
