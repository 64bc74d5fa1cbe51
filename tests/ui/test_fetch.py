"""An image that is fetched before any kernel needs it, and the words that are copied from the form."""

import os
import re
import shutil

import pytest
from support.small_images import make, plain

from .lab import picture

__all__ = ["make"]  # a fixture

HALF = 5_000_000
SLOW = """#!/bin/sh
for word; do case $word in oci:*/layout:image) layout=${{word#oci:}}; layout=${{layout%:image}};; esac; done
if [ -n "$layout" ]; then
  mkdir -p "$layout"
  head -c {half} /dev/zero > "$layout/part"
  while [ -e {hold} ]; do sleep 0.1; done
  rm "$layout/part"
fi
exec {skopeo} "$@"
"""


@pytest.fixture
def desk(same_desk):
    """One page for all of these tests."""
    return same_desk


@pytest.fixture
def slow(lab):
    """Fetching stops half way while the file that this returns is there."""
    place, hold = lab.site.directory / "bin" / "skopeo", lab.site.directory / "hold"
    hold.touch()
    place.write_text(SLOW.format(half=HALF, hold=hold, skopeo=shutil.which("skopeo")))
    place.chmod(0o755)
    yield hold
    hold.unlink(missing_ok=True)
    place.unlink()


def large(root):
    plain(root)
    (root / "noise").write_bytes(os.urandom(2 * HALF))


def choose(desk, reference):
    desk.command("hpcctr:new")
    form = desk.picker()
    form.get_by_label("Search images").fill(reference)
    image = form.get_by_role("option", name=reference)
    image.click()
    return form, image


def test_an_image_is_fetched_ahead(desk, context, lab, make):
    reference = make(plain)
    form, image = choose(desk, reference)
    form.get_by_role("button", name="Fetch to the cluster").click()
    image.get_by_text("already on the cluster").wait_for()
    form.get_by_role("button", name="Fetch to the cluster").wait_for(state="detached")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    form.get_by_role("button", name="Copy as command").click()
    form.get_by_role("status", name="Done").get_by_text("Copied.").wait_for()
    command = desk.page.evaluate("navigator.clipboard.readText()")
    assert "kernelspec add" in command and f"--image={reference}" in command
    desk.leave()


def test_a_fetch_says_how_far_it_is_and_can_be_stopped(desk, lab, make, slow):
    form, image = choose(desk, make(large))
    form.get_by_role("button", name="Fetch to the cluster").click()
    said = form.get_by_role("status", name="Fetching")
    said.get_by_text(re.compile(r"fetching 5\.0 MB of 10 MB")).wait_for()
    bar = form.get_by_role("progressbar", name="Image being fetched")
    assert 0.4 < bar.evaluate("bar => bar.position") < 0.6
    told = desk.page.locator(".Toastify__toast", has_text="fetching 5.0 MB of 10 MB")
    told.get_by_role("button", name="Cancel fetching").wait_for()
    for theme in ("Dark", "Light"):
        desk.theme(f"JupyterLab {theme}")
        picture(desk, f"fetch-{theme.lower()}")
        assert desk.accessible(".jp-Hpcctr-dialog", theme=theme) == []
    form.get_by_role("button", name="Cancel fetching").click()
    said.get_by_text("was cancelled").wait_for()
    bar.wait_for(state="detached")
    slow.unlink()
    form.get_by_role("button", name="Fetch to the cluster").click()
    image.get_by_text("already on the cluster").wait_for()
    desk.leave()


def test_a_kernel_whose_image_is_fetched_shows_that_in_the_jobs(desk, lab, make, slow):
    form, _ = choose(desk, make(large))
    form.get_by_role("button", name="Start", exact=True).click()
    form.wait_for(state="detached")
    desk.panel()
    row = desk.row("Fetching image")
    bar = row.get_by_role("progressbar", name="Image being fetched")
    bar.wait_for()
    assert bar.bounding_box()["height"] < 10
    desk.status().get_by_text(re.compile(r"Fetching image: 5\.0 MB of 10 MB")).wait_for()
    for theme in ("Dark", "Light"):
        desk.theme(f"JupyterLab {theme}")
        picture(desk, f"fetching-{theme.lower()}")
        assert desk.accessible("#hpcctr-jobs", theme=theme) == []
    row.get_by_role("button", name="Cancel job").click()
    question = desk.page.get_by_role("dialog")
    question.get_by_text(re.compile(r"Cancel the job of \S+\.ipynb\?")).wait_for()
    question.get_by_role("button", name="Cancel job").click()
    desk.row("Ended").get_by_text("cancelled").first.wait_for()
