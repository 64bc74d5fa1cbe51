"""The image's file on its node: what is run is what was recorded, and stays what was compared."""

import os
from dataclasses import replace

import pytest

from jupyter_hpcctr.agent.children import Child
from jupyter_hpcctr.agent.image import ImageChanged, ImageFile
from jupyter_hpcctr.protocol import shared


@pytest.fixture
def image(tmp_path):
    """A file of this user's, and what a plan has recorded of it."""
    path = tmp_path / "image.sqfs"
    path.write_text("the image that was pulled")
    path.chmod(0o444)
    return shared.ImageFile(str(path), "squashfs", path.stat().st_size, os.getuid())


def swap(path, how):
    if how == "another size":
        path.unlink()
        path.write_text("somebody else's")
    elif how == "writable":
        path.chmod(0o464)
    elif how == "a link":
        path.rename(path.with_name("moved"))
        path.symlink_to("moved")
    elif how == "gone":
        path.unlink()
    elif how == "a pipe":
        path.unlink()
        os.mkfifo(path)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("another size", "it has 15 bytes, not 25"),
        ("writable", "others may write to it"),
        ("a link", "it is a link now"),
        ("gone", "No such file or directory"),
        ("a pipe", "it is no file"),
    ],
)
def test_a_file_that_changed_while_the_job_waited_is_not_run(image, tmp_path, how, said):
    swap(tmp_path / "image.sqfs", how)
    with pytest.raises(ImageChanged) as refused:
        ImageFile(image)
    assert image.path in str(refused.value)
    assert said in str(refused.value)


def test_a_file_of_somebody_else_is_not_run(image, monkeypatch):
    if os.getuid() == 0:
        os.chown(image.path, 1, 1)
    else:
        monkeypatch.setattr("os.getuid", lambda: 12345)
        image = replace(image, owner=12345)
    with pytest.raises(ImageChanged, match="it belongs to user"):
        ImageFile(image)


def test_what_is_compared_is_what_is_run_though_the_name_is_another_files_by_then(image, tmp_path):
    held = ImageFile(image)
    (tmp_path / "image.sqfs").unlink()
    (tmp_path / "image.sqfs").write_text("another with the same name")
    words = ["sh", "-c", 'cat "$1" > copy', "sh", held.name]
    Child(words, env=os.environ, cwd=str(tmp_path), fds=held.fds)._process.wait()
    assert (tmp_path / "copy").read_text() == "the image that was pulled"


def test_without_a_file_nothing_is_opened():
    for nothing in (None, shared.ImageFile("/", "directory", 0, None)):
        held = ImageFile(nothing)
        assert (held.name, held.fds) == ("", ())
