"""Specs of the Container Device Interface: those that tools write are read, faults are said with file and line."""

import json
import os
import sys

import pytest
from support.specs import AMD, EXAMPLE, NVIDIA, SLINGSHOT, a_spec, as_text

from jupyter_hpcctr.devices.cdi import CdiMount, DeviceError, DeviceNode, Hook, Registry, is_name, read

DEVICE = {"deviceNodes": [{"path": "/dev/null"}]}


def refused(text, path="/etc/cdi/it.json"):
    with pytest.raises(DeviceError) as error:
        read(text if isinstance(text, str) else as_text(text), path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_specifications_own_example_is_read():
    spec = read(as_text(EXAMPLE), "vendor.json")
    assert (spec.kind, spec.version, [device.name for device in spec.devices]) == (
        "vendor.com/device", "0.6.0", ["myDevice"],
    )  # fmt: skip
    assert spec.devices[0].edits.nodes == (
        DeviceNode("/dev/card1", "/vendorroot/dev/card1"), DeviceNode("/dev/card2", "/dev/card2"),
    )  # fmt: skip
    assert spec.edits.env == (("FOO", "CDI_SPEC"), ("BAR", "BARVALUE1"))
    assert spec.edits.nodes == (DeviceNode("/dev/vendorctl", "/dev/vendorctl", uid=1000, gid=1000),)
    assert spec.edits.mounts[1] == CdiMount("/usr/lib/libVendor.so.0", "/usr/lib/libVendor.so.0")
    assert spec.edits.hooks[1] == Hook("startContainer", "/usr/bin/ldconfig")


def test_what_nvidias_tool_writes_is_read():
    spec = read(NVIDIA, "nvidia.yaml")
    assert [device.name for device in spec.devices] == ["0", "1", "all"]
    assert spec.edits.mounts[0].options == ("ro", "nosuid", "nodev", "rbind", "rprivate")
    assert spec.edits.hooks[0].args[:2] == ("nvidia-cdi-hook", "create-symlinks")
    assert spec.edits.hooks[0].env == (("NVIDIA_CTK_DEBUG", "false"),)


def test_what_amds_tool_and_a_site_with_slingshot_write_is_read():
    amd = read(as_text(AMD), "amd.json")
    assert amd.devices[0].edits.nodes[0].file_mode == 0o660
    cxi = read(SLINGSHOT, "cxi.yaml")
    assert cxi.edits.gids == (44,) and cxi.annotations == {"org.example.network": "slingshot"}


def test_a_spec_says_the_same_in_json_and_in_yaml():
    yaml = pytest.importorskip("yaml")
    assert read(as_text(yaml.safe_load(NVIDIA)), "x.json").edits == read(NVIDIA, "x.yaml").edits


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ({"cdiVersion": "1.2.0"}, 2, "1.1.0 is the newest that is read here"),
        ({"cdiVersion": "0.9.0"}, 2, "CDI has no version 0.9.0"),
        ({"cdiVersion": "new"}, 2, "is no version"),
        ({"cdiVersion": 1}, 2, "must be a string"),
        ({"kind": "device"}, 3, "vendor.domain/class"),
        ({"kind": "vendor.com/foo/bar"}, 3, "is no kind"),
        ({"kind": "vendor..com/foo"}, 3, "is no kind"),
        ({"kind": "vendor.com/" + "a" * 64}, 3, "is no kind"),
        ({"kind": "a" * 300 + "/foo"}, 3, "is no kind"),
        ({"kind": "vendor.com/a.b"}, 3, "needs cdiVersion 0.6.0, but this is 0.5.0"),
        ({"devices": []}, 4, "it has no device"),
        ({"devices": {}}, 4, "must be a list"),
        ({"devices": [{"name": "a b"}]}, 6, "names no device"),
        ({"devices": [{"name": "a"}, {"name": "a"}]}, 8, "is there twice"),
        ({"devices": [{"name": "0"}], "cdiVersion": "0.4.0"}, 6, "needs cdiVersion 0.5.0"),
        ({"devices": [{"edits": {}, "name": "a"}]}, 6, "has no key 'edits'"),
        ({"annotations": {"a": "b"}}, 21, "needs cdiVersion 0.6.0"),
        ({"Annotations": {}}, 21, "write it as 'annotations'"),
        ({"annotations": {"a": 1}, "cdiVersion": "1.0.0"}, 22, "must be a string"),
    ],
)
def test_a_fault_is_said_with_its_line(change, line, words):
    said = refused({**a_spec([{"name": "one", "containerEdits": DEVICE}], env=["A=1"]), **change})
    assert said.startswith("/etc/cdi/it.json, line ") and words in said
    found = int(said.split("line ")[1].split(":")[0])
    assert found == line


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"env": ["A"]}, "write it as NAME=value"),
        ({"env": ["=1"]}, "write it as NAME=value"),
        ({"env": {"A": "1"}}, "containerEdits.env must be a list"),
        ({"env": [1]}, "containerEdits.env[0] must be a string"),
        ({"mounts": [{"hostPath": "/a"}]}, "must have the key 'containerPath'"),
        ({"mounts": [{"hostPath": "a", "containerPath": "/a"}]}, "absolute path without '..'"),
        ({"mounts": [{"hostPath": "/a", "containerPath": "/usr/../etc"}]}, "absolute path without '..'"),
        ({"mounts": [{"hostPath": "/a", "containerPath": "/a\nb"}]}, "absolute path without '..'"),
        ({"mounts": [{"hostPath": "/a", "containerPath": "/a", "options": "ro"}]}, "options must be a list"),
        ({"deviceNodes": [{"path": "/dev/../etc/shadow"}]}, "absolute path without '..'"),
        ({"deviceNodes": [{"path": "/dev/a", "permissions": "rx"}]}, "is no permission"),
        ({"deviceNodes": [{"path": "/dev/a", "type": "d"}]}, "is no type"),
        ({"deviceNodes": [{"path": "/dev/a", "uid": -1}]}, "whole number from 0"),
        ({"deviceNodes": [{"path": "/dev/a", "major": True}]}, "whole number"),
        ({"deviceNodes": [{"path": "/dev/a", "fileMode": "0660"}]}, "whole number"),
        ({"hooks": [{"hookName": "later", "path": "/a"}]}, "is no hook"),
        ({"hooks": [{"hookName": "poststop", "path": "a"}]}, "absolute path"),
        ({"hooks": [{"hookName": "poststop", "path": "/a", "timeout": 0}]}, "whole number from 1"),
        ({"additionalGids": [4]}, "needs cdiVersion 0.7.0"),
        ({"additionalGids": [1 << 32]}, "whole number from 0"),
        ({"netDevices": [{"hostInterfaceName": "ib0", "name": "ib0"}]}, "needs cdiVersion 1.1.0"),
        ({"intelRdt": {"closID": "a"}}, "needs cdiVersion 0.7.0"),
        ({"devices": []}, "containerEdits has no key 'devices'"),
        ([], "containerEdits must be an object"),
    ],
)
def test_edits_that_are_not_right_are_refused(edits, words):
    assert words in refused({**a_spec(), "containerEdits": edits})


def test_what_the_schema_forgets_is_read():
    nodes = [{"path": "/dev/a", "fileMode": 0o600, "uid": 0, "minor": -1}]
    spec = read(as_text(a_spec(deviceNodes=nodes, env=["A=b=c", "B="])), "x.json")
    assert spec.edits.nodes[0].file_mode == 0o600 and spec.edits.env == (("A", "b=c"), ("B", ""))


def test_newer_fields_are_checked_and_named():
    more = {"intelRdt": {"schemata": ["L3:0=f"]}, "netDevices": [{"hostInterfaceName": "ib0", "name": "ib0"}]}
    assert read(as_text(a_spec(version="v1.1.0", **more)), "x.json").edits.others == ("intelRdt", "netDevices")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: this is not JSON"),
        ('{\n"a":\n', "line 3: this is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"kind": "a", "kind": "b"}', "'kind' is there twice"),
        ("[]", "a spec must be an object"),
        ('{"cdiVersion": ' + "9" * 5000 + "}", "it.json"),
        (" " * (1 << 20) + "{}", "at most 1 MiB"),
    ],
)
def test_hostile_json_is_refused(text, words):
    assert words in refused(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [\n", "line 2: this is not YAML"),
        ("a: 'b\n", "this is not YAML"),
        ("a: &a [*a]\n", "aliases stand for too much"),
        ("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
         + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(12)), "aliases stand for"),
        ("a: &a {b: c}\nd:\n  <<: *a\n", "line 3: merge keys"),
        ("[" * 100_000, "nest"),
        ("[" * 100 + "]" * 100, "line 1: it is nested too deeply"),
        ("!!python/object/apply:os.system [true]\n", "this is not YAML"),
        ("? [a]\n: b\n", "this is not YAML"),
        ("a: \x07\n", "this is not YAML"),
        ("", "must be an object"),
        (NVIDIA.replace("createContainer", "later", 1), "line 25: 'later' is no hook"),
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(text, words):
    assert words in refused(text, "it.yaml")


def test_a_number_without_quotes_names_a_device_in_yaml():
    assert read(NVIDIA.replace('"0"', "0"), "x.yaml").devices[0].name == "0"


def test_without_pyyaml_a_spec_in_yaml_is_one_problem_and_one_in_json_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "a.yaml").write_text(NVIDIA)
    (tmp_path / "b.json").write_text(as_text(a_spec()))
    registry = Registry.load([str(tmp_path)])
    assert registry.devices() == ("example.org/device=one",)
    assert "PyYAML is not there" in registry.problems[0] and "write the spec in JSON" in registry.problems[0]


def put(directory, name, spec):
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(spec if isinstance(spec, str) else as_text(spec))
    return str(directory)


def test_a_later_directory_wins_and_broken_files_are_kept_as_problems(tmp_path):
    first = put(tmp_path / "a", "d.json", a_spec(env=["FROM=a"]))
    put(tmp_path / "a", "broken.json", "{")
    put(tmp_path / "a", "note.txt", "{")
    second = put(tmp_path / "b", "d.json", a_spec(env=["FROM=b"]))
    put(tmp_path / "b", "n.yaml", NVIDIA)
    registry = Registry.load([first, second, str(tmp_path / "none")])
    assert registry.edits(["example.org/device=one"]).env == (("FROM", "b"),)
    assert registry.kinds == ("example.org/device", "nvidia.com/gpu")
    assert registry.devices("nvidia.com/gpu") == ("nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=all")
    assert len(registry.problems) == 1 and "broken.json, line 1" in registry.problems[0]


def test_a_device_that_two_files_of_a_directory_describe_cannot_be_used(tmp_path):
    place = put(tmp_path / "a", "d.json", a_spec())
    put(tmp_path / "a", "e.json", a_spec())
    registry = Registry.load([place])
    assert registry.devices() == () and "d.json and" in registry.problems[0]
    with pytest.raises(DeviceError, match=r"cannot be used: .*d\.json and .*e\.json describe it"):
        registry.edits(["example.org/device=one"])
    settled = Registry.load([place, put(tmp_path / "b", "f.json", a_spec())])
    assert settled.devices() == ("example.org/device=one",) and settled.problems == ()


def test_what_all_devices_of_a_spec_need_is_there_once(tmp_path):
    registry = Registry.load([put(tmp_path / "a", "n.yaml", NVIDIA)])
    edits = registry.edits(["nvidia.com/gpu=1", "nvidia.com/gpu=0", "nvidia.com/gpu=all"])
    assert [node.path for node in edits.nodes] == ["/dev/nvidiactl", "/dev/nvidia1", "/dev/nvidia0"]
    assert len(edits.mounts) == 1 and len(edits.hooks) == 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nvidia.com/gpu=7", "there are nvidia.com/gpu=0, nvidia.com/gpu=1, nvidia.com/gpu=all"),
        ("amd.com/gpu=0", "there are nvidia.com/gpu=0"),
        ("gpu", "write it as vendor/class=device"),
        ("nvidia.com/gpu=", "write it as vendor/class=device"),
    ],
)
def test_a_device_that_is_not_there_is_said_with_those_that_are(tmp_path, name, words):
    with pytest.raises(DeviceError) as error:
        Registry.load([put(tmp_path / "a", "n.yaml", NVIDIA)]).edits([name])
    assert words in str(error.value)


def test_where_there_is_no_spec_the_directories_are_said(tmp_path):
    with pytest.raises(DeviceError, match=f"there is none in {tmp_path}"):
        Registry.load([str(tmp_path)]).edits(["nvidia.com/gpu=0"])


def test_what_is_no_spec_in_a_directory_does_not_stop_the_others(tmp_path):
    put(tmp_path / "a", "big.json", " " * ((1 << 20) + 1))
    (tmp_path / "a" / "bytes.json").write_bytes(b"{\n\xff")
    os.mkfifo(tmp_path / "a" / "fifo.json")
    (tmp_path / "a" / "gone.json").symlink_to("nowhere")
    (tmp_path / "a" / "folder.json").mkdir()
    registry = Registry.load([put(tmp_path / "a", "good.json", a_spec())])
    assert registry.devices() == ("example.org/device=one",)
    said = "\n".join(registry.problems)
    assert len(registry.problems) == 5
    assert "at most 1 MiB" in said and "bytes.json, line 2: this is not UTF-8" in said and "this is no file" in said


def test_a_spec_that_is_made_here_is_added():
    registry = Registry().with_spec(read(json.dumps(a_spec()), "made"))
    assert registry.edits(registry.devices()).nodes[0].path == "/dev/null"


def test_qualified_names():
    assert is_name("nvidia.com/gpu=0") and is_name("nvidia.com/gpu=0:1") and is_name("hpe.com/cxi=all")
    assert not any(map(is_name, ("nvidia.com/gpu", "gpu=0", "nvidia.com/gpu=a b", "/dev/x=0", "1a.com/gpu=0\n")))
