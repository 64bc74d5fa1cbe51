"""Takes the pictures of the documentation: a real JupyterLab, with kernels in the image on the demo's cluster.

    python3 kernels/demo/demo.py             # its cluster and its kernelspec
    pip install playwright                   # in any environment; Chromium is the system's own
    python3 docs/pictures/make.py --demo DIR --lab PATH/TO/jupyter-lab

``notebook.png`` is the beginning of the demo's notebook after its last cell, ``ranks.png`` its cell with a halo
exchange, ``waiting.png`` a cell whose kernel waits in the queue. A picture is written only when the page shows what it
is to show.

The pictures ``lab-….png`` of the extension are taken by its tests, at the states that they check:
``HPCCTR_TEST_PICTURES=$PWD/docs/pictures pytest tests/ui``.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
HELLO = HERE.parents[1] / "kernels" / "demo" / "hello.ipynb"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
WAIT_MS = 120_000


@contextlib.contextmanager
def jupyterlab(program, notebooks, env):
    """Serve a directory; yield the address with its token in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="lab") as directory:
        own = {n: f"{directory}/{n.lower()}" for n in ("JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
        settings = Path(directory, "settings")
        news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        news.write_text('{"fetchNews": "false"}')
        words = [program, "--no-browser", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=picture"]
        words += [f"--ServerApp.root_dir={notebooks}", "--LabApp.expose_app_in_browser=True"]
        log = Path(directory, "log")
        with log.open("wb") as out:
            env = {**os.environ, **env, **own, "JUPYTERLAB_SETTINGS_DIR": str(settings)}
            server = subprocess.Popen(words, env=env, stdout=out, stderr=out)
        try:
            until = time.monotonic() + 60
            while not (found := list(Path(own["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json"))):
                if server.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"JupyterLab does not start:\n{log.read_text()}")
                time.sleep(0.1)
            yield json.loads(found[0].read_text())["url"]
        finally:
            server.terminate()
            server.wait(timeout=60)


def open_notebook(browser, address, name, *, height):
    """Open a notebook alone on the page, and start its cells."""
    page = browser.new_page(viewport={"width": 1000, "height": height})
    page.goto(f"{address}doc/tree/{name}?token=picture&reset")
    page.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for(timeout=WAIT_MS)
    page.wait_for_function("window.jupyterapp.shell.currentWidget?.sessionContext?.session", timeout=WAIT_MS)
    page.evaluate("window.jupyterapp.commands.execute('application:set-mode', {mode: 'single-document'})")
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    return page


def take(page, name):
    """Write the picture when the page has come to rest."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(800)
    page.screenshot(path=str(HERE / name))
    print(HERE / name, f"{(HERE / name).stat().st_size / 1000:.0f} kB")


def notebook(browser, address):
    """Take the pictures of the executed notebook."""
    page = open_notebook(browser, address, "hello.ipynb", height=1230)
    page.get_by_text("│ 1,000,000").last.wait_for(timeout=WAIT_MS)
    page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    take(page, "notebook.png")
    page.set_viewport_size({"width": 1000, "height": 1345})
    cells = json.loads(HELLO.read_text())["cells"]
    first = next(n for n, cell in enumerate(cells) if "".join(cell["source"]).startswith("## A halo exchange"))
    page.evaluate(f"window.jupyterapp.shell.currentWidget.content.scrollToItem({first}, 'start')")
    for _ in range(3):  # what comes into sight gets its height then, and moves the rest
        page.get_by_role("heading", name="A halo exchange").evaluate("each => each.scrollIntoView()")
        page.wait_for_timeout(300)
    page.get_by_text("rows 150 to 199 have").last.wait_for(timeout=WAIT_MS)
    page.locator(".jp-OutputArea-output img").last.wait_for(timeout=WAIT_MS)
    take(page, "ranks.png")
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()


def waiting(browser, address, notebooks, env):
    """Take the picture of a cell that waits: another job has the cluster for itself."""
    document = json.loads(HELLO.read_text())
    cells = [cell for cell in document["cells"] if "NumPy" in "".join(cell["source"])]
    (notebooks / "waiting.ipynb").write_text(json.dumps({**document, "cells": cells}))
    slurm = {**os.environ, **env}
    words = ["sbatch", "--parsable", "--nodes=2", "--exclusive", "--output=/dev/null", "--time=10", "--wrap=sleep 600"]
    job = subprocess.run(words, env=slurm, capture_output=True, text=True, check=True).stdout.strip()
    try:
        page = open_notebook(browser, address, "waiting.ipynb", height=480)
        page.get_by_text("is pending (Resources").last.wait_for(timeout=WAIT_MS)
        take(page, "waiting.png")
    finally:
        subprocess.run(["scancel", job], env=slurm, check=True)
    page.get_by_text("largest error").last.wait_for(timeout=WAIT_MS)
    page.close()


def main():
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--demo", type=Path, required=True, metavar="DIR", help="the demo's directory")
    parser.add_argument("--lab", default="jupyter-lab", help="the project's jupyter-lab")
    args = parser.parse_args()
    demo, chromium = args.demo.absolute(), shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None or not (demo / "cluster").exists():
        raise SystemExit("Chromium is not installed" if chromium is None else f"there is no demo in {demo}")
    env = {
        "SLURM_CONF": str(demo / "cluster" / "etc" / "slurm.conf"),
        "JUPYTER_CONFIG_DIR": str(demo / "config"),
        "JUPYTER_DATA_DIR": str(demo / "data"),
    }
    notebooks = demo / "pictures"
    notebooks.mkdir()
    try:
        shutil.copy(HELLO, notebooks)
        with sync_playwright() as playwright, jupyterlab(args.lab, notebooks, env) as address:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            notebook(browser, address)
            waiting(browser, address, notebooks, env)
            browser.close()
    finally:
        shutil.rmtree(notebooks)


if __name__ == "__main__":
    sys.exit(main())
