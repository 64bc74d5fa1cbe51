"""Kernelspecs: what is in them, and which are collected."""

import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

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


def test_jupyterlab_offers_the_debugger_with_ipykernel_and_not_with_a_command_of_ones_own():
    assert kernelspecs.content(REQUEST)["metadata"]["debugger"] is True
    assert "debugger" not in kernelspecs.content(parse({"argv": ["R", "-e", "{connection_file}"]}))["metadata"]


def test_a_kernelspec_may_be_started_where_the_site_requires_encryption():
    for request in (REQUEST, parse({"argv": ["R", "-e", "{connection_file}"]})):
        assert kernelspecs.content(request)["metadata"]["supported_encryption"] == ["curve"]


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


def test_what_was_saved_stays_saved_when_a_kernel_of_it_is_started():
    name, _ = kernelspecs.keep(REQUEST, "Mine", saved=True)
    again, spec = kernelspecs.keep(REQUEST, saved=False)
    assert (again, spec["display_name"]) == (name, "Mine")
    assert kernelspecs.is_saved(kernelspecs.ours()[name]["spec"])
    assert kernelspecs.keep(REQUEST, "Other", saved=True)[1]["display_name"] == "Other"


def test_those_of_single_starts_have_titles_that_tell_them_apart():
    raw = {"image": "lab/name:1", "partition": "debug", "mem": "4G", "time": 20}
    asked = [raw, {**raw, "ntasks": 4}, {**raw, "ntasks": 8}, {**raw, "ntasks": 8, "env": {"A": "1"}}]
    titles = [kernelspecs.keep(parse(each), saved=False)[1]["display_name"] for each in asked]
    assert titles[:3] == [
        "name:1 on 1 node",
        "name:1 on 1 node, 4 ranks, 4G, debug, 20 min",
        "name:1 on 1 node, 8 ranks, 4G, debug, 20 min",
    ]
    assert titles[3].startswith(titles[2])
    assert len(set(titles)) == 4
    assert kernelspecs.keep(parse(raw), saved=False)[1]["display_name"] == titles[0], "it is the same one"


def test_an_image_is_recent_for_good_once_it_is_saved():
    kernelspecs.keep(REQUEST, saved=False)
    assert kernelspecs.recent_images() == [("registry.example.org/g/name:1.0", False)]
    kernelspecs.keep(parse({"image": "registry.example.org/g/name:1.0"}), saved=True)
    assert kernelspecs.recent_images() == [("registry.example.org/g/name:1.0", True)]


def test_a_name_of_a_content_is_never_that_of_another():
    name, spec = kernelspecs.keep(REQUEST, saved=True)
    spec["metadata"]["kernel_provisioner"]["config"]["request"]["mounts"] = ["/etc:/mnt"]
    kernelspecs.write(name, spec, replace=True)
    kernelspecs.keep(REQUEST, saved=False)
    assert parse(kernelspecs.request_of(kernelspecs.ours()[name]["spec"])) == REQUEST


def test_several_may_keep_the_same_at_once():
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: kernelspecs.keep(REQUEST, saved=False)[0], range(24)))
    assert set(kept) == {kernelspecs.content_name(REQUEST)}


def test_one_that_somebody_has_changed_spoils_nothing(data):
    write("mine")
    metadata = (
        {"kernel_provisioner": "hpcctr"},
        {"kernel_provisioner": {"provisioner_name": "hpcctr", "config": []}, "hpcctr": "x"},
        {"kernel_provisioner": {"provisioner_name": "hpcctr"}, "hpcctr": {"created": "today", "image": 7}},
    )
    for number, each in enumerate(metadata):
        kernelspecs.write(f"odd{number}", {"argv": ["x"], "display_name": "x", "language": "x", "metadata": each})
    assert sorted(name for name in kernelspecs.ours() if name != "mine") == ["odd1", "odd2"]
    assert [kernelspecs.request_of(kernelspecs.ours()[name]["spec"]) for name in ("odd1", "odd2")] == [{}, {}]
    assert kernelspecs.recent_images() == [("registry.example.org/g/name:1.0", True)]
    assert kernelspecs.collect((), 0) == ()


def test_one_that_cannot_be_removed_does_not_keep_the_others(monkeypatch):
    write("a", saved=False, age_days=99)
    write("b", saved=False, age_days=99)
    remove = kernelspecs.remove

    def refuse(name):
        if name == "a":
            raise PermissionError(13, "not yours")
        return remove(name)

    monkeypatch.setattr(kernelspecs, "remove", refuse)
    assert kernelspecs.collect((), 14) == ("b",)


def test_what_is_installed_for_all_can_be_read_by_all_and_ones_own_by_oneself(tmp_path):
    content = kernelspecs.content(REQUEST)
    theirs, own = kernelspecs.write("all", content, prefix=str(tmp_path)), kernelspecs.write("own", content)
    assert stat.S_IMODE(os.stat(theirs).st_mode) == 0o755
    assert stat.S_IMODE(os.stat(own).st_mode) == 0o700
