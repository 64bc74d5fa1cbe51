"""What Jupyter's own addresses answer when a kernel cannot be started: the status, and our sentence."""

import contextlib
import os
import re

import pytest
from support.kernels import site_of
from support.server import RefusedError, Server
from support.slurm import base_environment
from support.waiting import wait_until

from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.images.records import Name, Shelf, canonical

DAMAGED = "registry.example.org/ours/python:3"
LOCAL = {"engine": "bare", "scheduler": "local"}
SLURM = {"engine": "bare", "scheduler": "slurm"}
REQUESTS = {
    "mine": LOCAL,
    "ours": SLURM,
    "unreadable": {**LOCAL, "nodes": "many"},
    "forbidden": {"image": "registry.example.org/theirs/python:3"},
    "nowhere": {**SLURM, "partition": "nowhere"},
    "damaged": {"image": DAMAGED, "scheduler": "local"},
}
REFUSALS = {
    "unreadable": (400, "request", "nodes", False),
    "forbidden": (403, "resolve", "image", False),
    "nowhere": (409, "scheduler", "partition", False),
    "damaged": (422, "image", "", False),
}
DOWN = "sbatch: error: Unable to contact slurm controller (connect failure)"
NO = "sbatch: error: Batch job submission failed: Invalid account"


def damage(shelf, digest):
    """An image is in the store, but nobody can read what it is."""
    with shelf.locked(digest):
        shelf.write(Name(canonical(ImageRef(DAMAGED)), digest))
        shelf.image(digest).with_suffix(".json").write_text("{}")


@pytest.fixture(scope="module")
def shared(slurm):
    """One server, with its site, for all tests; commands in the site's bin are found first."""
    with site_of(base_environment() | slurm.env) as site:
        store = site.directory / "images"
        site.configure(image_patterns=["registry.example.org/ours/*"], store=str(store))
        damage(Shelf(store), f"sha256:{'0' * 64}")
        commands = site.directory / "bin"
        commands.mkdir()
        for name, request in REQUESTS.items():
            site.kernelspec(name, **request)
        server = Server(site, PATH=f"{commands}:{os.environ['PATH']}")
        try:
            yield site, server
        finally:
            server.kill()


@pytest.fixture
def site(shared, clean_environment):
    with shared[0].entered():
        yield shared[0]


@pytest.fixture
def server(shared, site):
    logged = len(shared[1].log)
    yield shared[1]
    shared[1].tidy()
    for job in shared[1].hpcctr("GET", "jobs")[1]["jobs"]:
        shared[1].hpcctr("DELETE", f"jobs/{job['id']}")
    print(shared[1].log[logged:])  # pytest shows it with a failure only


@contextlib.contextmanager
def replaced(site, command, script):
    """A command of Slurm is another program meanwhile."""
    place = site.directory / "bin" / command
    place.write_text(script)
    place.chmod(0o755)
    try:
        yield
    finally:
        place.unlink()


def failing(words):
    return f"#!/bin/sh\necho '{words}' >&2\nexit 1\n"


def start_kernel(server, name):
    return server.ask("POST", "kernels", {"name": name})


def start_session(server, name):
    return server.open_notebook("a.ipynb", name)


def change_session(server, name):
    """A notebook changes its kernel; a refusal leaves it the one that it has."""
    sessions = server.ask("GET", "sessions")[1]
    session = sessions[0] if sessions else server.open_notebook("a.ipynb", "python3")[1]
    before = session["kernel"]["id"]
    try:
        return server.ask("PATCH", f"sessions/{session['id']}", {"kernel": {"name": name}})
    finally:
        assert server.ask("GET", f"sessions/{session['id']}")[1]["kernel"]["id"] == before
        assert list(server.kernels()) == [before]


WAYS = [start_kernel, start_session, change_session]


def refused(ask, *words):
    """What a refusal says, with its status; checked for what every one has."""
    with pytest.raises(RefusedError) as caught:
        ask(*words)
    said = caught.value.said
    assert said["message"] == f"{said['short_message']} ({said['hint']})" or not said["hint"]
    assert (said["traceback"], said["reason"]) == ("", None)
    assert "Unhandled" not in said["message"]
    return {**said, "status": caught.value.status}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_kernel_has_its_status_and_its_sentence(server, name, way):
    said = refused(way, server, name)
    assert (said["status"], said["stage"], said["field"], said["transient"]) == REFUSALS[name], said
    assert said["hint"]


@pytest.mark.parametrize("way", WAYS)
def test_a_scheduler_that_is_down_may_be_asked_again(site, server, way):
    with replaced(site, "sbatch", failing(DOWN)):
        said = refused(way, server, "ours")
    assert (said["status"], said["stage"], said["transient"]) == (503, "scheduler", True)


@pytest.mark.parametrize("way", WAYS)
def test_a_launch_that_cannot_write_its_files_says_which(site, server, way):
    jobs = site.state / "jobs"
    jobs.mkdir(mode=0o700, exist_ok=True)
    aside = jobs.rename(site.state / "aside")
    jobs.write_text("in the way")
    try:
        said = refused(way, server, "mine")
    finally:
        jobs.unlink()
        aside.rename(jobs)
    assert (said["status"], said["stage"]) == (500, "launch")
    assert str(jobs) in said["message"]


def test_a_refused_restart_says_why_and_leaves_the_kernel_to_be_restarted(site, server):
    page = server.connect(server.open_notebook("a.ipynb", "ours")[1]["kernel"]["id"])
    assert page.run("print(1)")[1] == "1\n"
    restart = f"kernels/{page.kernel_id}/restart"
    (job,) = server.hpcctr("GET", "jobs")[1]["jobs"]
    server.hpcctr("DELETE", f"jobs/{job['id']}")
    wait_until(lambda: server.hpcctr("GET", f"jobs/{job['id']}")[1]["state"] == "ended", "the job's end")
    with replaced(site, "sbatch", failing(NO)):
        said = refused(server.ask, "POST", restart)
        assert (said["status"], said["stage"]) == (409, "scheduler")
        assert "Invalid account" in said["message"]
        assert list(server.kernels()) == [page.kernel_id]
        assert page.answer(page.execute("1"))["ename"] == "SubmitRefused"
    with replaced(site, "sbatch", failing(DOWN)):
        assert refused(server.ask, "POST", restart)["status"] == 503
    assert server.ask("POST", restart)[0] == 200
    assert page.run("print(2)")[1] == "2\n"
    assert server.ask("POST", restart)[0] == 200, "in the same job"
    assert server.ask("POST", f"kernels/{page.kernel_id}/interrupt")[0] == 204


def test_a_refusal_is_a_line_in_the_log_and_no_kernel_is_the_worse(server):
    logged = len(server.log)
    refused(start_session, server, "forbidden")
    lines = [line for line in server.log[logged:].splitlines() if "this site does not allow the image" in line]
    assert [line for line in lines if re.search(r"jupyter_hpcctr.* kernel=[0-9a-f-]{36} stage=resolve$", line)]
    assert server.kernels() == {}
    assert server.ask("GET", "sessions")[1] == []
    assert server.connect(start_kernel(server, "mine")[1]["id"]).run("print(1)")[1] == "1\n"


def test_what_is_not_ours_is_answered_as_jupyter_does(server):
    for ask in (
        lambda: server.ask("POST", "sessions", {"path": "a.ipynb", "kernel": {"name": "mine"}}),
        lambda: server.ask("PATCH", "sessions/00000000-0000-0000-0000-000000000000", {"path": "b.ipynb"}),
        lambda: server.ask("POST", "kernels/00000000-0000-0000-0000-000000000000/restart"),
    ):
        with pytest.raises(RefusedError) as caught:
            ask()
        assert "stage" not in caught.value.said
    assert server.open_notebook("a.ipynb", "python3")[0] == 201


class OnAFullDisk(Server):
    """A server before whose site's state a full file system has been mounted, for itself alone."""

    def before(self, site):
        mount = 'mount -t tmpfs -o size=4k,mode=700 none "$1" && { cat /dev/zero >"$1/full"; shift; exec "$@"; }'
        user = ("unshare", "--user", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}")
        return ("unshare", "-rm", "sh", "-c", mount, "sh", str(site.state), *user)


def test_a_full_disk_is_said(site):
    server = OnAFullDisk(site)
    try:
        for way in WAYS:
            said = refused(way, server, "mine")
            assert (said["status"], said["stage"]) == (507, "disk"), said
            assert "No space left on device" in said["message"]
    finally:
        server.kill()
        print(server.log)
