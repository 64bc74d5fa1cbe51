"""CSCS's environment definition files: what is read from them, and what is refused with its line."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.requests import GRAMMAR, REQUESTS

from jupyter_hpcctr import edf
from jupyter_hpcctr.core.request import ImageRef, KernelRequest, Resources, to_dict
from jupyter_hpcctr.errors import RequestError
from jupyter_hpcctr.protocol.container import Mount

ENV = {"SCRATCH": "/scratch/me", "USER": "me", "HOME": "/home/me", "EMPTY": "", "PATH": "/usr/bin"}
IMAGES = st.sampled_from(
    [
        None,
        *map(
            ImageRef,
            (
                "ubuntu:24.04",
                "nvcr.io/nvidia/pytorch:25.01-py3",
                "localhost:5000/a/b:1",
                "[::1]:5000/a",
                f"registry.example.org/a@sha256:{'0' * 64}",
                "oci-archive:/scratch/$x/a.tar",
                "oci:dir:tag",
            ),
        ),
    ]
)


def nothing(name):
    raise RequestError(f"there is no {name}", hint="nowhere")


def read(text, *, files=None, env=ENV):
    """What a text says, with other files by their names."""

    def find(name):
        return (f"{name}.toml", files[name]) if name in (files or {}) else nothing(name)

    return edf.read(text, "notebook.toml", env=env, cwd="/work/me", find=find)


@settings(GRAMMAR, max_examples=60)
@given(REQUESTS, IMAGES)
def test_every_request_is_read_back_as_it_was_written(made, image):
    request = replace(made, image=image)
    found = edf.read(edf.write(request), "x.toml", env={}, cwd="/", find=nothing)
    assert found.request == request
    assert found.notes == ()


def test_what_is_written_is_what_the_container_engine_documents():
    request = KernelRequest(
        image=ImageRef("nvcr.io/nvidia/pytorch:25.01-py3"),
        mounts=(Mount("/scratch/me", "/work", True),),
        devices=("nvidia.com/gpu=all",),
        env={"OMP_NUM_THREADS": "4"},
        annotations={"com.hooks.cxi.enabled": "true"},
        workdir="/work",
        resources=Resources(nodes=2, mem_mb=4096, time_minutes=90),
    )
    assert edf.write(request) == (
        'image = "nvcr.io#nvidia/pytorch:25.01-py3"\n'
        'workdir = "/work"\n'
        "entrypoint = false\n"
        "writable = false\n"
        'mounts = [\n    "/scratch/me:/work:ro",\n]\n'
        'devices = [\n    "nvidia.com/gpu=all",\n]\n'
        '\n[env]\nOMP_NUM_THREADS = "4"\n'
        '\n[annotations.com.hooks.cxi]\nenabled = "true"\n'
        '\n[x-hpcctr]\nnodes = 2\nmem = "4G"\ntime = "1:30:00"\n'
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("library/ubuntu:24.04", "library/ubuntu:24.04"),
        ("docker.io#library/ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        ("docker://quay.io#a/b:1", "quay.io/a/b:1"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
        ("${REGISTRY:-quay.io}#a/b:1", "quay.io/a/b:1"),
        ("oci-archive:a.tar", "oci-archive:a.tar"),
    ],
)
def test_an_image_is_named_as_enroot_or_as_podman_does(written, meant):
    assert read(f'image = "{written}"').request.image.text == meant


def test_an_empty_image_is_none():
    assert read('image = ""').request.image is None


def test_variables_are_put_in_and_dollars_kept():
    text = """
mounts = ["${SCRATCH}/a:/a", "./data:/data:ro+rbind"]
workdir = "/home/${USER}"
[env]
A = "${NOTHING:-else} ${EMPTY:-x}"
B = "cost: $$5, $1"
[annotations]
com.hooks.ssh.authorize_ssh_key = "/home/${USER}/key"
"""
    found = read(text).request
    assert found.mounts == (Mount("/scratch/me/a", "/a"), Mount("/work/me/data", "/data", True))
    assert found.workdir == "/home/me"
    assert found.env == {"A": "else x", "B": "cost: $5, $1"}
    assert found.annotations == {"com.hooks.ssh.authorize_ssh_key": "/home/me/key"}


def test_annotations_are_the_same_dotted_nested_and_quoted():
    dotted = '[annotations]\ncom.hooks.a.enabled = "true"\ncom.hooks.b = 1\n'
    nested = '[annotations.com.hooks]\na.enabled = true\nb = "1"\n'
    quoted = '[annotations]\n"com.hooks.a.enabled" = "true"\n"com.hooks.b" = "1"\n'
    expected = {"com.hooks.a.enabled": "true", "com.hooks.b": "1"}
    assert [dict(read(text).request.annotations) for text in (dotted, nested, quoted)] == [expected] * 3


def test_base_environments_are_laid_under_one_another_in_order():
    files = {
        "site": 'image = "site:1"\nmounts = ["/a:/a", "/b:/b"]\n'
        '[env]\nX = "site"\nY = "site"\n[x-hpcctr]\naccount = "g1"',
        "ml": 'base_environment = "site"\nimage = "ml:1"\nwritable = true\n[env]\nY = "ml"\n[x-hpcctr]\nnodes = 4',
        "extra": 'devices = ["hpe.com/cxi=all"]\n[annotations]\na.b = "extra"\nc = "extra"',
    }
    text = """
base_environment = ["ml", "extra"]
mounts = ["/c:/c", "/a:/a"]
writable = false
[env]
Z = "mine"
[annotations]
c = "mine"
[x-hpcctr]
nodes = 2
"""
    found = read(text, files=files).request
    assert found == KernelRequest(
        image=ImageRef("ml:1"),
        mounts=(Mount("/b", "/b"), Mount("/c", "/c"), Mount("/a", "/a")),
        devices=("hpe.com/cxi=all",),
        env={"X": "site", "Y": "ml", "Z": "mine"},
        annotations={"a.b": "extra", "c": "mine"},
        resources=Resources(nodes=2, account="g1"),
    )


def test_resources_are_read_as_everywhere_and_a_time_needs_no_quotes():
    found = read(
        '[x-hpcctr]\nnodes = 2\ngpus-per-node = "a100:4"\nmem = "4G"\ntime = 01:30:00\nengine = "podman"'
    ).request
    assert to_dict(found) == {
        "engine": "podman", "nodes": 2, "gpus_per_node": 4, "gpu_type": "a100", "mem_mb": 4096, "time_minutes": 90,
    }  # fmt: skip


def test_another_programs_table_is_left_out_and_said():
    assert read('image = "a"\n\n[x-other]\nb = 1').notes == ("notebook.toml, line 3: x-other is another program's",)


WRONG = [
    ('image = "a"\nmounts = [\n', 3, "no TOML"),
    ('image = "a"\nimage = "b"\n', 2, "no TOML"),
    ("x = 1\nimage = a\n", 2, "no TOML"),
    ("# a\n\nimage = 3", 3, "image must be a text"),
    ('image = "a"\nwritable = "no"', 2, "true or false"),
    ('image = "a"\nwritable = true', 2, "not written to"),
    ("entrypoint = true", 1, "entrypoint is not run"),
    ('image = "/scratch/a.sqsh"', 1, "is a file"),
    ('image = "me@quay.io#a"', 1, "the user 'me'"),
    ('image = "mine#a"', 1, "not a registry"),
    ('image = "Not An Image"', 1, "not an image reference"),
    ('perfmon = true', 1, "'perfmon' means nothing here"),
    ('mounts = "/a:/a"', 1, "list of texts"),
    ('mounts = [\n  "/a:/a",  # one\n  "/b"\n]', 3, "not SOURCE:DESTINATION"),
    ('mounts = [\n  "/a:/a",\n\n  "${SCRATCH}/d.sqsh:/d:sqsh",\n]', 4, "the flag 'sqsh'"),
    ('mounts = [\n  "a:/a",\n]', 2, "not an absolute path"),
    ('workdir = "work"', 1, "not an absolute path"),
    ('image = "a"\ndevices = ["nvidia.com/gpu=all",\n"/dev/kfd"]', 3, "devices"),
    ('[env]\nA = "1"\nB = 2', 3, "B must be a text"),
    ('[env]\nA = "1"\n"B-C" = "2"', 3, "not the name of an environment variable"),
    ('[env]\nA = """\nx\n"""\nB = "2"', 2, "one line"),
    ('[env]\n\nA = ""', 3, "takes a variable away"),
    ('[env]\nA = "${EMPTY}"', 2, "takes a variable away"),
    ('[env]\nA = "1"\nPATH = "${PATH}:/x"', 3, "in the image is not known"),
    ('[env]\nA = "${NOWHERE}"', 2, "NOWHERE is not set"),
    ('[env]\nA = "$HOME"', 2, "'$' alone"),
    ('[env]\nA = "${HOME"', 2, "'$' alone"),
    ("[annotations]\ncom.a = 'x'\ncom.b = ['x']", 3, "the annotation com.b"),
    ("[annotations.com.hooks]\n\n'a b' = 'x'", 3, "not the key of an annotation"),
    ("env = 3", 1, "must be a table"),
    ('image = "a"\n[x-hpcctr]\nnodes = 2\nnode = 1', 4, "unknown request field 'node'"),
    ("[x-hpcctr]\ntime = 'soon'", 2, "not a time limit"),
    ("[x-hpcctr]\nntasks-per-node = 0", 2, "above zero"),
    ("[x-hpcctr]\nmounts = []", 2, "a place of its own"),
    ("[x-hpcctr]\nengine = 'a'\nmem = 1\nmem_mb = 2", 3, "twice"),
    ('image = "a"\n[x-hpcctr]\nimage = "b"', 1, "given twice"),
    ('base_environment = [\n  "nowhere",\n]', 2, "there is no nowhere"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "said"), WRONG)
def test_what_is_wrong_is_said_with_its_line_and_what_to_do(text, line, said):
    with pytest.raises(RequestError, match=re.escape(said)) as refusal:
        read(text)
    assert refusal.value.message.startswith(f"notebook.toml, line {line}: ")
    assert refusal.value.hint or "one line" in said or "name of an environment" in said


def test_what_is_wrong_in_a_base_environment_names_its_own_file_and_line():
    with pytest.raises(RequestError) as refusal:
        read('base_environment = "site"', files={"site": 'image = "a"\n\nwritable = true\n'})
    assert refusal.value.message.startswith("site.toml, line 3: ")


def test_files_in_a_circle_are_refused():
    with pytest.raises(RequestError, match="line 1: more than 10 files") as refusal:
        read('base_environment = "a"', files={"a": 'base_environment = "a"'})
    assert refusal.value.hint


@settings(GRAMMAR, max_examples=200)
@given(st.text() | st.text("[]{}\"'=.,# \n\rabx-1${}:", max_size=40))
def test_whatever_stands_in_a_file_is_read_or_refused(text):
    try:
        assert isinstance(read(text).request, KernelRequest)
    except RequestError as error:
        assert error.message.startswith("notebook.toml")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 10_000,
        "a = " + "9" * 10_000,
        'x-a = """\n' + "y\n" * 310 + "b = " + "9" * 5_000 + '\n"""\nz = 1',
        "mounts = [\n" + '"/a:/a:x",\n' * 5_000 + "]",
    ],
)
def test_a_text_that_is_meant_to_harm_is_refused(text):
    with pytest.raises(RequestError):
        read(text)


def test_names_are_looked_for_in_edf_path_and_else_in_the_home(tmp_path):
    for directory, image in ((".edf", "home"), ("first", "first"), ("second", "second")):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "tool.toml").write_text(f'image = "{image}"')
    (tmp_path / "second" / "other.toml").write_text('base_environment = "tool"\nworkdir = "/w"')
    env = {"HOME": str(tmp_path)}
    assert edf.load("tool", env=env, cwd="/").request.image.text == "home"
    env["EDF_PATH"] = f"{tmp_path}/first:{tmp_path}/second"
    found = edf.load("other", env=env, cwd="/").request
    assert (found.image.text, found.workdir) == ("first", "/w")
    assert set(edf.Finder(env, "/").names()) == {"tool", "other"}
    assert edf.load("second/tool.toml", env=env, cwd=str(tmp_path)).request.image.text == "second"


@pytest.mark.parametrize(
    "name", ["nowhere", "./nowhere.toml", "directory.toml", "binary.toml", "large.toml", "a" * 300]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    (tmp_path / "directory.toml").mkdir()
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "large.toml").write_text("#" * 70_000)
    with pytest.raises(RequestError, match=re.escape(Path(name).stem)) as refusal:
        edf.load(name, env={"HOME": str(tmp_path)}, cwd=str(tmp_path))
    assert refusal.value.hint
