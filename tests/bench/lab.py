"""What the extension adds to JupyterLab's start, and how fast its page and its REST interface answer."""

import gzip
import json
import os
import random
import subprocess
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from report import Row, goal, median
from support.kernels import Site
from support.slurm import base_environment
from ui.lab import BUILT, FLAGS, SIZE, Desk, Lab, chromium

IMAGES = 200
STARTED = """async () => {
  while (!window.jupyterapp?.restored) { await new Promise(done => setTimeout(done, 1)); }
  await window.jupyterapp.restored;
  return performance.now();
}"""
OPENED = """card => new Promise((done, failed) => {
  const began = performance.now();
  const look = () => {
    const list = document.querySelectorAll('[role=dialog] [role=option]');
    if (list.length) { done([performance.now() - began, list.length]); }
    else if (performance.now() - began > 20000) { failed(new Error('the form does not open')); }
    else { requestAnimationFrame(look); }
  };
  card.click();
  look();
})"""


def measure(place, effort):
    """Return the rows of the table."""
    site = Site(_made(Path(place["directory"]) / "lab"), base_environment() | {"SLURM_CONF": os.environ["SLURM_CONF"]})
    known = [{"reference": f"registry.example.org/tools/tool-{n:03}:1", "title": f"Tool {n}"} for n in range(IMAGES)]
    site.configure(catalogue=known, store=str(site.directory / "store"))
    # No other extension, and none that is installed for all: what is linked there is all that there is.
    Lab.OPTIONS += (f"--LabApp.labextensions_path={site.data / 'labextensions'}",)
    server = Lab(site)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            rows = _start(browser, server, effort.of(15, 5, 1), warms=effort.warms)
            rows += _picker(browser, server, effort.of(20, 5, 1))
            browser.close()
        return rows + _answers(server, effort.of(100, 20, 1))
    finally:
        server.kill()


def _made(directory):
    directory.mkdir()
    return directory


def _start(browser, server, rounds, *, warms):
    """Loads of the page with an empty cache, with the extension and without it, in turn and in any order."""
    link = server.site.data / "labextensions" / "jupyter-hpcctr"
    took, loaded = {True: [], False: []}, set()
    for number in range(rounds + warms):
        for there in random.sample((True, False), 2):
            if there != link.exists():
                link.symlink_to(BUILT) if there else link.unlink()
            milliseconds, asked = _load(browser, server)
            assert there == bool(asked), asked
            loaded |= asked
            if number >= warms:  # the first warms the machine's caches
                took[there].append(milliseconds)
    if not link.exists():
        link.symlink_to(BUILT)
    sizes = {name: len(gzip.compress((BUILT / name).read_bytes(), 6)) / 1000 for name in sorted(loaded)}
    of_all = [path for path in BUILT.rglob("*.js") if path.is_file()]
    every = sum(len(gzip.compress(path.read_bytes(), 6)) for path in of_all) / 1000
    added = median(took[True]) - median(took[False])
    return [
        Row("loaded at start, gzipped", sum(sizes.values()), "kB", None, None, _files(sizes, every)),
        Row("JupyterLab's start without the extension", median(took[False]), "ms", 1.0, None, "", took[False]),
        Row(
            "JupyterLab's start with it",
            median(took[True]),
            "ms",
            median(took[True]) / median(took[False]),
            goal(1.03),
            f"{added:+.0f} ms; empty caches, {rounds} loads each",
            took[True],
        ),
    ]


def _files(sizes, every):
    names = ", ".join(f"{Path(name).name.split('.')[0]} {size:.1f}" for name, size in sizes.items())
    return f"{names}; all of its JavaScript {every:.0f} kB"


def _load(browser, server):
    """Load the page in a browser context of its own; return (milliseconds, the extension's files that it asked for)."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    asked, ours = set(), "/lab/extensions/jupyter-hpcctr/"
    page.on("request", lambda request: asked.add(request.url.partition("?")[0]))
    page.goto(f"{server.url}/lab?token={server.token}&reset", wait_until="commit")
    took = page.evaluate(STARTED)
    context.close()
    return took, {url.partition(ours)[2] for url in asked if ours in url}


def _picker(browser, server, rounds):
    context = browser.new_context(viewport=SIZE)
    desk = Desk(context.new_page(), server).open()
    card = desk.page.locator(".jp-LauncherCard", has_text="New container kernel…").first
    took, shown = [], 0
    for _ in range(rounds + 1):
        milliseconds, shown = card.evaluate(OPENED)
        took.append(milliseconds)
        desk.leave()
    context.close()
    first, *others = took
    label, note = "from the click to the form with its images", f"{IMAGES} images known, {shown} of them on the page"
    return [
        Row(label, median(others), "ms", None, goal(300), note, others),
        Row("the same for the first time on a page", first, "ms", None, goal(150), "the form's code is loaded"),
    ]


def _answers(server, rounds):
    rows = []
    for name, words in (("options", "sinfo"), ("jobs", "squeue"), ("images", "")):
        answer = server.hpcctr("GET", name)[1]  # what is asked of the scheduler is kept from here on
        took = _milliseconds(lambda name=name: server.hpcctr("GET", name), rounds)
        note = f"{len(json.dumps(answer)) / 1000:.1f} kB of JSON"
        rows.append(Row(f"GET {name}", median(took), "ms", None, goal(50), note, took))
        if words:
            by_hand = _milliseconds(lambda name=words: subprocess.run([name], capture_output=True, check=True), rounds)
            rows.append(Row(f"{words} by hand", median(by_hand), "ms", None, None, "", by_hand))
            rows[-2].note += f"; {median(took) / median(by_hand):.2f} of {words} by hand"
    return rows


def _milliseconds(work, rounds):
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return took
