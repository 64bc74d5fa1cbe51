"""Kernels of a real Jupyter server, through its REST interface and its WebSockets, on a real Slurm."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from support.kernels import site_of
from support.server import V1, RefusedError, Server, replies
from support.slurm import base_environment

BARE = {"engine": "bare", "scheduler": "slurm"}
PIDS = "import json, os; print(json.dumps([os.getpid(), os.environ['SLURM_JOB_ID']]))"


@pytest.fixture(scope="module")
def shared(slurm):
    """One server, with its site, for all tests; it looks every second whether its kernels are alive."""
    with site_of(base_environment() | slurm.env) as site:
        (site.config / "jupyter_server_config.json").write_text('{"KernelRestarter": {"time_to_dead": 1.0}}')
        for name, more in {"bare": {}, "nowhere": {"partition": "nowhere"}}.items():
            site.kernelspec(name, **BARE, **more)
        server = Server(site)
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
    """The server, which no test may end; a failed test shows what it has logged since the test's begin."""
    logged = len(shared[1].log)
    yield shared[1]
    shared[1].tidy()
    print(shared[1].log[logged:])
    gone(site)


@pytest.fixture
def bare():
    return "bare"


def jobs(site):
    """The jobs of kernels that have not ended: state by id."""
    lines = [line.split(maxsplit=2) for line in site.queue()]
    return {job: state for job, state, name in lines if name != "full"}


def gone(site):
    """Wait until no job of a kernel is there."""
    until = time.monotonic() + 10
    while found := {job: state for job, state in jobs(site).items() if state != "COMPLETING"}:
        assert time.monotonic() < until, found
        time.sleep(0.1)


def begin(server, name, path="a.ipynb"):
    """Open a notebook; return its kernel's id."""
    return server.open_notebook(path, name)[1]["kernel"]["id"]


def stream_of(asked):
    """Whether a message is standard output of one of these requests."""
    return lambda m: m["header"]["msg_type"] == "stream" and m["parent_header"].get("msg_id") in asked


def test_a_pending_kernel_is_listed_answers_and_says_why_it_waits(full, site, server, bare):
    status, session = server.open_notebook("a.ipynb", bare)
    assert status == 201
    assert session["kernel"]["id"] in server.kernels()
    assert list(jobs(site).values()) == ["PENDING"]
    page = server.connect(session["kernel"]["id"])
    asked = page.send("kernel_info_request", {})
    answer = page.until(lambda m: replies(m, asked))
    assert answer[-1]["content"]["language_info"]["name"] == "python"
    assert not [m for m in answer if m["content"].get("execution_state") == "starting" and not m["parent_header"]], (
        "jupyter_server holds back every new WebSocket of a kernel that says this"
    )
    job = next(iter(jobs(site)))
    asked = page.execute("1 + 1")
    shown = page.shown(asked, "display_data", f"job {job}")
    subprocess.run(["scontrol", "uhold", job], check=True)
    updated = page.shown(asked, "update_display_data", "JobHeldUser")
    assert f"job {job} is pending" in updated["data"]["text/plain"]
    assert updated["transient"] == shown["transient"]
    assert server.kernels()[session["kernel"]["id"]]["execution_state"] == "busy"


def test_another_kernel_works_while_one_waits(full, server, bare):
    waiting = server.connect(begin(server, bare))
    waiting.execute("1")
    local = server.connect(begin(server, "python3", "b.ipynb"), protocol="")
    assert local.run("print(6 * 7)")[1] == "42\n"
    server.ask("DELETE", f"kernels/{local.kernel_id}")
    assert list(server.kernels()) == [waiting.kernel_id]


@pytest.mark.parametrize("protocol", [V1, ""])
@pytest.mark.parametrize("same_session", [True, False])
def test_a_reloaded_page_finds_the_pending_kernel_and_its_cells_run(full, server, bare, protocol, same_session):
    kernel_id = begin(server, bare)
    page = server.connect(kernel_id, protocol=protocol)
    asked = [page.execute(f"print('cell {n}')") for n in range(3)]
    page.shown(asked[0], "display_data")
    page.close()
    (session,) = server.ask("GET", "sessions")[1]
    assert session["kernel"]["id"] == kernel_id
    again = server.connect(kernel_id, protocol=protocol, session=page.session if same_session else None)
    assert again.answer(again.send("kernel_info_request", {}))["status"] == "ok"
    full()
    texts = [again.until(stream_of(asked))[-1]["content"]["text"] for _ in asked]
    assert texts == ["cell 0\n", "cell 1\n", "cell 2\n"]
    assert again.run("print('now')")[1] == "now\n"


def test_interrupt_of_a_pending_kernel_aborts_its_cells(full, site, server, bare):
    page = server.connect(begin(server, bare))
    asked = [page.execute("1"), page.execute("2")]
    page.shown(asked[0], "display_data")
    assert server.ask("POST", f"kernels/{page.kernel_id}/interrupt")[0] == 204
    assert [page.answer(each)["status"] for each in asked] == ["error", "aborted"]
    assert list(jobs(site).values()) == ["PENDING"]
    full()
    assert page.run("print(1)")[1] == "1\n"


def test_delete_of_a_pending_kernel_ends_its_job(full, site, server, bare):
    page = server.connect(begin(server, bare))
    page.execute("1")
    assert server.ask("DELETE", f"kernels/{page.kernel_id}")[0] == 204
    assert jobs(site) == {}
    assert server.kernels() == {}
    assert server.ask("GET", "sessions")[1] == []


def test_restart_of_a_pending_kernel_keeps_its_job(full, site, server, bare):
    page = server.connect(begin(server, bare))
    before = jobs(site)
    page.execute("lost = 1")
    assert server.ask("POST", f"kernels/{page.kernel_id}/restart")[0] == 200
    assert jobs(site) == before
    full()
    assert page.run("import os; print(os.environ['SLURM_JOB_ID'])")[1].strip() in before


def test_a_refused_submission_is_told_and_the_server_is_none_the_worse(site, server, bare):
    with pytest.raises(RefusedError, match="nowhere") as refused:
        server.open_notebook("a.ipynb", "nowhere")
    assert refused.value.status == 409
    assert "partition" in refused.value.message
    first = server.connect(begin(server, bare, "b.ipynb"))
    assert first.run("print(1)")[1] == "1\n"
    assert server.ask("DELETE", f"kernels/{first.kernel_id}")[0] == 204
    assert server.connect(begin(server, bare, "c.ipynb")).run("print(2)")[1] == "2\n"


def test_a_killed_kernel_is_restarted_by_the_server_in_its_job(site, server, bare):
    page = server.connect(begin(server, bare))
    pid, job = json.loads(page.run(PIDS)[1])
    asked = page.execute("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    page.shown(asked, "error", "KernelDied")
    page.until(lambda m: m["content"].get("execution_state") == "restarting")
    assert page.answer(asked)["ename"] == "KernelDied"  # for who has not given it up by then
    again, same = json.loads(page.run(PIDS)[1])
    assert (again != pid, same) == (True, job)
    assert list(jobs(site)) == [job]


def test_a_job_that_ended_by_itself_is_started_again_by_the_user_alone(site, server, bare):
    logged = len(server.log)
    page = server.connect(begin(server, bare))
    job = json.loads(page.run(PIDS)[1])[1]
    asked = page.execute("import time; time.sleep(100)")
    page.shown(asked, "execute_input")
    subprocess.run(["scancel", job], check=True)
    told = page.answer(asked)
    assert (told["ename"], "cancelled" in told["evalue"]) == ("JobEnded", True)
    time.sleep(2.5)  # jupyter_client's restarter looks every second, as configured
    assert jobs(site) == {}
    assert page.answer(page.execute("1"))["ename"] == "JobEnded"
    assert not re.search("restarting kernel|AsyncIOLoopKernelRestarter", server.log[logged:])
    assert server.ask("POST", f"kernels/{page.kernel_id}/restart")[0] == 200
    assert json.loads(page.run(PIDS)[1])[1] != job


def test_kernels_of_one_server_do_not_disturb_one_another(site, server, bare):
    pages = [server.connect(begin(server, bare, f"{n}.ipynb")) for n in range(4)]
    asked = [page.execute(f"import os; x = {n}; print(x, os.getpid())") for n, page in enumerate(pages)]
    pairs = zip(pages, asked, strict=True)
    told = [page.until(stream_of([each]))[-1]["content"]["text"].split() for page, each in pairs]
    assert [words[0] for words in told] == ["0", "1", "2", "3"]
    assert len(jobs(site)) == 4
    busy = pages[0].execute("print('begun', flush=True)\nwhile True: pass")
    pages[0].shown(busy, "stream", "begun")  # before that no interrupt reaches the cell
    os.kill(int(told[1][1]), signal.SIGKILL)
    server.ask("DELETE", f"kernels/{pages[2].kernel_id}")
    assert pages[3].run("print(x)")[1] == "3\n"
    server.ask("POST", f"kernels/{pages[0].kernel_id}/interrupt")
    assert pages[0].ended(busy)[0]["ename"] == "KeyboardInterrupt"
    assert pages[0].run("print(x)")[1] == "0\n"
    pages[1].until(lambda m: m["content"].get("execution_state") == "restarting")
    assert pages[1].run("print('x' in globals())")[1] == "False\n"
    assert len(jobs(site)) == 3
