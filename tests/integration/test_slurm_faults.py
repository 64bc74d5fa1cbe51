"""A real Slurm that fails: its controller away, its nodes drained and lost, its jobs preempted and killed."""

import json
import re
import threading
import time
from pathlib import Path

import pytest
from support.kernels import Running
from support.slurm import short_directory
from support.slurm_faults import PREEMPTION, Faulty
from support.waiting import wait_until

from jupyter_hpcctr.errors import SchedulerUnreachable

BARE = {"engine": "bare", "scheduler": "slurm"}
AWAY_S = 20
CALM = re.compile(r"Slurm job \d+ (is pending[. (]|runs on n\d; the kernel is starting)|The job runs on n\d; ")
"""What a cell that waits is told where all is well."""


@pytest.fixture(scope="module")
def faulty():
    """A cluster that these tests alone use, with a partition that preempts, and memory limits that are enforced."""
    with short_directory() as directory:
        made = Faulty(directory / "c")
        try:
            made.configure(PREEMPTION)
            made.add_prolog()
            yield made
        finally:
            made.go_on()
            made.cluster.down()


@pytest.fixture(scope="module")
def slurm(faulty):
    """In place of the cluster that the other tests share."""
    return faulty.cluster


@pytest.fixture
def busy(faulty):
    """Others have three of the four CPUs of each node; call it to have them end."""
    job = faulty.submit("sleep 170", "--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=3", "--mem-per-cpu=100")
    ended = []

    def end():
        if not ended:
            faulty.cancel(job)
            ended.append(job)

    yield end
    end()


@pytest.fixture
def mended(faulty):
    yield
    faulty.mend()


def drain_iopub(kernel):
    """What has come on iopub up to now."""
    found = []
    while kernel.client.iopub_channel.msg_ready():
        found.append(kernel.client.get_iopub_msg(timeout=1))
    return found


def notices(published):
    """The sentences that a waiting cell has shown."""
    shown = [m for m in published if m["msg_type"] in ("display_data", "update_display_data")]
    return [m["content"]["data"]["text/plain"] for m in shown]


def count(kernel, seconds):
    """Begin a cell that prints for so long; return the request's id, and what it will have printed."""
    steps = seconds * 5
    asked = kernel.client.execute(f"import time\nfor i in range({steps}):\n    print(i, flush=True); time.sleep(0.2)")
    return asked, "".join(f"{i}\n" for i in range(steps))


def printed(published, asked):
    own = [m for m in published if m["parent_header"].get("msg_id") == asked and m["msg_type"] == "stream"]
    return "".join(m["content"]["text"] for m in own)


def until_idle(kernel, asked):
    """All that a kernel publishes up to the end of a cell."""
    found = []
    while not found or not (
        found[-1]["parent_header"].get("msg_id") == asked and found[-1]["content"].get("execution_state") == "idle"
    ):
        found.append(kernel.client.get_iopub_msg(timeout=90))
    return found


def states(*kernels):
    return [kernel.launch.view.state for kernel in kernels]


def test_a_controller_that_hangs_loses_nothing(faulty, busy, site, start):
    running, waiting = start(**BARE), start(**BARE, cpus_per_task=2)
    running.run("x = 6 * 7")
    asked = waiting.client.execute("print('at last')")
    wait_until(lambda: states(running, waiting) == ["running", "pending"], "one runs and one waits")
    counting, numbers = count(running, AWAY_S + 2)
    submitted = []
    manager = site.manager(**BARE)
    asking = threading.Thread(target=lambda: submitted.append(Running(manager, cwd=site.cwd)))
    faulty.stop()
    try:
        asking.start()
        time.sleep(AWAY_S)
        assert states(running, waiting) == ["running", "pending"]
    finally:
        faulty.go_on()
    assert printed(until_idle(running, counting), counting) == numbers
    assert notices(drain_iopub(running)) == []
    busy()
    published = until_idle(waiting, asked)
    assert printed(published, asked) == "at last\n"
    assert all(CALM.match(text) for text in notices(published)), notices(published)
    asking.join()
    (late,) = submitted
    try:
        assert (running.value("x"), late.value("1 + 1")) == (42, 2)
        assert states(running, waiting, late) == ["running"] * 3
        jobs = {each.launch.job for each in (running, waiting, late)}
        assert {line.split()[0] for line in site.queue() if "COMPLETING" not in line} == jobs
    finally:
        late.stop()


def test_a_controller_that_is_killed_and_comes_back_loses_nothing(faulty, busy, site, start):
    running, waiting = start(**BARE), start(**BARE, cpus_per_task=2)
    running.run("x = 6 * 7")
    asked = waiting.client.execute("print('at last')")
    wait_until(lambda: states(running, waiting) == ["running", "pending"], "one runs and one waits")
    faulty.await_saving(Path(waiting.launch.plan.job_dir).name)
    faulty.kill()
    try:
        assert running.value("x") == 42
        running.manager.restart_kernel(now=True)
        running.client.wait_for_ready(timeout=60)
        assert running.value("x if 'x' in globals() else 1") == 1
        refused = site.manager(**BARE)
        with pytest.raises(SchedulerUnreachable, match="Slurm does not answer"):
            refused.start_kernel()
        refused.context.destroy(linger=0)
        assert states(running, waiting) == ["running", "pending"]
    finally:
        faulty.start()
    busy()
    published = until_idle(waiting, asked)
    assert printed(published, asked) == "at last\n"
    assert all(CALM.match(text) for text in notices(published)), notices(published)
    assert states(running, waiting) == ["running", "running"]
    assert len([line for line in site.queue() if "COMPLETING" not in line]) == 2


def test_a_kernel_runs_on_when_its_node_is_drained_and_one_that_needs_the_node_says_why_it_waits(
    faulty, mended, start
):
    running = start(**BARE)
    node = running.value("__import__('os').environ['SLURMD_NODENAME']")
    faulty.node(node, "drain")
    waiting = start(**BARE, nodes=2)
    asked = waiting.client.execute("print('at last')")
    wait_until(lambda: waiting.launch.view.reason not in ("", "None", "Priority"), "a reason")
    print(waiting.launch.view)
    assert "down or reserved" in waiting.launch.view.message
    assert running.value("6 * 7") == 42
    running.manager.restart_kernel(now=True)
    running.client.wait_for_ready(timeout=60)
    assert (running.value("6 * 7"), states(running)) == (42, ["running"])
    faulty.node(node, "resume")
    assert printed(until_idle(waiting, asked), asked) == "at last\n"


EATER = "import time; time.sleep(2)\nx = bytearray(b'x' * 600_000_000)\ntime.sleep(60)"
NAP = "import time; time.sleep(60)"


def lose_node(faulty, job):
    faulty.node(faulty.node_of(job), "down")


def preempt(faulty, job):
    faulty.submit("true", "--partition=urgent", "--nodes=2", "--exclusive")


def cancel(faulty, job):
    faulty.cancel(job)


ENDS = {
    "node down": (lose_node, NAP, "NODE_FAIL", "ended because its node n"),
    "preempted": (preempt, NAP, "PREEMPTED", "was preempted by a job with a higher priority"),
    "out of memory": (lambda *who: None, EATER, "OUT_OF_MEMORY", "needed more memory than it had asked for"),
    "scancel": (cancel, NAP, "CANCELLED", "was cancelled from outside of this notebook"),
}


@pytest.mark.parametrize("how", ENDS)
def test_the_notebook_and_the_list_of_jobs_say_how_a_job_ended_and_a_restart_asks_for_another(
    faulty, mended, site, serve, how
):
    harm, code, ending, words = ENDS[how]
    server = serve()
    name = site.kernelspec("mine", **BARE, mem="500M")
    page = server.connect(server.open_notebook("a.ipynb", name)[1]["kernel"]["id"])
    assert page.run("1")[0]["status"] == "ok"
    (before,) = server.hpcctr("GET", "jobs")[1]["jobs"]
    asked = page.execute(code)
    page.shown(asked, "status", "busy")
    harm(faulty, before["job"])
    answer = page.answer(asked)
    assert (answer["ename"], words in answer["evalue"]) == ("JobEnded", True), answer
    (job,) = server.hpcctr("GET", "jobs")[1]["jobs"]
    assert (job["state"], job["ending"], words in job["message"]) == ("ended", ending, True), json.dumps(job)
    assert server.ask("POST", f"kernels/{page.kernel_id}/restart")[0] == 200
    assert page.run("print(6 * 7)")[1] == "42\n"
    jobs = {each["job"]: each["state"] for each in server.hpcctr("GET", "jobs")[1]["jobs"]}
    assert [state for job, state in jobs.items() if job != before["job"]] == ["running"]


def test_a_prolog_that_fails_is_suspected_and_a_restart_asks_for_another_job(faulty, mended, site, serve):
    server = serve()
    name = site.kernelspec("mine", **BARE)
    faulty.bad_prolog.touch()
    page = server.connect(server.open_notebook("a.ipynb", name)[1]["kernel"]["id"])
    words = re.compile(r"ended before anything of it ran on (n\d): it was cancelled, or .* \(its prolog failed\)\.")
    answer = page.answer(page.execute("1"))
    assert answer["ename"] == "JobEnded" and words.search(answer["evalue"]), answer
    node = words.search(answer["evalue"])[1]
    states = {each.name: each.state for each in faulty.cluster.status().nodes}
    assert states[node].startswith("drain"), "Slurm has drained it"
    faulty.mend()
    assert server.ask("POST", f"kernels/{page.kernel_id}/restart")[0] == 200
    assert page.run("print(6 * 7)")[1] == "42\n"
