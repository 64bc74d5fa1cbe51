"""A pytest plug-in for other projects' tests: the kernel "python3" is ours there, started as a local job without image.

A server there has our extension, with its handlers in the place of Jupyter's.

Used with ``-p support.our_python3`` by ``test_jupyter_server.py``, never by this suite's own tests.
"""

import json
import os
from pathlib import Path

import pytest

from jupyter_hpcctr import compose, kernelspecs
from jupyter_hpcctr.core.request import parse

SITE = "HPCCTR_TEST_FOREIGN_SITE"


@pytest.fixture(autouse=True)
def our_python3(jp_environ, jp_data_dir, jp_config_dir, monkeypatch):
    """Install it where the test's Jupyter looks first, with the site's settings."""
    site = Path(os.environ[SITE])
    monkeypatch.setenv("HPCCTR_LOCAL_JOBS", str(site / "local"))
    settings = {"HpcctrSite": {"state_dir": str(site / "state"), "node_tmp": str(site / "tmp")}}
    (jp_config_dir / "jupyter_hpcctr_config.json").write_text(json.dumps(settings))
    extension = {"ServerApp": {"jpserver_extensions": {"jupyter_hpcctr": True}}}
    (jp_config_dir / "jupyter_server_config.json").write_text(json.dumps(extension))
    directory = jp_data_dir / "kernels" / "python3"
    directory.mkdir(parents=True)
    spec = kernelspecs.content(parse({"engine": "bare", "scheduler": "local"}))
    (directory / "kernel.json").write_text(json.dumps(spec))


def pytest_sessionfinish(session):
    """End what is left of kernels."""
    compose.close_all()
