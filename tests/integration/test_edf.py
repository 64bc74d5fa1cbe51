"""Environment definition files in a real server, and a kernel that one of them asks for, on a real node."""

import os

import pytest
from support.server import RefusedError

from jupyter_hpcctr import edf
from jupyter_hpcctr.core.request import parse, to_dict

TEXT = """
image = "registry.example.org#lab/python:3.12"
[annotations]
com.hooks.cxi.enabled = "true"
[x-hpcctr]
nodes = 2
mem = "4G"
"""
MEANT = {
    "image": "registry.example.org/lab/python:3.12",
    "annotations": {"com.hooks.cxi.enabled": "true"},
    "nodes": 2,
    "mem": "4G",
}


def read(server, **body):
    """What the server makes of a file."""
    return server.hpcctr("POST", "edf", body)[1]


def test_a_text_and_a_file_on_the_server_become_a_request_of_the_form(rest_server, rest_site):
    (rest_site.cwd / "tool.toml").write_text(TEXT)
    (rest_site.cwd / "more.toml").write_text('base_environment = "./tool.toml"\n[x-hpcctr]\nnodes = 1\n[x-other]\n')
    said = {"request": MEANT, "notes": [], "problem": None}
    assert read(rest_server, text=TEXT) == read(rest_server, path="tool.toml") == said
    more = read(rest_server, path=str(rest_site.cwd / "more.toml"))
    assert more["request"] == {name: value for name, value in MEANT.items() if name != "nodes"}
    assert len(more["notes"]) == 1 and "more.toml, line 4" in more["notes"][0]


def test_what_is_wrong_is_an_answer_with_its_line(rest_server):
    for name, shown in (({"name": "mine.toml"}, "mine.toml"), ({}, "the file")):
        said = read(rest_server, text=f"{TEXT}node = 1\n", **name)
        assert said["request"] is None
        assert said["problem"]["message"] == f"{shown}, line 8: unknown request field 'node'"
        assert said["problem"]["hint"].startswith("known: ")
    assert "there is no file nowhere.toml" in read(rest_server, path="nowhere.toml")["problem"]["message"]
    with pytest.raises(RefusedError) as refusal:
        read(rest_server, text="", path="a.toml")
    assert refusal.value.status == 400


def test_a_request_of_the_form_is_written_as_a_file_that_says_the_same(rest_server):
    text = rest_server.hpcctr("POST", "edf/text", {"request": MEANT})[1]["text"]
    assert 'image = "registry.example.org#lab/python:3.12"\n' in text
    assert read(rest_server, text=text)["request"] == MEANT


def test_a_kernel_has_the_work_directory_the_mounts_and_the_variables_of_its_file(
    site, start, kernel_image, image_policy
):
    site.configure(store=image_policy.store)
    (site.cwd / "data").mkdir()
    (site.cwd / "data" / "seen").write_text("yes")
    host, _, path = kernel_image.reference.partition("/")
    (site.cwd / "notebook.toml").write_text(f"""
image = "{host}#{path}"
mounts = ["./data:/mnt/data:rbind"]
workdir = "/mnt/data"
writable = false
[env]
GREETING = "hello ${{USER:-}} for $$5"
[annotations]
com.hooks.cxi.enabled = "true"
[x-hpcctr]
scheduler = "slurm"
time = 00:10:00
""")
    asked = edf.load("notebook.toml", env={**os.environ, "USER": "me"}, cwd=str(site.cwd)).request
    assert edf.read(edf.write(asked), "again", env={}, cwd="/", find=None).request == asked == parse(to_dict(asked))
    running = start(**to_dict(asked))
    assert running.value("__import__('os').getcwd()") == "/mnt/data"
    assert running.value("open('seen').read()") == "yes"
    assert running.value("__import__('os').environ['GREETING']") == "hello me for $5"
    assert any("com.hooks.cxi.enabled: without effect" in reason for reason in running.launch.plan.reasons)
