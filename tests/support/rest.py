"""One server with the extension for all tests of it, on a site with a catalogue and limits."""

import json
import textwrap
import time

import pytest

from .kernels import Site
from .server import Server
from .slurm import base_environment, short_directory

BARE = {"engine": "bare", "scheduler": "slurm"}
CATALOGUE = [
    {"reference": "registry.example.org/lab/solver:2", "title": "Solver", "description": "For flows"},
    {"reference": "registry.example.org/lab/python:3.12", "title": "Python"},
]
NO_REGISTRY = "127.0.0.1:9"
"""Nobody listens there (the port of the discard protocol)."""
AUTHORIZER = """
from pathlib import Path
from jupyter_server.auth import Authorizer

class Denying(Authorizer):
    # Allows everything until there is a file "deny"; then nothing below the resource that is written in it.
    def is_authorized(self, handler, user, action, resource):
        deny = Path("deny")
        return not deny.exists() or resource != deny.read_text()

c.ServerApp.authorizer_class = Denying
"""


@pytest.fixture(scope="session")
def shared_site(slurm):
    """A site whose servers have the administrator's limits from one file and a server's own from another."""
    with short_directory() as directory:
        site = Site(directory, base_environment() | slurm.env)
        site.configure(
            catalogue=CATALOGUE,
            image_patterns=["registry.example.org/lab/*", "127.0.0.1:*/test/*", "oci:*"],
            registries=[NO_REGISTRY],
            store=str(directory / "images"),
        )
        (site.config / "jupyter_server_config.py").write_text(textwrap.dedent(AUTHORIZER))
        (site.config / "jupyter_server_config.json").write_text(json.dumps({"HpcctrSite": {"max_nodes": 2}}))
        yield site
        with site.entered():
            assert site.left_behind() == []


@pytest.fixture(scope="session")
def shared_server(shared_site):
    """Its server, which no test may end."""
    with shared_site.entered():
        server = Server(shared_site)
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def rest_site(shared_site, clean_environment):
    """The site, entered for a test."""
    with shared_site.entered():
        yield shared_site


@pytest.fixture
def rest_server(shared_server, rest_site):
    """The server; afterwards no kernel, no job of one and no kernelspec is left."""
    server = shared_server
    logged = len(server.log)
    yield server
    server.tidy()
    for kept in server.hpcctr("GET", "requests")[1]["requests"]:
        server.hpcctr("DELETE", f"requests/{kept['name']}")
    for job in server.hpcctr("GET", "jobs")[1]["jobs"]:
        server.hpcctr("DELETE", f"jobs/{job['id']}")
    until = time.monotonic() + 10
    while any("jupyter" in line and "COMPLETING" not in line for line in rest_site.queue()):
        assert time.monotonic() < until
        time.sleep(0.1)
    print(server.log[logged:])  # pytest shows it with a failure only


def keep(server, **request):
    """Keep a request; return its name."""
    return server.hpcctr("POST", "requests", {"request": BARE | request})[1]["name"]


def start(server, path="a.ipynb", **request):
    """Open a notebook with a kernel of a request, as the page does; return the kernel's id."""
    return server.open_notebook(path, keep(server, **request))[1]["kernel"]["id"]
