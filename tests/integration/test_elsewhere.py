"""Kernels of other processes over REST: two real servers at one site, and a real Slurm."""

import subprocess

import pytest
from support.programs import COUNT, killed
from support.server import RefusedError
from support.waiting import wait_until


def opened(server):
    """A notebook whose kernel knows x: the session, and a connection as a page makes it."""
    session = server.open_notebook("a.ipynb", "bare")[1]
    page = server.connect(session["kernel"]["id"], session="a page")
    assert page.run("x = 6 * 7")[0]["status"] == "ok"
    return session, page


def listed(server):
    """The one job that a server lists."""
    (job,) = server.hpcctr("GET", "jobs")[1]["jobs"]
    return job


def noted(server, notebook="a.ipynb"):
    """The one job of a server, when it is known to be a notebook's."""
    wait_until(lambda: [each["notebook"] for each in server.hpcctr("GET", "jobs")[1]["jobs"]] == [notebook], "its name")
    return listed(server)


def printed(shown):
    """The text of a cell's outputs."""
    return "".join(each.get("text", "") for each in shown["outputs"])


def end(server):
    """End a server and its kernels."""
    server.ask("POST", "shutdown")
    server.process.wait(60)


def test_a_server_lists_what_another_one_has_and_takes_it_only_when_told_to(kept, serve):
    one, two = serve(), serve()
    session, page = opened(one)
    job = noted(two)
    assert (job["state"], job["owner"]) == ("running", f"the Jupyter server {one.process.pid} on {hostname()}")
    assert (job["kernel_name"], noted(one)["owner"]) == ("bare", None)
    with pytest.raises(RefusedError) as refused:
        two.hpcctr("POST", f"jobs/{job['id']}/take", {"force": False})
    assert (refused.value.status, refused.value.said["stage"]) == (409, "record")
    taken = two.hpcctr("POST", f"jobs/{job['id']}/take", {"force": True})[1]
    assert (taken["id"], taken["owner"], taken["notebook"]) == (job["id"], None, "a.ipynb")
    assert page.answer(page.execute("1"))["ename"] == "KernelTaken"
    (found,) = two.ask("GET", "sessions")[1]
    assert (found["id"], found["path"]) == (session["id"], "a.ipynb")
    assert two.connect(page.kernel_id).run("print(x)")[1] == "42\n"
    assert listed(one)["owner"] == f"the Jupyter server {two.process.pid} on {hostname()}"
    back = one.hpcctr("POST", f"jobs/{job['id']}/take", {"force": True})[1]
    assert back["owner"] is None, "and back again"
    assert one.connect(page.kernel_id).run("print(x)")[1] == "42\n"
    end(one)
    wait_until(lambda: all(each["state"] == "ended" for each in two.hpcctr("GET", "jobs")[1]["jobs"]), "its end")
    end(two)
    assert kept.left_behind() == []


def test_a_kernel_of_a_program_that_is_gone_is_nobodys_and_can_be_taken(kept, serve):
    killed(kept)
    server = serve()
    job = listed(server)
    assert (job["owner"], job["notebook"], job["state"]) == ("", None, "running")
    assert set(server.hpcctr("GET", f"jobs/{job['id']}/log?offset=0")[1]) == {"text", "next_offset", "ended"}
    spec = kept.data / "kernels" / "bare"
    spec.rename(spec.with_name("away"))
    with pytest.raises(RefusedError, match="its kernelspec 'bare' does not exist here"):
        server.hpcctr("POST", f"jobs/{job['id']}/take", {"force": False})
    spec.with_name("away").rename(spec)
    assert server.hpcctr("POST", f"jobs/{job['id']}/take", {"force": False})[1]["owner"] is None
    assert server.connect(job["kernel_id"]).run("print(x)")[1] == "42\n"
    assert server.ask("GET", "sessions")[1] == []
    end(server)
    assert kept.left_behind() == []


def test_a_cell_that_runs_when_its_kernel_is_taken_goes_on_in_the_other_server(kept, serve):
    one, two = serve(), serve()
    _, page = opened(one)
    running = page.execute(COUNT, cell="c1")
    page.execute("print(x)", cell="c2")
    page.shown(running, "stream", "5")
    job = noted(two)
    two.hpcctr("POST", f"jobs/{job['id']}/take", {"force": True})
    assert page.answer(running)["ename"] == "KernelTaken"
    with pytest.raises(RefusedError, match="this server has no container kernel with this id"):
        one.hpcctr("GET", f"kernels/{page.kernel_id}/cells")
    cells = f"kernels/{page.kernel_id}/cells"
    wait_until(lambda: {each["state"] for each in two.hpcctr("GET", cells)[1]["cells"]} == {"ended"}, "their end")
    first, second = (two.hpcctr("GET", f"{cells}/{name}")[1] for name in ("c1", "c2"))
    assert (first["status"], printed(first)) == ("ok", "".join(f"{number}\n" for number in range(60)))
    assert (second["status"], printed(second)) == ("ok", "42\n")
    end(two)
    end(one)
    assert kept.left_behind() == []


def test_a_kernel_that_a_server_has_left_when_it_was_stopped_is_nobodys_until_it_is_taken(kept, serve):
    one = serve()
    opened(one)
    two = serve()
    noted(two)
    one.stop()
    wait_until(lambda: listed(two)["owner"] == "", "nobody's")
    job = listed(two)
    assert (job["state"], job["notebook"]) == ("running", "a.ipynb")
    taken = two.hpcctr("POST", f"jobs/{job['id']}/take", {"force": False})[1]
    assert (taken["owner"], taken["notebook"]) == (None, "a.ipynb")
    reply, text = two.connect(job["kernel_id"]).run("print(x)")
    assert (reply, text) == (reply | {"status": "ok"}, "42\n")
    wait_until(lambda: listed(two)["state"] == "running", "its state")
    end(two)
    assert kept.left_behind() == []


@pytest.mark.parametrize("gone", [False, True], ids=["of a server that lives", "of nobody"])
def test_a_job_elsewhere_is_cancelled(kept, serve, gone):
    if gone:
        killed(kept)
    else:
        one = serve()
        _, page = opened(one)
    two = serve()
    assert two.hpcctr("DELETE", f"jobs/{listed(two)['id']}")[0] == 202
    wait_until(lambda: kept.queue() == [], "the job's end")
    if not gone:
        assert "cancelled" in page.shown(page.execute("1"), "error")["evalue"]
        end(one)
    wait_until(lambda: two.hpcctr("GET", "jobs")[1]["jobs"] == [], "an empty list")
    end(two)
    assert kept.left_behind() == []


def hostname():
    """What this machine calls itself."""
    return subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
