"""The site's configuration is edited under a running server: it goes on by what it read at its start, as one."""

import json
import os
import subprocess
import sys

import pytest
from support.rest import BARE
from support.waiting import wait_until

FILE = "jupyter_hpcctr_config.json"


def hpcctr(*words):
    """Exit status, and what a command prints."""
    command = [sys.executable, "-m", "jupyter_hpcctr.cli.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=dict(os.environ))
    return done.returncode, done.stdout


def opened(server, path):
    """A notebook with a kernel that has run a cell: its connection."""
    page = server.connect(server.open_notebook(path, "bare")[1]["kernel"]["id"])
    assert page.run("print(6 * 7)")[1] == "42\n"
    return page


def in_rest(server):
    """The kernels of a server's own jobs."""
    return {job["kernel_id"] for job in server.hpcctr("GET", "jobs")[1]["jobs"] if job["owner"] is None}


def in_command():
    """The kernels that the command line lists."""
    return {json.loads(line)["kernel"] for line in hpcctr("kernels", "list", "--json")[1].splitlines()}


def changed(server):
    """What the server says of the site's configuration."""
    return server.hpcctr("GET", "options?refresh=1")[1]["changed"]


def both_end(site, server, first, second):
    """Shut both kernels down, and see that nothing of them is left."""
    for page in (first, second):
        server.ask("DELETE", f"kernels/{page.kernel_id}")
    wait_until(lambda: site.queue() == [] and not site.records(), "the ends of both jobs")
    assert in_rest(server) == set()


def test_kernels_from_before_and_after_a_change_are_one_servers(site, serve):
    site.kernelspec("bare", **BARE)
    server = serve()
    first = opened(server, "a.ipynb")
    assert changed(server) is None
    assert hpcctr("doctor") == (0, "Nothing is wrong.\n")
    site.configure(max_nodes=1, image_patterns=["nobody/*"])
    second = opened(server, "b.ipynb")
    assert server.log.count("the site's configuration has changed at") == 1, "a launch looks at it"
    assert in_rest(server) == in_command() == {first.kernel_id, second.kernel_id}
    wait_until(lambda: changed(server), "the word in the form")
    said = changed(server)
    assert said["settings"] == ["image_patterns", "max_nodes"]
    assert "restart the server" in said["hint"]
    plan = server.hpcctr("POST", "plan", {"request": {**BARE, "nodes": 2}})[1]
    assert plan["resources"]["nodes"] == 2, "the limit that was read at the start holds, for previews as for launches"
    status, found = hpcctr("doctor")
    assert status == 1
    assert f"the Jupyter server {server.process.pid} at" in found and FILE in found
    both_end(site, server, first, second)
    assert server.log.count("the site's configuration has changed at") == 1
    again = serve()
    assert changed(again) is None
    assert again.hpcctr("GET", "options")[1]["limits"]["max_nodes"] == 1


@pytest.mark.parametrize("text", ["{", '{"HpcctrSite": {"max_nodes": "many"}}'])
def test_a_configuration_that_an_edit_has_broken_does_the_server_no_harm(site, serve, text):
    site.kernelspec("bare", **BARE)
    server = serve()
    first = opened(server, "a.ipynb")
    (site.config / FILE).write_text(text)
    second = opened(server, "b.ipynb")
    wait_until(lambda: changed(server), "the word in the form")
    assert changed(server)["settings"] == []
    assert "and is broken: " in changed(server)["message"]
    assert in_rest(server) == {first.kernel_id, second.kernel_id}
    site.configure()
    wait_until(lambda: changed(server) is None, "that it is mended")
    assert in_command() == {first.kernel_id, second.kernel_id}
    both_end(site, server, first, second)
