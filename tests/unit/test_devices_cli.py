"""``jupyter hpcctr devices``: what this node describes, and the description of its GPUs."""

import json

import pytest
from support.specs import NVIDIA, a_spec, as_text

from jupyter_hpcctr.cli.main import main
from jupyter_hpcctr.devices import found, nvidia

MADE = a_spec([{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}]}}], kind=nvidia.KIND)


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node whose one directory of specs is empty, which has no GPU, and whose user has no specs of their own."""
    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
        (tmp_path / name.lower()).mkdir()
    (tmp_path / "cdi").mkdir()
    monkeypatch.setattr(found, "STANDARD", (str(tmp_path / "cdi"),))
    monkeypatch.setattr(nvidia, "discover", lambda root="/", ldconfig="": None)
    return tmp_path


def test_devices_are_listed_with_the_file_that_describes_each_and_problems_are_said(node, capsys):
    (node / "cdi" / "a.json").write_text(as_text(a_spec()))
    (node / "cdi" / "b.json").write_text("{\n")
    own = node / "home" / ".config" / "cdi"
    own.mkdir(parents=True)
    (own / "n.json").write_text(as_text(MADE))
    assert main(["devices", "list"]) == 0
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines()] == [
        ["DEVICE", "FROM"],
        ["example.org/device=one", f"{node}/cdi/a.json"],
        ["nvidia.com/gpu=0", f"{own}/n.json"],
    ]
    assert f"{node}/cdi/b.json, line 2" in said.err


def test_a_gpu_that_no_file_describes_is_listed_as_found(node, monkeypatch, capsys):
    monkeypatch.setattr(nvidia, "discover", lambda root="/", ldconfig="": MADE)
    assert main(["devices", "list"]) == 0
    assert "nvidia.com/gpu=0  this node's NVIDIA driver" in capsys.readouterr().out


def test_a_node_without_devices_says_where_it_was_looked_for(node, capsys):
    assert main(["devices", "list"]) == 0
    assert capsys.readouterr().out.startswith(f"This node describes no devices: {node}/cdi")


def test_a_description_is_printed_as_json(node, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(nvidia, "discover", lambda ldconfig: seen.append(ldconfig) or MADE)
    assert main(["devices", "generate"]) == 0
    assert json.loads(capsys.readouterr().out) == MADE
    assert " => " in seen[0]  # the linker's cache of this machine was read


def test_where_there_is_no_gpu_that_is_said_with_what_to_do(node, capsys):
    assert main(["devices", "generate"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and "no NVIDIA GPU" in said.err and "what to do: run it on a node with GPUs" in said.err


def test_a_spec_in_yaml_is_listed_too(node, capsys):
    (node / "cdi" / "n.yaml").write_text(NVIDIA)
    assert main(["devices", "list"]) == 0
    assert "nvidia.com/gpu=all" in capsys.readouterr().out
