"""The rules of this repository that no other tool checks."""

import ast
import contextlib
import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_hpcctr
from jupyter_hpcctr.cli.main import parser
from jupyter_hpcctr.config import HpcctrSite
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.errors import RequestError

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "jupyter_hpcctr"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FILE_LINES = 300
FUNCTION_LINES = 50
# Directories that git ignores, for a checkout without git.
IGNORED = {".git", ".venv", "build", "dist", "node_modules", "__pycache__", "htmlcov", "_lab"}
PUBLIC_HOSTS = {
    "docker.io", "quay.io", "ghcr.io", "registry.example.org", "pypi.org", "files.pythonhosted.org",
}  # fmt: skip


@functools.cache
def text_files():
    """Every file of the repository that is text, with its text, wherever the tests run."""
    found = []
    for directory, below, names in os.walk(ROOT):
        inside = Path(directory) != ROOT
        below[:] = sorted(set(below) - IGNORED if inside else {d for d in below if d == ".ci" or d[0] != "."} - IGNORED)
        for path in (Path(directory, name) for name in sorted(names) if inside or name[0] != "."):
            with contextlib.suppress(UnicodeDecodeError):
                found.append((path, path.read_text(encoding="utf-8")))
    return tuple(found)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(tree):
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def shown(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_is_short_and_says_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= FILE_LINES
    assert (ast.get_docstring(tree) or "").strip()
    long = [f.name for f in functions(tree) if f.end_lineno - f.lineno + 1 > FUNCTION_LINES]
    assert long == []


@pytest.mark.parametrize("path", TESTS, ids=shown)
def test_tests_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


def imports(tree):
    """Names that are imported when the module runs; what is for the type checker alone does not count."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
        yield from imports(node)


def test_one_door_to_the_operating_system():
    found = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if {name.partition(".")[0] for name in imports(ast.parse(path.read_text(encoding="utf-8")))}
        & {"subprocess", "pty", "multiprocessing"}
    }
    assert found == {"edge/process.py", "agent/children.py", "guest/mpirun/probe.py"}


def test_placeholders_are_spelt_in_one_file():
    found = {shown(path) for path in MODULES if re.search(r"@[A-Z][A-Z_]*@", path.read_text(encoding="utf-8"))}
    assert found == {"jupyter_hpcctr/protocol/words.py"}
    spelt = re.findall(r"@[A-Z][A-Z_]*@", (PACKAGE / "protocol" / "words.py").read_text(encoding="utf-8"))
    assert len(spelt) == len(set(spelt))


def test_nothing_is_asked_of_the_environment_at_import():
    # Every module, in a process whose environment tells on those who read it.
    names = [module_name(p) for p in MODULES if p.name != "__main__.py" and "guest" not in p.parts]
    code = f"""
import importlib, os, sys
import jupyter_client, jupyter_server, zmq.auth.asyncio, ipykernel, traitlets.config  # theirs is not ours
class Telling(dict):
    def _look(self, name):
        frame = sys._getframe(2)
        while frame is not None and "os.py" in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is not None and "jupyter_hpcctr" in frame.f_code.co_filename:
            sys.exit(f"{{frame.f_code.co_filename}} reads {{name}} at import")
    def __getitem__(self, name): self._look(name); return super().__getitem__(name)
    def get(self, name, default=None): self._look(name); return super().get(name, default)
    def __contains__(self, name): self._look(name); return super().__contains__(name)
    def items(self): self._look("all"); return super().items()
    def __iter__(self): self._look("all"); return super().__iter__()
os.environ = Telling(os.environ)
os.getenv = os.environ.get
for name in {names!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("imported", "unwanted"),
    [
        ("jupyter_hpcctr", ("traitlets", "jupyter_client", "jupyter_server", "zmq", "tornado")),
        ("jupyter_hpcctr.agent.main", ("traitlets", "jupyter_client", "tornado", "asyncio", "jupyter_hpcctr.core")),
        ("jupyter_hpcctr.core.plan", ("traitlets", "zmq", "asyncio", "subprocess", "socket")),
    ],
)
def test_what_starts_often_imports_little(imported, unwanted):
    # With -S nothing of site-packages (a coverage hook, say) comes before; the path is handed over instead.
    code = f"import sys; sys.path[:] = {sys.path!r}; import {imported}; print(*sys.modules)"
    words = [sys.executable, "-S", "-E", "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert not set(unwanted) & set(done.stdout.split())


def test_no_registry_and_no_directory_of_a_machine_is_named():
    home = re.compile(r"(?<![\w.$}])/(?:home|Users)/(?!me\b|user\b)[a-z][\w-]*|/root/\.?\w+")
    mirror = re.compile(r"https?://([a-z0-9.-]*(?:pypi|mirror|artifactory|nexus|registry)[a-z0-9.-]*\.[a-z]{2,})", re.I)
    found = []
    for path, text in text_files():
        if path == Path(__file__):
            continue
        if PACKAGE.parent / "tests" not in path.parents:  # whose users are made up
            found += [f"{shown(path)}: {m[0]}" for m in home.finditer(text)]
        found += [f"{shown(path)}: {m[0]}" for m in mirror.finditer(text) if m[1].lower() not in PUBLIC_HOSTS]
        if len(ROOT.parts) > 2 and f"{ROOT}/" in text:
            found.append(f"{shown(path)}: {ROOT}")
    assert found == []


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(jupyter_hpcctr.__version__)}\]", text, re.MULTILINE)


def test_the_commands_of_the_texts_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*(?: [a-z][\w-]*)*):(?!=)", makefile, re.MULTILINE))
    known = {name for group in targets for name in group.split()}
    for path, text in documents():
        asked = set(re.findall(r"(?:^|`)(?:\$ )?make ([a-z][\w-]*)", text, re.MULTILINE))
        assert asked <= known, shown(path)


def documents():
    return [(path, text) for path, text in text_files() if path.suffix == ".md"]


@pytest.mark.parametrize("path", [path for path, _ in documents()], ids=shown)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}, target


def test_every_setting_and_every_request_key_is_documented():
    text = (ROOT / "docs" / "launch.md").read_text(encoding="utf-8")
    first = " ".join(re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE))
    documented = set(re.findall(r"`(\w+)`", first))
    with pytest.raises(RequestError) as refused:
        parse({"no_such_key": 1})
    keys = set(refused.value.hint.removeprefix("known: ").split(", "))
    settings = set(HpcctrSite.class_own_traits(config=True))
    assert (keys | settings) - documented == set()
    assert documented - (keys | settings) == set()


def test_examples_of_commands_are_understood():
    # Each "jupyter hpcctr …" in a console block of the texts is one that the command line can read.
    for path, text in documents():
        blocks = re.findall(r"```(?:console|sh|bash)\n(.*?)```", text, re.DOTALL)
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            found = re.match(r"\s*(?:\$ )?jupyter hpcctr (.*)$", line)
            if found is None or "…" in found[1] or "--help" in found[1]:
                continue
            words = shlex.split(found[1], comments=True)
            try:
                parser().parse_args(words)
            except SystemExit:
                raise AssertionError(f"{shown(path)}: {line}") from None
