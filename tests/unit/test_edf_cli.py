"""Environment definition files on the command line."""

import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_hpcctr import edf
from jupyter_hpcctr.cli.main import main
from jupyter_hpcctr.core.request import Resources
from jupyter_hpcctr.protocol.container import Mount

FILE = """\
image = "quay.io#a/b:1"
mounts = ["${HOME}:/mine"]
[env]
A = "file"
B = "file"
[annotations]
com.hooks.cxi.enabled = "true"
[x-hpcctr]
nodes = 2
time = "1:00:00"
gpus-per-node = "a100:4"
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's directories with an environment in ~/.edf and in the present one."""
    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
        (tmp_path / name.lower()).mkdir()
    monkeypatch.delenv("EDF_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home" / ".edf").mkdir()
    (tmp_path / "home" / ".edf" / "tool.toml").write_text(FILE)
    (tmp_path / "notebook.toml").write_text(FILE)
    return tmp_path


def added(home, *words):
    """The request in the kernelspec that a command writes."""
    assert main(["kernelspec", "add", "tool", "--replace", *words]) == 0
    spec = json.loads((home / "jupyter_data_dir" / "kernels" / "tool" / "kernel.json").read_text())
    return spec["metadata"]["kernel_provisioner"]["config"]["request"]


@pytest.mark.parametrize("name", ["tool", "notebook.toml", "./notebook.toml"])
def test_a_kernelspec_is_made_of_a_file_by_its_name_or_path(home, name):
    assert added(home, "--edf", name) == {
        "image": "quay.io/a/b:1",
        "mounts": [f"{home}/home:/mine"],
        "env": {"A": "file", "B": "file"},
        "annotations": {"com.hooks.cxi.enabled": "true"},
        "nodes": 2,
        "time_minutes": 60,
        "gpus_per_node": 4,
        "gpu_type": "a100",
    }


def test_options_win_over_the_file_and_lists_grow(home):
    words = ["--edf", "tool", "--nodes", "1", "--time", "30", "--gpus", "h100:1", "--mount", "/x:/x", "--env", "B=mine"]
    words += ["--annotation", "com.hooks.cxi.enabled=false", "--annotation", "a=b=c", "--workdir", "/mine"]
    assert added(home, *words) == {
        "image": "quay.io/a/b:1",
        "mounts": [f"{home}/home:/mine", "/x:/x"],
        "env": {"A": "file", "B": "mine"},
        "annotations": {"com.hooks.cxi.enabled": "false", "a": "b=c"},
        "workdir": "/mine",
        "time_minutes": 30,
        "gpus_per_node": 1,
        "gpu_type": "h100",
    }


def test_a_request_is_saved_as_a_file_that_gives_the_same_kernelspec(home, capsys):
    first = added(home, "--edf", "tool", "--cpus-per-task", "3", "--save-edf", "saved.toml")
    assert capsys.readouterr().out.endswith("wrote saved.toml\n")
    assert stat.S_IMODE((home / "saved.toml").stat().st_mode) == 0o600
    assert added(home, "--edf", "saved.toml") == first
    capsys.readouterr()
    assert main(["kernelspec", "edf", "tool"]) == 0
    assert capsys.readouterr().out == (home / "saved.toml").read_text()


def test_a_file_that_is_there_is_replaced_only_when_asked(home, capsys):
    assert main(["kernelspec", "add", "new", "--edf", "tool", "--save-edf", "notebook.toml"]) == 1
    assert "there is a file notebook.toml already" in capsys.readouterr().err
    assert (home / "notebook.toml").read_text() == FILE
    assert not (home / "jupyter_data_dir" / "kernels" / "new").exists()
    added(home, "--edf", "tool", "--save-edf", "notebook.toml")
    assert (home / "notebook.toml").read_text() != FILE


def test_what_is_wrong_in_a_file_is_two_lines(home, capsys):
    (home / "notebook.toml").write_text(FILE + "node = 3\n")
    assert main(["kernelspec", "add", "tool", "--edf", "notebook.toml"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "request: notebook.toml, line 12: unknown request field 'node'"
    assert second.startswith("  what to do: known: ")


def test_what_is_for_other_programs_is_noted(home, capsys):
    (home / "notebook.toml").write_text(FILE + "[x-other]\na = 1\n")
    added(home, "--edf", "notebook.toml")
    assert "note: notebook.toml, line 12: x-other is another program's\n" in capsys.readouterr().err


def test_a_plan_is_drawn_of_a_file(home, capsys):
    (home / "bare.toml").write_text('workdir = "/tmp"\n[x-hpcctr]\nengine = "bare"\nscheduler = "local"\ntime = 7\n')
    assert main(["plan", "--edf", "bare.toml", "--json"]) == 0
    drawn = json.loads(capsys.readouterr().out)
    assert (drawn["engine"], drawn["workdir"], drawn["resources"]["time_minutes"]) == ("bare", "/tmp", 7)


def test_an_environment_of_a_kernelspec_that_is_not_ours_is_refused(home, capsys):
    assert main(["kernelspec", "edf", "nothing"]) == 1
    assert "there is no kernelspec 'nothing'" in capsys.readouterr().err
    assert edf.Finder({"HOME": str(home / "home")}, "").names() == {"tool"}


def test_the_example_of_the_documentation_is_read_and_written_as_it_stands_there(home, capsys):
    page = (Path(__file__).parents[2] / "docs" / "edf.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1]
    assert example.startswith("# ~/.edf/notebook.toml\n")
    (home / "home" / ".edf" / "notebook.toml").write_text(example)
    commands = re.findall(r"^jupyter hpcctr (kernelspec .*?)(?: +#.*)?$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert main(command.split()) == 0
    out = capsys.readouterr().out
    assert 'image = "nvcr.io#nvidia/pytorch:25.01-py3"\n' in out and "wrote small.toml\n" in out
    small = edf.load("small.toml", env={}, cwd=str(home)).request
    whole = edf.load("notebook", env=os.environ, cwd=str(home)).request
    assert whole.resources == Resources(nodes=2, ntasks_per_node=4, gpus_per_node=4, time_minutes=60, partition="debug")
    assert small == replace(whole, resources=replace(whole.resources, nodes=1))
    assert whole.mounts == (Mount(f"{home}/home/data", "/mnt/data"), Mount("/tmp", "/mnt/scratch"))
    assert whole.annotations == {
        "com.hooks.aws_ofi_nccl.enabled": "true",
        "com.hooks.aws_ofi_nccl.variant": "cuda12",
    }


def test_the_error_of_the_documentation_is_the_one_that_is_said(home, capsys):
    page = (Path(__file__).parents[2] / "docs" / "edf.md").read_text(encoding="utf-8")
    shown = re.search(r"\$ jupyter hpcctr (.*)\n((?:.*\n)*?)```", page)
    (home / "notebook.toml").write_text('image = "a"\n\nmounts = ["/scratch/d.sqsh:/d:sqsh"]\n')
    assert main(shown[1].split()) == 1
    assert capsys.readouterr().err == shown[2]
