"""The words of the engines, whole, and what they refuse."""

import dataclasses

import pytest

from jupyter_hpcctr import plugins
from jupyter_hpcctr.core.plan import Container
from jupyter_hpcctr.core.request import Mount
from jupyter_hpcctr.errors import EngineError
from jupyter_hpcctr.protocol.shared import EngineCommand
from jupyter_hpcctr.protocol.words import HOLDER_PID

CONTAINER = Container(
    image="/store/a b.sqfs",
    kind="squashfs",
    mounts=(Mount("/opt/guest", "/hpcctr/guest"), Mount("/home/alice", "/home/alice")),
    workdir="/home/alice/my notes",
    env_file="/tmp/run/env",
    mount_point="/tmp/run/mnt",
)
BARE = dataclasses.replace(CONTAINER, image="", kind="none", mounts=())
ARGV = ("python3", "-c", "print('a b')", "--", "")


@pytest.fixture
def engine():
    return plugins.engine("charliecloud")


def test_ch_run_on_a_squashfs_file(engine):
    expected = EngineCommand(
        (
            "ch-run",
            "--unset-env=*",
            "--env-no-expand",
            "--set-env=/tmp/run/env",
            "--cd=/home/alice/my notes",
            "--mount=/tmp/run/mnt",
            "--bind=/opt/guest:/hpcctr/guest",
            "--bind=/home/alice:/home/alice",
            "/store/a b.sqfs",
            "--",
            *ARGV,
        ),
        reads_env_file=True,
    )
    assert engine.command(CONTAINER, ARGV) == expected
    assert engine.hold(CONTAINER, ARGV) == expected


def test_ch_run_on_a_directory_is_told_of_no_mount_point(engine):
    directory = dataclasses.replace(CONTAINER, kind="directory", image="/images/python")
    words = engine.command(directory, ARGV).argv
    assert words == tuple(
        word.replace("/store/a b.sqfs", "/images/python")
        for word in engine.command(CONTAINER, ARGV).argv
        if not word.startswith("--mount=")
    )


def test_ch_run_joins_without_mounting_again(engine):
    assert engine.join(CONTAINER, HOLDER_PID, ARGV) == EngineCommand(
        (
            "env",
            "--unset=TMPDIR",
            "ch-run",
            "--unset-env=*",
            "--env-no-expand",
            "--set-env=/tmp/run/env",
            "--cd=/home/alice/my notes",
            "--join-pid=@HOLDER_PID@",
            "/store/a b.sqfs",
            "--",
            *ARGV,
        ),
        reads_env_file=True,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "none"}, "runs no"),
        ({"image": "debian"}, "not an absolute path"),
        ({"image": "--write"}, "not an absolute path"),
        ({"workdir": ""}, "not an absolute path"),
        ({"mount_point": "mnt"}, "not an absolute path"),
        ({"image": "/a\0b"}, "not an absolute path"),
        ({"env_file": "/tmp/a=b/env"}, "with '='"),
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
    as_they_are = EngineCommand(ARGV)
    assert bare.command(BARE, ARGV) == bare.hold(BARE, ARGV) == bare.join(BARE, "1", ARGV) == as_they_are


@pytest.mark.parametrize(
    "changes", [{"kind": "squashfs", "image": "/store/1.sqfs"}, {"mounts": (Mount("/data", "/data"),)}]
)
def test_bare_refuses_images_and_mounts(changes):
    with pytest.raises(EngineError) as refusal:
        plugins.engine("bare").check(dataclasses.replace(BARE, **changes))
    assert refusal.value.hint
