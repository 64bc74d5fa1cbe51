"""Kernelspecs: what is in them, and which are collected."""

import json
import time

import pytest

from jupyter_hpcctr import kernelspecs
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.errors import RequestError

REQUEST = parse({"image": "registry.example.org/g/name:1.0", "nodes": 2, "gpus_per_node": 2, "env": {"A": "1"}})


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def write(name, *, saved=True, age_days=0.0):
    content = kernelspecs.content(REQUEST, saved=saved)
    content["metadata"]["hpcctr"]["created"] = int(time.time() - age_days * 86_400)
    return kernelspecs.write(name, content)


def test_a_kernelspec_holds_the_request_and_what_people_want_to_know():
    before = int(time.time())
    content = kernelspecs.content(REQUEST)
    about = content["metadata"]["hpcctr"]
    assert before <= about.pop("created") <= time.time()
    assert about == {"saved": True, "image": "registry.example.org/g/name:1.0", "nodes": 2, "gpus": 4}
    config = content["metadata"]["kernel_provisioner"]
    assert config["provisioner_name"] == "hpcctr" and parse(config["config"]["request"]) == REQUEST
    assert content["display_name"] == "name:1.0 on 2 nodes"
    assert kernelspecs.content(REQUEST, "Mine", saved=False)["display_name"] == "Mine"
    assert kernelspecs.content(parse({}))["display_name"] == "Python on 1 node"


def test_the_same_request_has_the_same_name():
    again = parse({"gpus_per_node": "2", "nodes": "2", "env": {"A": "1"}, "image": "registry.example.org/g/name:1.0"})
    assert kernelspecs.content_name(again) == kernelspecs.content_name(REQUEST)
    assert kernelspecs.content_name(parse({})) != kernelspecs.content_name(REQUEST)
    assert len(kernelspecs.content_name(REQUEST)) == len("hpcctr-") + 10


def test_what_is_written_is_found_and_removed(data):
    where = write("mine")
    assert where == str(data / "kernels" / "mine")
    assert kernelspecs.ours()["mine"]["spec"]["display_name"] == "name:1.0 on 2 nodes"
    with pytest.raises(RequestError) as refused:
        write("mine")
    assert refused.value.field == "name"
    kernelspecs.write("mine", kernelspecs.content(REQUEST, "Other"), replace=True)
    assert json.loads((data / "kernels" / "mine" / "kernel.json").read_text())["display_name"] == "Other"
    assert kernelspecs.remove("mine") == where
    assert "mine" not in kernelspecs.ours()


def test_names_that_jupyter_does_not_take_are_refused():
    with pytest.raises(RequestError) as refused:
        write("not a name")
    assert refused.value.field == "name"


def test_only_ours_are_removed(data):
    (data / "kernels" / "other").mkdir(parents=True)
    (data / "kernels" / "other" / "kernel.json").write_text('{"argv": ["x"], "display_name": "x", "language": "x"}')
    with pytest.raises(RequestError):
        kernelspecs.remove("other")
    assert (data / "kernels" / "other").exists()


def test_old_ones_of_one_start_are_collected():
    write("saved", age_days=99)
    write("young", saved=False, age_days=1)
    write("used", saved=False, age_days=99)
    write("old", saved=False, age_days=15)
    by_hand = kernelspecs.content(REQUEST)
    del by_hand["metadata"]["hpcctr"]
    kernelspecs.write("by-hand", by_hand)
    assert kernelspecs.collect({"used"}, 14) == ("old",)
    assert {"saved", "young", "used", "by-hand"} <= set(kernelspecs.ours())
