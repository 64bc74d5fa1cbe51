"""The package of an engine from elsewhere goes with the job, whole, or is refused."""

import sys

import pytest

from jupyter_hpcctr.agent.engine import NodeEngine
from jupyter_hpcctr.errors import EngineError
from jupyter_hpcctr.launch import outside


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def names(engine):
    return [name for name, _ in outside.sources(engine, "jupyter_hpcctr")]


def test_all_python_files_of_its_top_level_package_go(elsewhere):
    for name in ("away/__init__.py", "away/engines/__init__.py", "away/engines/one.py", "away/data.txt"):
        (elsewhere / name).parent.mkdir(exist_ok=True)
        (elsewhere / name).write_text(f"# {name}\n")
    assert names("away.engines.one:One") == ["away/__init__.py", "away/engines/__init__.py", "away/engines/one.py"]


def test_a_package_that_is_one_by_its_directory_alone_goes(elsewhere):
    (elsewhere / "away_bare").mkdir()
    (elsewhere / "away_bare" / "one.py").write_text("class One: ...\n")
    assert names("away_bare.one:One") == ["away_bare/__init__.py", "away_bare/one.py"]


def test_a_single_module_goes(elsewhere):
    (elsewhere / "away_alone.py").write_text("class One: ...\n")
    assert names("away_alone:One") == ["away_alone.py"]


@pytest.mark.parametrize("engine", ["", "jupyter_hpcctr.engines.charliecloud:Charliecloud"])
def test_of_our_own_nothing_is_added(engine):
    assert names(engine) == []


def test_a_package_that_is_too_large_is_refused(elsewhere, monkeypatch):
    monkeypatch.setattr(outside, "MOST_BYTES", 10)
    (elsewhere / "away_large.py").write_text("# as large as this\n")
    with pytest.raises(EngineError, match="'away_large' of the engine is larger than") as refusal:
        names("away_large:One")
    assert (refusal.value.field, bool(refusal.value.hint)) == ("engine", True)


def test_what_is_no_file_is_refused():
    with pytest.raises(EngineError, match="'sys' is no Python file"):
        names("sys:One")


def test_an_engine_that_a_job_does_not_have_is_named(agent_plan):
    with pytest.raises(EngineError, match="no_such_package.engine:Engine of this job is not in its archive"):
        NodeEngine(agent_plan(engine="no_such_package.engine:Engine"))
    assert "no_such_package" not in sys.modules


@pytest.fixture
def agent_plan():
    from dataclasses import replace

    from support.plans import agent_file

    return lambda **more: replace(agent_file().plan.ranks, **more)
