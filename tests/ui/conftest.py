"""One JupyterLab, one Slurm cluster, one registry and one browser for all tests of the page."""

import contextlib
import importlib.util
import os
import subprocess
from pathlib import Path

import pytest
from support.images import serving
from support.kernels import Site
from support.slurm import base_environment, short_directory
from support.waiting import wait_until

from .lab import FLAGS, SIZE, Desk, Lab, chromium

MANY = 200
HERE = Path(__file__).parent
FAILED = pytest.StashKey[bool]()


def missing():
    """What there is to install before these tests can run, or ""."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: pip install playwright"
    return "" if chromium() else "there is no Chromium: apt-get install chromium-headless-shell"


def pytest_collection_modifyitems(items):
    """Skip before anything is started; and the first test starts everything: that time is not its own."""
    why = missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(180, func_only=True))
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Note that a test has failed, so that pictures are taken of its pages."""
    report = yield
    item.stash[FAILED] = report.failed or item.stash.get(FAILED, False)
    return report


def catalogue(registry, image):
    """200 images that the site recommends: the tests' own, and others that nobody has fetched."""
    known = [
        {"reference": image.reference, "title": "Python with Open MPI", "description": "mpi4py, NumPy, Matplotlib"},
        {"reference": f"{registry.host}/science/pytorch:2.9", "title": "PyTorch", "description": "CUDA 13, NCCL"},
        {"reference": f"{registry.host}/science/scipy:1.17", "title": "SciPy", "description": "NumPy, SciPy, pandas"},
        {"reference": f"{registry.host}/science/r:4.5", "title": "R", "description": "IRkernel and the tidyverse"},
    ]
    more = range(MANY - len(known))
    return known + [{"reference": f"{registry.host}/group/tool-{n:03}:1.{n}", "title": f"Tool {n:03}"} for n in more]


@pytest.fixture(scope="package")
def chrome():
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def second_registry(tmp_path_factory):
    """Another registry, which a test may end: its process."""
    with serving(tmp_path_factory.mktemp("second")) as (registry, process):
        yield registry, process


@pytest.fixture(scope="package")
def lab(chrome, slurm, registry, second_registry, mpi_image, image_policy):
    """A JupyterLab; afterwards nothing may be left of what was started."""
    with short_directory() as directory:
        # Commands are looked for in "bin" first: a test puts there what it wants to fail.
        path = f"{directory}/bin:{os.environ['PATH']}"
        site = Site(directory, base_environment() | slurm.env | {"PATH": path})
        (directory / "bin").mkdir()
        site.configure(
            store=image_policy.store,
            catalogue=catalogue(registry, mpi_image),
            registries=[registry.host, second_registry[0].host],
            prices={"*": 0.05},
            currency="EUR",
        )
        server = Lab(site)
        try:
            yield server
        finally:
            server.kill()
            print(server.log)
            with pytest.MonkeyPatch.context() as patch:
                for name, value in site.env.items():
                    patch.setenv(name, value)
                found = site.left_behind()
                for line in site.queue():
                    subprocess.run(["scancel", "--quiet", line.split()[0]], check=False)
        assert found == []


@pytest.fixture(scope="package")
def context(chrome, lab):
    """What pages share: cookies and what was loaded once."""
    made = chrome.new_context(viewport=SIZE, reduced_motion="reduce", locale="en-GB")
    yield made
    made.close()


def pictures(request, pages, directory):
    """Keep what the pages of a failed test look like."""
    if request.node.stash[FAILED]:
        for number, page in enumerate(pages):
            page.screenshot(path=str(directory / f"last-{number}.png"))


@pytest.fixture
def desks(request, context, lab, tmp_path):
    """Open pages: ``desks()`` → ``Desk``; none may have errors or requests to other hosts that nobody expected."""
    made = []

    def begin():
        made.append(Desk(context.new_page(), lab))
        return made[-1]

    yield begin
    trouble = [each for desk in made for each in desk.trouble()]
    pictures(request, [desk.page for desk in made], tmp_path)
    for desk in made:
        desk.page.close()
    lab.clear()
    assert trouble == []


@pytest.fixture
def desk(desks):
    """A page with JupyterLab on it."""
    return desks().open()


@pytest.fixture(scope="module")
def opened(context, lab):
    """A page with JupyterLab on it that stays open for a file of tests."""
    desk = Desk(context.new_page(), lab).open()
    yield desk
    desk.page.close()


@pytest.fixture
def same_desk(request, opened, lab, tmp_path):
    """The same page for all tests of a file that leave it as it was: no dialog, and nothing open."""
    yield opened
    trouble = opened.trouble()
    pictures(request, [opened.page], tmp_path)
    lab.clear()
    if request.node.stash[FAILED]:
        opened.open()
    opened.forget()
    assert trouble == []


@pytest.fixture
def command(lab):
    """Run a command on the cluster: ``command("squeue", …)`` → its output."""

    def run(*words):
        return subprocess.run(words, env=lab.site.env, capture_output=True, text=True, check=True).stdout

    return run


@pytest.fixture
def full(command):
    """Fill the cluster, so that whatever is submitted waits; ``full()`` makes room again."""
    line = ("sbatch", "--parsable", "--nodes=2", "--exclusive", "--time=10", "--job-name=full")
    job = command(*line, "--output=/dev/null", "--wrap=sleep 600").strip()
    freed = []

    def free():
        if not freed:
            freed.append(command("scancel", "--signal=KILL", "--full", job))
            command("scancel", job)

    try:
        wait_until(lambda: "RUNNING" in command("squeue", "-h", "-j", job, "-o", "%T"), "the cluster is not to be had")
        yield free
    finally:
        free()


@pytest.fixture
def broken(lab):
    """Make a command fail as on a day when its daemon is down: ``with broken("squeue", "words"):``."""

    @contextlib.contextmanager
    def hide(*names, words):
        places = [lab.site.directory / "bin" / name for name in names]
        for place in places:
            place.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
            place.chmod(0o755)
        try:
            yield
        finally:
            for place in places:
                place.unlink()

    return hide
