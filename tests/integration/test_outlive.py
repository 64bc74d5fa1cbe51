"""Kernels that outlive their Jupyter server: real servers, and a real Slurm."""

import pytest
from support.waiting import wait_until

BARE = {"engine": "bare", "scheduler": "slurm"}
COUNT = "import time\nfor i in range(60):\n    print(i, flush=True)\n    time.sleep(0.1)\n"


@pytest.fixture
def kept(site):
    """A site at which kernels outlive servers, as they do where nobody says otherwise."""
    site.configure(at_stop="keep")
    site.kernelspec("bare", **BARE)
    return site


def opened(server):
    """A notebook with a kernel: the session, and a connection as a page makes it."""
    session = server.open_notebook("a.ipynb", "bare")[1]
    return session, server.connect(session["kernel"]["id"], session="a page")


def noted(site):
    """Wait until the kernel's session is in its record."""
    wait_until(lambda: any('"a.ipynb"' in each.read_text() for each in site.state.glob("kernels/*/record.json")), "note")


def again(serve, session):
    """Another server, which has the kernel under the same id and session: it, and a connection."""
    server = serve()
    (found,) = server.ask("GET", "sessions")[1]
    assert (found["id"], found["path"], found["kernel"]["id"]) == (session["id"], "a.ipynb", session["kernel"]["id"])
    return server, server.connect(session["kernel"]["id"], session="a page")


@pytest.mark.parametrize("way", ["crash", "stop"])
def test_the_next_server_goes_on_with_a_kernel_and_its_running_cell(kept, serve, way):
    server = serve()
    session, page = opened(server)
    assert page.run("x = 6 * 7")[0]["status"] == "ok"
    asked = page.execute(COUNT)
    page.shown(asked, "stream", "5")
    noted(kept)
    getattr(server, way)()
    server, page = again(serve, session)
    seen = page.until(lambda m: m["parent_header"].get("msg_id") == asked and m["header"]["msg_type"] == "execute_reply")
    assert seen[-1]["content"]["status"] == "ok"
    assert page.run("print(x)")[1] == "42\n"
    (job,) = server.hpcctr("GET", "jobs")[1]["jobs"]
    assert (job["state"], job["notebook"]) == ("running", "a.ipynb")
    server.ask("POST", "shutdown")
    server.process.wait(60)
    assert kept.left_behind() == []


@pytest.mark.parametrize("way", ["crash", "stop"])
def test_the_next_server_goes_on_with_a_kernel_that_is_pending(kept, serve, full, way):
    server = serve()
    session, page = opened(server)
    noted(kept)
    getattr(server, way)()
    server, page = again(serve, session)
    asked = page.execute("print(6 * 7)")
    full()
    assert page.ended(asked)[1] == "42\n"


def test_shutting_down_from_the_page_ends_the_jobs(kept, serve):
    server = serve()
    opened(server)
    server.ask("POST", "shutdown")
    server.process.wait(60)
    assert kept.left_behind() == []


def test_a_site_may_end_kernels_with_their_server(site, serve):
    site.kernelspec("bare", **BARE)
    server = serve()
    opened(server)
    server.stop()
    assert site.left_behind() == []
