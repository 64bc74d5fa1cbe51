"""Whether an image has what is to be mounted on."""

import subprocess

import pytest

from jupyter_hpcctr.images import places


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    place = tmp_path_factory.mktemp("places")
    root = place / "root"
    for name in ("usr/local/lib", "usr/lib/x", "opt/a b", "opt/[ab]*"):
        (root / name).mkdir(parents=True)
    (root / "usr/lib/file").write_text("x")
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/up").symlink_to("../opt/../usr/local")
    (root / "usr/absolute").symlink_to("/usr/local")
    (root / "usr/round").symlink_to("round")
    words = ("mksquashfs", root, place / "image.sqfs", "-quiet", "-no-progress")
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return place / "image.sqfs"


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/usr/local", True),
        ("/usr/local/nvidia", False),
        ("/usr/lib/file", True),
        ("/lib/x", True),
        ("/lib/nothing", False),
        ("/usr/up/lib", True),
        ("/usr/up/nothing", False),
        ("/usr/absolute/lib", False),
        ("/usr/round/x", False),
        ("/opt/a b", True),
        ("/opt/[ab]*", True),
        ("/opt/a*", False),
        ("/nowhere/at/all", False),
    ],
)
def test_directories_and_files_are_found_through_links_within_the_image(image, path, there):
    assert places.missing(image, [path]) == (() if there else (path,))


def test_of_what_cannot_be_read_nothing_is_said(tmp_path, monkeypatch, image):
    (tmp_path / "other").write_text("no image")
    assert places.missing(tmp_path / "other", ["/usr/local/nvidia"]) == ()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert places.missing(image, ["/usr/local/nvidia"]) == ()
