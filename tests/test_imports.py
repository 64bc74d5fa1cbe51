"""No files import one another, not even for types alone; what import-linter is told to ignore is ignored here."""

import ast
import graphlib
import sys
from pathlib import Path

import jupyter_hpcctr

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = Path(jupyter_hpcctr.__file__).parent
PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(name, path):
    """Modules of ours that a file names in an import, wherever it stands in it."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{each.name}" if f"{base}.{each.name}" in MODULES else base for each in node.names)


def graph():
    return {name: {each for each in imported(name, path) if each in MODULES} for name, path in MODULES.items()}


def excepted():
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (cycles,) = [each for each in contracts if each["type"] == "acyclic_siblings"]
    return [tuple(line.split(" -> ")) for line in cycles.get("ignore_imports", ())]


def circle(imports):
    """A circle of files, none where there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_files_import_one_another():
    imports = graph()
    assert imports["jupyter_hpcctr.guest.mpirun.panel"] >= {
        "jupyter_hpcctr.guest.mpirun.pulse",
        "jupyter_hpcctr.guest.mpirun.options",
    }
    for importer, name in excepted():
        imports[importer].discard(name)
    assert circle(imports) == []


def test_each_exception_is_needed():
    for importer, name in excepted():
        imports = graph()
        assert name in imports[importer]
        for other in set(excepted()) - {(importer, name)}:
            imports[other[0]].discard(other[1])
        assert circle(imports) != [], f"{importer} -> {name}"
