"""A JupyterLab with this checkout's extension, and what a test does on its page, by roles and accessible names."""

import contextlib
import json
import os
import re
import shutil
from pathlib import Path

from support.images import CHECKOUT
from support.server import RefusedError, Server

BUILT = CHECKOUT / "jupyter_hpcctr" / "_lab"
AXE = CHECKOUT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE_MS = 60_000
SIZE = {"width": 1280, "height": 800}
PICKER, JOBS = "New container kernel", "Cluster jobs"
WIDGETS = "@jupyter-widgets/jupyterlab-manager"
"""Complains of every notebook that has no kernel (ipywidgets 8.1)."""
LAST_CELL = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  return panel.content.widgets.length - 1;
}"""
LIMIT_MINUTES = 6
"""A job with this time limit is warned about when it has run for six seconds."""
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false"},
    "@jupyterlab/docmanager-extension/plugin": {"renameUntitledFileOnSave": False},
    "jupyter-hpcctr/plugin": {"warnMinutes": [LIMIT_MINUTES - 0.1]},
}


BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is the same engine without windows, and takes two thirds of the time."""


def chromium():
    """The path of the system's Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Lab(Server):
    """``python -m jupyterlab`` on a free port, with the Jupyter directories of a ``Site``."""

    MODULE, LEFT_OUT = "jupyterlab", ("jupyter_server_terminals",)
    OPTIONS = (
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    )

    def __init__(self, site, **env):
        assert (BUILT / "package.json").exists(), f"{BUILT} is not built: make setup"
        own = {
            f"JUPYTERLAB_{name.upper()}_DIR": str(site.directory / f"lab-{name}") for name in ("settings", "workspaces")
        }
        for plugin, chosen in SETTINGS.items():
            file = site.directory / "lab-settings" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(chosen))
        extensions = site.data / "labextensions"
        extensions.mkdir()
        (extensions / "jupyter-hpcctr").symlink_to(BUILT)
        enabled = {"ServerApp": {"jpserver_extensions": {"jupyter_hpcctr": True}}}
        (site.config / "jupyter_server_config.d").mkdir()
        (site.config / "jupyter_server_config.d" / "jupyter_hpcctr.json").write_text(json.dumps(enabled))
        (site.config / "labconfig").mkdir()
        (site.config / "labconfig" / "page_config.json").write_text(json.dumps({"buildCheck": False}))
        self.site = site
        super().__init__(site, **site.env, **own, **env)

    def jobs(self):
        """The extension's jobs as its REST interface lists them."""
        return self.hpcctr("GET", "jobs")[1]["jobs"]

    def clear(self):
        """End all kernels and jobs, and forget them, so that the next test begins anew."""
        self.tidy()
        for job in self.jobs():
            with contextlib.suppress(RefusedError):  # it has gone by itself
                self.hpcctr("DELETE", f"jobs/{job['id']}")

    def notebook(self, name, text="", **metadata):
        """Write a notebook with a cell of Markdown into the served directory; return its name."""
        made = [{"cell_type": "markdown", "id": "c0", "metadata": {}, "source": text}]
        document = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}
        (self.site.cwd / name).write_text(json.dumps(document))
        return name


OF_JUPYTER = "Canceled future for create_subshell_request"
"""JupyterLab's own complaint of a kernel that ends, or is left, while it still asks that one for a subshell."""


class Desk:
    """JupyterLab on a page, and what went wrong there."""

    def __init__(self, page, lab):
        self.page, self.lab = page, lab
        self.errors, self.foreign, self.expected = [], [], []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error.stack or error}"))
        page.on("console", self._said)
        page.on("request", self._asked)

    def _said(self, message):
        if message.type == "error":
            self.errors.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request):
        if not re.match(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:", request.url):
            self.foreign.append(request.url)

    def trouble(self):
        """What the browser complained of and no test expected, and what was asked of other hosts."""
        known = (*self.expected, OF_JUPYTER)
        errors = [each for each in self.errors if not any(re.search(each_known, each) for each_known in known)]
        return errors + self.foreign

    def forget(self):
        """What went wrong until now is known, and what is expected from now on is something else."""
        for each in (self.errors, self.foreign, self.expected):
            each.clear()

    def open(self, path="lab", *, reset=True):
        """Load JupyterLab, at a path of its own, and wait until it is there."""
        query = f"?token={self.lab.token}" + ("&reset" if reset else "")
        self.page.goto(f"{self.lab.url}/{path}{query}")
        self.ready()
        return self

    def ready(self):
        """Wait until JupyterLab has started and laid out its page."""
        self.page.wait_for_function("window.jupyterapp?.shell && window.jupyterapp.restored.then(() => true)")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def command(self, name, **args):
        """Run a command of JupyterLab's as a menu would, without waiting for its end."""
        words = json.dumps([name, args])
        self.page.evaluate(f"void window.jupyterapp.commands.execute(...{words})")

    def picker(self):
        """The form for a new kernel."""
        return self.page.get_by_role("dialog", name=PICKER)

    def leave(self):
        """Close the form by its button, not by the cross, which is called the same."""
        self.picker().get_by_role("button", name="Cancel", exact=True).filter(has_text="Cancel").click()
        self.picker().wait_for(state="detached")

    def set(self, form, label, value):
        """Fill a field, or take an option of it."""
        field = form.get_by_label(label, exact=True)
        if field.evaluate("each => each.tagName") == "SELECT":
            field.select_option(label=value)
        else:
            field.fill(value)

    def panel(self):
        """Show the jobs, and return their list."""
        self.command("hpcctr:jobs")
        return self.page.get_by_role("list", name=JOBS)

    def row(self, words):
        """The row of the jobs' list with these words in it."""
        return self.page.get_by_role("list", name=JOBS).get_by_role("listitem").filter(has_text=words)

    def status(self):
        """The item in the status bar."""
        return self.page.locator("#hpcctr-status")

    def cell(self, code):
        """Write code into the notebook's last cell and run it; return the cell's output area."""
        cells = self.page.locator(".jp-NotebookPanel:visible .jp-CodeCell")
        number = self.page.evaluate(LAST_CELL)
        cells.nth(number).locator(".cm-content").click()
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")
        return cells.nth(number).locator(".jp-OutputArea")

    def accessible(self, selector, *, theme=""):
        """Problems that axe-core finds below an element: texts, none where all is well."""
        self.page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
        found = self.page.evaluate("each => window.axe.run(each, {resultTypes: ['violations']})", selector)
        return [
            f"{theme} {each['id']}: {each['help']}: {node['html'][:200]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def theme(self, name):
        """Change the theme: "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{name}'}})")
        light = str("Light" in name).lower()
        self.page.locator(f"body[data-jp-theme-name='{name}'][data-jp-theme-light='{light}']").wait_for(
            state="attached"
        )


def picture(desk, name):
    """Write a picture for the documentation into the directory that HPCCTR_TEST_PICTURES names, if it names one."""
    if target := os.environ.get("HPCCTR_TEST_PICTURES"):
        desk.page.mouse.move(640, 4)
        desk.page.wait_for_timeout(600)  # transitions, a blinking cursor: for the picture's sake alone
        desk.page.screenshot(path=str(Path(target) / f"{name}.png"), animations="disabled", caret="hide")
