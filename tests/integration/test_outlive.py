"""Kernels that outlive their Jupyter server: real servers, and a real Slurm."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
from jupyter_client import BlockingKernelClient
from support.programs import COUNT, killed
from support.waiting import wait_until

BARE = {"engine": "bare", "scheduler": "slurm"}


def opened(server):
    """A notebook with a kernel: the session, and a connection as a page makes it."""
    session = server.open_notebook("a.ipynb", "bare")[1]
    return session, server.connect(session["kernel"]["id"], session="a page")


def noted(site):
    """Wait until the kernel's session is in its record."""
    wait_until(lambda: any((each["session"] or {}).get("path") == "a.ipynb" for each in site.records()), "note")


def owned(site, server):
    """The one job that there is belongs to the server, which has the one record."""
    (job,) = [line.split()[0] for line in site.queue() if not line.endswith(" full")]
    (record,) = site.records()
    assert [each["job"] for each in record["jobs"].values()] == [job]
    assert record["kernel"]["pid"] == server.process.pid


def shut_down(server):
    """End it with its jobs, as people do from the page."""
    server.ask("POST", "shutdown")
    server.process.wait(60)


def again(serve, session):
    """Another server, which has the kernel under the same id and session: it, and a connection."""
    server = serve()
    (found,) = server.ask("GET", "sessions")[1]
    assert (found["id"], found["path"], found["kernel"]["id"]) == (session["id"], "a.ipynb", session["kernel"]["id"])
    page = server.connect(session["kernel"]["id"], session="a page")
    page.send("kernel_info_request", {})  # as JupyterLab's do first
    return server, page


@pytest.mark.parametrize("way", ["crash", "stop"])
def test_the_next_server_goes_on_with_a_kernel_and_its_running_cell(kept, serve, way):
    server = serve()
    session, page = opened(server)
    assert page.run("x = 6 * 7")[0]["status"] == "ok"
    asked = page.execute(COUNT, cell="c1")
    page.shown(asked, "stream", "5")
    noted(kept)
    getattr(server, way)()
    server, page = again(serve, session)
    assert page.answer(asked)["status"] == "ok"
    outputs = server.hpcctr("GET", f"kernels/{page.kernel_id}/cells/c1")[1]["outputs"]
    assert "".join(each["text"] for each in outputs) == "".join(f"{number}\n" for number in range(60))
    assert page.run("print(x)")[1] == "42\n"
    (job,) = server.hpcctr("GET", "jobs")[1]["jobs"]
    assert (job["state"], job["notebook"]) == ("running", "a.ipynb")
    owned(kept, server)
    shut_down(server)
    assert kept.left_behind() == []


def test_a_kernel_that_died_while_no_server_was_there_is_said_and_started_again(kept, serve):
    server = serve()
    session, page = opened(server)
    pid = int(page.run("import os; print(os.getpid())")[1])
    asked = page.execute("import time; time.sleep(1000)")
    page.shown(asked, "status", "busy")
    noted(kept)
    server.crash()
    os.kill(pid, signal.SIGKILL)
    server, page = again(serve, session)
    answer = page.answer(asked)
    assert (answer["ename"], "SIGKILL" in answer["evalue"]) == ("KernelDied", True), answer
    assert page.run("print(6 * 7)")[1] == "42\n"
    shut_down(server)


def test_a_job_that_ended_while_no_server_was_there_ends_its_cells_with_the_reason(kept, serve):
    server = serve()
    session, page = opened(server)
    asked = page.execute("import time; time.sleep(1000)")
    page.shown(asked, "status", "busy")
    (job,) = server.hpcctr("GET", "jobs")[1]["jobs"]
    noted(kept)
    server.crash()
    subprocess.run(["scancel", job["job"]], check=True)
    wait_until(lambda: kept.queue() == [], "the job's end")
    server, page = again(serve, session)
    assert page.answer(asked)["ename"] == "JobEnded"
    assert server.ask("POST", f"kernels/{page.kernel_id}/restart")[0] == 200
    assert page.run("print(6 * 7)")[1] == "42\n"
    shut_down(server)


def test_cells_that_wait_for_a_kernel_run_though_their_server_was_killed(kept, serve, full):
    server = serve()
    session, page = opened(server)
    asked = [page.execute(f"print({number})") for number in (1, 2)]
    page.shown(asked[0], "display_data")
    noted(kept)
    server.crash()
    server, page = again(serve, session)
    full()
    assert [text for _, text in page.all_ended(asked)] == ["1\n", "2\n"]
    assert page.run("print(_ih.count('print(1)'))")[1] == "1\n", "the kernel got it once"
    shut_down(server)


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
    owned(kept, server)
    shut_down(server)


COMMAND = (sys.executable, "-u", "-m", "jupyter_hpcctr.cli.main", "kernels")


def hpcctr(*words, status=0):
    """What the command line says, as a person reads it."""
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


@contextlib.contextmanager
def attached(*words):
    """A process that goes on with a kernel until Ctrl-C: the connection file that it says."""
    with subprocess.Popen([*COMMAND, "attach", *words], stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().rsplit(" ", 1)[-1].strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def value(file, code):
    """What a cell prints, asked for with a connection file."""
    client = BlockingKernelClient(connection_file=file)
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        printed = []
        client.execute_interactive(code, timeout=60, output_hook=printed.append)
        return "".join(each["content"]["text"] for each in printed if each["msg_type"] == "stream")
    finally:
        client.stop_channels()


def test_the_command_line_reaches_kernels_whose_program_is_gone(site):
    site.kernelspec("bare", **BARE)
    killed(site)
    head, row = hpcctr("list").splitlines()
    assert row.split()[1:3] == ["running", site.queue()[0].split()[0]] and row.endswith("nobody")
    begins = row.split()[0]
    assert "bare" in hpcctr("show", begins)
    with attached(begins) as file:
        assert value(file, "print(x)") == "42\n"
        assert "has this kernel" in hpcctr("attach", begins, status=1)
    assert len(site.queue()) == 1
    assert "is ended" in hpcctr("stop", begins)
    assert hpcctr("list") == "You have no kernels.\n"
    assert [each for each in site.left_behind() if "/tmp/hpcctr-" not in each] == []


def test_a_kernel_is_taken_from_a_server_that_lives_and_its_notebook_is_told(kept, serve):
    server = serve()
    _, page = opened(server)
    assert page.run("x = 6 * 7")[0]["status"] == "ok"
    kernel_id = page.kernel_id
    with attached(kernel_id, "--take") as file:
        assert value(file, "print(x)") == "42\n"
        assert page.answer(page.execute("1"))["ename"] == "KernelTaken"
    assert "is ended" in hpcctr("stop", kernel_id)


def test_a_kernel_of_a_server_is_stopped_from_the_command_line(kept, serve):
    server = serve()
    _, page = opened(server)
    assert "ends the job" in hpcctr("stop", page.kernel_id)
    wait_until(lambda: server.hpcctr("GET", "jobs")[1]["jobs"][0]["state"] == "ended", "the job's end")
    shut_down(server)
    assert kept.left_behind() == []


def test_shutting_down_from_the_page_ends_the_jobs(kept, serve):
    server = serve()
    opened(server)
    shut_down(server)
    assert kept.left_behind() == []


def test_a_site_may_end_kernels_with_their_server(site, serve):
    site.kernelspec("bare", **BARE)
    server = serve()
    opened(server)
    server.stop()
    assert site.left_behind() == []
