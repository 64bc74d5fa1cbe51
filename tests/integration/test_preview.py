"""What a request would come to, what becomes of it, and who hears of it: with a real Slurm."""

import asyncio
import socket
import threading
import time

import pytest

from jupyter_hpcctr import compose
from jupyter_hpcctr.config import load_policy
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.edge.transports import Transports
from jupyter_hpcctr.errors import SchedulerUnreachable

READY_S = 60


class Heard:
    """Keeps the views that a hub tells."""

    def __init__(self, hub):
        self.views, self._come = [], threading.Condition()
        self.end = hub.observe(self._hear)

    def _hear(self, view):
        with self._come:
            self.views.append(view)
            self._come.notify_all()

    def wait(self, wanted):
        """Wait for a view."""
        with self._come:
            assert self._come.wait_for(lambda: any(map(wanted, self.views)), READY_S), self.views[-1:]
            return next(filter(wanted, self.views))

    def states(self):
        """The states in their order, each once."""
        told = [view.state for view in self.views]
        return [state for number, state in enumerate(told) if number == 0 or told[number - 1] != state]


@pytest.fixture
def hub(site):
    return compose.hub(load_policy())


@pytest.fixture
def heard(hub):
    heard = Heard(hub)
    yield heard
    heard.end()


def preview(hub, site, **request):
    return hub.edge.wait(hub.preview(parse(request), cwd=str(site.cwd)))


def test_a_possible_job_has_words_a_start_and_a_cost(site, hub):
    found = preview(hub, site, engine="bare", scheduler="slurm", nodes=1, cpus_per_task=2, mem="1G", time=30)
    assert found.problems == () and found.image_here
    assert found.command.startswith("sbatch --parsable ") and "--cpus-per-task=2" in found.command
    assert found.script.startswith("#!/bin/sh\ntrap '' USR1\nexec ")
    assert (found.engine, found.scheduler) == ("bare", "slurm")
    assert found.resources == {"nodes": 1, "cpus_per_task": 2, "mem_mb": 1024, "time_minutes": 30}
    assert time.strptime(found.expected_start, "%Y-%m-%dT%H:%M:%S")
    assert found.cost.unit == "billing hours" and found.cost.amount == (2 + 0.25) / 2
    assert site.queue() == [] and list(site.state.glob("jobs/*")) == []


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"partition": "nowhere"}, "partition"),
        ({"nodes": 3}, "nodes"),
        ({"gpus_per_node": 3}, "gpus_per_node"),
        ({"constraint": "nowhere"}, "constraint"),
        ({"reservation": "nowhere"}, "reservation"),
        ({"engine": "nothing"}, "engine"),
        ({"scheduler": "nothing"}, "scheduler"),
    ],
)
def test_an_impossible_one_has_a_problem_beside_its_field(site, hub, request_, field):
    found = preview(hub, site, **{"engine": "bare", "scheduler": "slurm", **request_})
    assert [problem.field for problem in found.problems] == [field]
    assert found.problems[0].message and found.expected_start is None
    assert bool(found.command) == (field not in ("engine", "scheduler"))


def test_an_image_that_is_still_to_be_fetched_is_no_problem(site, hub):
    found = preview(hub, site, image="registry.example.org/none:1", time=5, mounts=["/usr/share:/in/there"])
    assert found.problems == () and not found.image_here and found.engine == "charliecloud"
    assert "jupyter registry.example.org/none:1" in found.command


def test_the_local_scheduler_starts_at_once_and_says_nothing_of_it(site, hub):
    found = preview(hub, site, engine="bare", scheduler="local", time=60)
    assert found.problems == () and found.expected_start is None and found.cost is None


def test_a_scheduler_that_does_not_answer_is_a_problem_and_no_error(site, hub, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nonexistent")
        found = preview(hub, site, engine="bare", scheduler="slurm")
        assert [problem.field for problem in found.problems] == ["scheduler"] and found.command
        with pytest.raises(SchedulerUnreachable) as error:
            hub.edge.wait(hub.site("slurm"))
    assert "not installed" in error.value.message and error.value.hint


def test_a_site_is_asked_once_for_all_who_want_it(hub, monkeypatch):
    asked, ask = [], Transports.ask

    async def counted(transports, command):
        asked.append(command.argv[0])
        return await ask(transports, command)

    monkeypatch.setattr(Transports, "ask", counted)

    async def several():
        return await asyncio.gather(*(hub.site("slurm") for _ in range(5)))

    sites = hub.edge.wait(several())
    assert sorted(asked) == ["sacctmgr", "scontrol", "scontrol", "sinfo"]
    assert all(each is sites[0] for each in sites) and sites[0].partitions[0].billing
    hub.edge.wait(hub.site("slurm", max_age_s=0))
    assert len(asked) == 8


def test_a_kernel_is_followed_from_its_start_to_its_end(site, start, hub, heard):
    kernel = start(engine="bare", scheduler="slurm", time=10, cpus_per_task=1)
    view = heard.wait(lambda view: view.state == "running")
    assert heard.states() == ["submitting", "pending", "starting", "running"]
    assert [each.seq for each in heard.views] == sorted(each.seq for each in heard.views)
    assert view.job == kernel.launch.job and view.nodes in ("n1", "n2") and view.end_time
    assert view.message == f"Slurm job {view.job} runs on {view.nodes}."
    assert view.kernel_id == kernel.manager.kernel_id and view.time_limit_minutes == 10
    assert {"submitted", "node up", "kernel ready"} <= set(view.phases)
    assert hub.views()[0].launch == view.launch and hub.launch(view.launch) is kernel.launch
    kernel.stop()
    assert heard.wait(lambda view: view.state == "gone").launch == view.launch
    assert hub.views() == () and hub.launch(view.launch) is None


def test_a_running_job_is_cancelled_and_can_be_started_again(start, hub, heard):
    kernel = start(engine="bare", scheduler="slurm", time=10, cpus_per_task=1)
    launch, first = kernel.launch, kernel.launch.job
    assert kernel.run("x = 1")[0]["status"] == "ok"
    hub.edge.wait(launch.cancel())
    view = heard.wait(lambda view: view.state == "ended")
    assert view.ending == "CANCELLED" and "cancelled by you" in view.message
    reply = kernel.run("x")[0]
    assert reply["status"] == "error" and "cancelled by you" in reply["evalue"]
    hub.edge.wait(launch.cancel())  # again: nothing
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=READY_S)
    heard.wait(lambda view: view.state == "running" and view.job != first)
    assert kernel.value("1 + 1") == 2


def test_a_launch_that_still_fetches_its_image_is_cancelled_at_once(site):
    site.configure(store=str(site.directory / "images"))
    hub = compose.hub(load_policy())
    heard = Heard(hub)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        manager = site.manager(image=f"127.0.0.1:{silent.getsockname()[1]}/x:1", scheduler="slurm", time=10)
        manager.start_kernel(cwd=str(site.cwd))
        view = heard.wait(lambda view: view.state == "fetching")
        hub.edge.wait(hub.launch(view.launch).cancel())
        ended = heard.wait(lambda view: view.state == "ended")
    assert ended.ending == "CANCELLED" and "The start of the kernel was cancelled by you" in ended.message
    assert manager.has_kernel and site.queue() == []
    manager.shutdown_kernel(now=True)
    heard.end()
    assert heard.states() == ["submitting", "fetching", "ended", "gone"]


def test_a_pending_job_is_cancelled_at_once(site, full, hub, heard):
    manager = site.manager(engine="bare", scheduler="slurm", time=10)
    manager.start_kernel(cwd=str(site.cwd))
    view = heard.wait(lambda view: view.state == "pending" and view.reason)
    hub.edge.wait(hub.launch(view.launch).cancel())
    assert heard.wait(lambda view: view.state == "ended").ending == "CANCELLED"
    assert not any(line.split()[0] == view.job for line in site.queue())
    assert manager.has_kernel
    manager.shutdown_kernel(now=True)
    heard.wait(lambda view: view.state == "gone")
