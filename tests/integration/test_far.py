"""Kernels whose jobs are started and asked for by HTTP, and by a worker process."""

import json

import pytest
from support.far import WORKER, Called, Web
from support.far_server import TOKEN, serving
from support.waiting import wait_until

from jupyter_hpcctr import plugins

SCHEDULERS = {"web": Web, "called": Called}


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def far(server, site, monkeypatch):
    """A site with both schedulers, as if they were installed. The server comes first: a site has its own TMPDIR."""
    real = plugins.scheduler
    monkeypatch.setattr(plugins, "scheduler", lambda name: SCHEDULERS[name]() if name in SCHEDULERS else real(name))
    for name, value in {**server.variables, "FAR_WORKER": str(WORKER)}.items():
        monkeypatch.setenv(name, value)
    site.configure(schedulers=["web", "called"], default_scheduler="web")
    return site


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_kernel_runs_restarts_and_leaves_nothing(far, start, name):
    kernel = start(engine="bare", scheduler=name)
    assert kernel.value("6 * 7") == 42
    old = kernel.value("__import__('os').getpid()")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("__import__('os').getpid()") != old
    assert kernel.launch.plan.submit.service == "batch"
    kernel.stop()
    assert far.left_behind() == []


def test_the_token_is_in_no_file_and_no_job(far, start, server):
    kernel = start(engine="bare")
    assert TOKEN not in kernel.value("str(dict(__import__('os').environ))")
    kept = [path for path in far.state.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []


@pytest.mark.parametrize("trouble", ["500", "401", "junk", "cut"])
def test_trouble_of_the_server_changes_nothing_for_a_kernel_that_runs(far, start, server, trouble):
    kernel = start(engine="bare")
    kernel.run("x = 6 * 7")
    server.trouble = trouble
    heard = len(server.heard)
    kernel.launch._hub.edge.post(kernel.launch._hub.watch("web").poke)
    wait_until(lambda: len(server.heard) > heard, "the question")
    assert kernel.value("x") == 42
    assert (kernel.launch.view.state, kernel.launch.view.error) == ("running", None)
    server.trouble = ""
    kernel.stop()
    assert far.left_behind() == []


def test_a_submission_whose_answer_is_cut_is_found_again_and_not_repeated(far, start, server):
    server.trouble = "lost"
    kernel = start(engine="bare")
    assert kernel.value("6 * 7") == 42
    submitted = [json.loads(body)["job"] for _, path, _, body in server.heard if path == "/v1/submit"]
    assert len(submitted) == 1
    assert kernel.launch.job is not None


def test_who_is_not_known_is_told_what_to_renew(far, server):
    server.token_file.write_text("an old one")
    manager = far.manager(engine="bare")
    with pytest.raises(Exception, match="does not know who asks .401") as refused:
        manager.start_kernel()
    manager.context.destroy(linger=0)
    assert f"renew {server.token_file}" in str(refused.value) and "an old one" not in str(refused.value)
