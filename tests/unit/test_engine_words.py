"""The words of the engines, whole, and what they refuse."""

import dataclasses

import pytest

from jupyter_hpcctr import plugins
from jupyter_hpcctr.errors import EngineError
from jupyter_hpcctr.protocol.container import Container, EngineCommand, Mount, NodeFacts, Program

CONTAINER = Container(
    name="hpcctr-1001-1",
    image="/store/a b.sqfs",
    kind="squashfs",
    reference="r/n:1",
    digest="sha256:1",
    mounts=(Mount("/opt/guest", "/hpcctr/guest"), Mount("/home/alice", "/home/alice")),
    workdir="/home/alice/my notes",
    scratch="/tmp/run/engine",
)
BARE = dataclasses.replace(CONTAINER, image="", kind="none", mounts=())
ARGV = ("python3", "-c", "print('a b')", "--", "")
PROGRAM = Program(ARGV, "/tmp/run/env")
NODE = NodeFacts("/usr/bin/python3", "/tmp/run/enginekit", 1001, 1001, "v2")
CH_RUN = (
    "ch-run", "--unset-env=*", "--env-no-expand", "--set-env=/tmp/run/env", "--cd=/home/alice/my notes",
)  # fmt: skip


@pytest.fixture
def engine():
    return plugins.engine("charliecloud")


def test_ch_run_on_a_squashfs_file(engine):
    assert engine.start(CONTAINER, PROGRAM, NODE) == EngineCommand(
        (
            *CH_RUN, "--mount=/tmp/run/engine", "--bind=/opt/guest:/hpcctr/guest", "--bind=/home/alice:/home/alice",
            "/store/a b.sqfs", "--", *ARGV,
        ),
        "quoted",
    )  # fmt: skip


def test_ch_run_on_a_directory_is_told_of_no_mount_point(engine):
    directory = dataclasses.replace(CONTAINER, kind="directory", image="/images/python")
    words = engine.start(directory, PROGRAM, NODE).argv
    assert words == tuple(
        word.replace("/store/a b.sqfs", "/images/python")
        for word in engine.start(CONTAINER, PROGRAM, NODE).argv
        if not word.startswith("--mount=")
    )


def test_ch_run_enters_without_mounting_again(engine):
    words = (*CH_RUN, "--join-pid=4711", "/store/a b.sqfs", "--", *ARGV)
    assert engine.enter(CONTAINER, "4711", PROGRAM, NODE) == EngineCommand(words, "quoted")
    assert engine.remove(CONTAINER, NODE) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "none"}, "runs no"),
        ({"image": "debian"}, "not an absolute path"),
        ({"image": "--write"}, "not an absolute path"),
        ({"workdir": ""}, "not an absolute path"),
        ({"scratch": "engine"}, "not an absolute path"),
        ({"image": "/a\0b"}, "not an absolute path"),
        ({"scratch": "/tmp/a=b/engine"}, "with '='"),
        ({"mounts": (Mount("/data", "/data", read_only=True),)}, "/data read-only"),
        ({"mounts": (Mount("/a:b", "/mnt"),)}, "colon: '/a:b'"),
        ({"mounts": (Mount("/a", "/mnt/a:b"),)}, "colon: '/mnt/a:b'"),
        ({"mounts": (Mount("/a", "/"),)}, "over the root directory"),
        ({"mounts": (Mount("/a", "/mnt"), Mount("/b", "/mnt/"))}, "two directories"),
    ],
)
def test_ch_run_refuses_what_it_cannot_write_down(engine, changes, words):
    with pytest.raises(EngineError, match=words) as refusal:
        engine.check(dataclasses.replace(CONTAINER, **changes))
    assert refusal.value.hint


def test_what_can_be_written_down_is_not_refused(engine):
    engine.check(CONTAINER)
    engine.check(dataclasses.replace(CONTAINER, workdir="/a\nb", image="/a=b:c", mounts=(Mount("/a\nb", "/mnt/-x"),)))


def test_bare_runs_words_as_they_are():
    bare = plugins.engine("bare")
    bare.check(BARE)
    assert bare.start(BARE, PROGRAM, NODE) == bare.enter(BARE, "1", PROGRAM, NODE) == EngineCommand(ARGV)


@pytest.mark.parametrize(
    "changes", [{"kind": "squashfs", "image": "/store/1.sqfs"}, {"mounts": (Mount("/data", "/data"),)}]
)
def test_bare_refuses_images_and_mounts(changes):
    with pytest.raises(EngineError) as refusal:
        plugins.engine("bare").check(dataclasses.replace(BARE, **changes))
    assert refusal.value.hint
