"""The archive that a job carries: what is in it, that it stays the job's, and when it goes."""

import ast
import os
import shutil
import subprocess
import sys
import time
import zipfile

import pytest

from jupyter_hpcctr.launch import carried

PACKAGE = carried._ROOT


@pytest.fixture
def state(tmp_path):
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The package, installed in another place and compiled there."""
    root = tmp_path / "site-packages" / "jupyter_hpcctr"
    shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__", "_lab"))
    was = carried.archive("")
    monkeypatch.setattr(carried, "_ROOT", root)
    carried.archive.cache_clear()
    yield root, was
    carried.archive.cache_clear()


def job(state, name="1-1"):
    path = state / "jobs" / name
    path.mkdir(parents=True, mode=0o700)
    return path


def aged(state):
    """Let all archives be old."""
    then = time.time() - 2 * carried.OLD_S
    for each in (state / "agents").iterdir():
        os.utime(each, (then, then))


def kept(state):
    return sorted(each.name for each in (state / "agents").iterdir())


def started(archive, *words):
    return subprocess.run([sys.executable, str(archive), *words], capture_output=True, text=True, timeout=60, cwd="/")


def test_the_same_content_gives_the_same_bytes_wherever_it_is_installed(elsewhere):
    root, was = elsewhere
    assert carried.archive("") == was
    (root / "agent" / "room.py").write_text("# another version\n")
    carried.archive.cache_clear()
    assert carried.archive("").digest != was.digest


def test_a_job_has_an_archive_that_runs_and_files_that_are_run_by_their_path(state):
    directory = job(state)
    carried.give(state, directory)
    carried.give(state, directory)
    found = directory / "agent"
    assert {str(path.relative_to(found)) for path in found.rglob("*.py")} == set(carried.BY_PATH)
    assert (found / "agent" / "logfile.py").read_text() == (PACKAGE / "agent" / "logfile.py").read_text()
    assert not [path for path in found.rglob("*") if path.stat().st_mode & 0o077]
    said = started(found / "agent.zip", "agent", "/nothing")
    assert (said.returncode, "the launch's file cannot be read" in said.stderr) == (66, True)


def test_the_rooms_of_an_archive_are_its_own_and_not_those_that_are_installed(state):
    directory = job(state)
    carried.give(state, directory)
    code = "import jupyter_hpcctr.agent.main as a, jupyter_hpcctr.ranks.hub as b; print(a.__file__, b.__file__)"
    code = f"import sys; sys.path.insert(0, sys.argv[1]); {code}"
    words = [sys.executable, "-c", code, f"{directory}/agent/agent.zip"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    assert all(line.startswith(str(directory)) for line in said)


def test_the_guest_is_laid_out_on_a_node_as_it_is_in_the_package(state, tmp_path):
    directory = job(state)
    carried.give(state, directory)
    lay = "".join(f"unpacked.{each}(sys.argv[2]); " for each in ("lay_holder", "lay_early", "lay_later", "lay_later"))
    code = f"from jupyter_hpcctr.agent import unpacked; {lay}"
    code = f"import sys; sys.path.insert(0, sys.argv[1]); {code}"
    words = [sys.executable, "-c", code, f"{directory}/agent/agent.zip", str(tmp_path)]
    subprocess.run(words, timeout=60, check=True)
    found, package = tmp_path / "guest", PACKAGE / "guest"
    texts = {path.relative_to(found): path.read_text() for path in found.rglob("*.py")}
    assert texts == {path.relative_to(package): path.read_text() for path in package.rglob("*.py")}
    assert not [path for path in found.rglob("*") if path.stat().st_mode & 0o077]
    look = "import startup; print(startup.__cached__, startup.install.__code__.co_filename)"
    words = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, sys.argv[1]); {look}", str(found)]
    cached, file = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    assert (cached in {str(path) for path in found.rglob("*.pyc")}, file) == (True, str(found / "startup.py"))


def test_another_python_compiles_the_sources(state, monkeypatch):
    monkeypatch.setattr(carried.importlib.util, "MAGIC_NUMBER", b"\x00\x00\r\n")
    carried.archive.cache_clear()
    directory = job(state)
    carried.give(state, directory)
    carried.archive.cache_clear()
    monkeypatch.undo()
    assert started(directory / "agent" / "agent.zip", "agent", "/nothing").returncode == 66


def test_what_is_carried_needs_python_3_9_the_standard_library_and_pyzmq():
    for name in carried.sources():
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"), feature_version=(3, 9))
        for node in tree.body:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            allowed = {"zmq", *sys.stdlib_module_names, *({"spaces"} if name.startswith("enginekit") else ())}
            assert {each.partition(".")[0] for each in names} <= allowed, name
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                around = (name.split("/")[: -node.level] or [""]) if node.level <= name.count("/") + 1 else None
                assert around is not None, name
                target = [*filter(None, around), *(node.module or "").split(".")]
                rooms = [target[0]] if target[0] else [each.name for each in node.names]
                assert name == "__init__.py" or set(rooms) <= {*carried.ROOMS, "errors"}, name


def test_a_job_keeps_its_archive_when_the_package_becomes_another(state, elsewhere):
    root, was = elsewhere
    waiting = job(state, "waiting-1")
    carried.give(state, waiting)
    (root / "agent" / "__main__.py").write_text("raise SystemExit('another version')\n")
    carried.archive.cache_clear()
    later = job(state, "later-1")
    carried.give(state, later)
    shutil.rmtree(root)
    assert started(waiting / "agent" / "agent.zip", "agent", "/nothing").returncode == 66
    assert "another version" in started(later / "agent" / "agent.zip", "agent", "/nothing").stderr
    assert kept(state) == sorted([was.digest, carried.archive("").digest])


def test_an_archive_that_no_job_has_goes_when_it_is_old(state):
    directory = job(state)
    carried.give(state, directory)
    (state / "agents" / ".new-of-a-killed-process").mkdir()
    aged(state)
    assert [each.name for each in carried.sweep(state)] == [".new-of-a-killed-process"]
    shutil.rmtree(directory)
    carried.give(state, directory := job(state, "2-1"))
    shutil.rmtree(directory)
    assert carried.sweep(state) == [], "young"
    aged(state)
    assert [each.name for each in carried.sweep(state)] == [carried.archive("").digest]
    assert kept(state) == []


def test_a_launch_that_comes_while_its_archive_is_removed_has_it(state, monkeypatch):
    carried.give(state, job(state, "1-1"))
    shutil.rmtree(state / "jobs" / "1-1")
    aged(state)
    real, seen = carried._linked, []

    def comes_between(*args):
        seen.append(real(*args))
        if len(seen) == 1:
            (job(state, "2-1") / "agent").symlink_to(f"../../agents/{carried.archive('').digest}")
        return seen[-1]

    monkeypatch.setattr(carried, "_linked", comes_between)
    assert carried.sweep(state) == []
    assert zipfile.is_zipfile(state / "jobs" / "2-1" / "agent" / "agent.zip")


def test_without_a_state_directory_there_is_nothing_to_remove(state):
    assert carried.sweep(state) == []
