"""A Jupyter server that is killed in the midst of each phase of a launch: no job is without an owner, none has two."""

import json
import os
import threading

import pytest
from support.gates import Gate
from support.server import RefusedError
from support.waiting import wait_until

BARE = {"engine": "bare", "scheduler": "slurm"}


class Scene:
    """A site at which kernels outlive servers, a gate in one step of a launch, and the server that will be killed."""

    def __init__(self, site, serve):
        self.site, self.serve = site, serve
        self.gate = Gate(site.directory / "gate")
        self.server, self._asking = None, None
        site.configure(at_stop="keep")

    def begin(self, *, path=None, **request):
        """Start a server, and open a notebook with a kernel, whose answer nobody waits for."""
        self.site.kernelspec("mine", **request)
        self.server = self.serve(**({} if path is None else {"PATH": f"{path}:{os.environ['PATH']}"}))
        self.meanwhile(lambda: self.server.open_notebook("a.ipynb", "mine"))

    def meanwhile(self, ask):
        """Ask the server for something that it will perhaps not live to answer."""

        def asking():
            try:
                ask()
            except (OSError, RefusedError):
                pass

        self._asking = threading.Thread(target=asking)
        self._asking.start()

    @property
    def records(self):
        return [json.loads(each.read_text()) for each in self.site.state.rglob("record.json")]

    def await_record(self, what, met):
        wait_until(lambda: any(met(each) for each in self.records), what)

    def opened(self):
        """Wait until the notebook is open and its session recorded; return the kernel's id."""
        self._asking.join()
        self.await_record("the session", lambda record: record["session"] is not None)
        return self.records[0]["kernel"]["id"]

    def crash(self):
        self.server.crash()
        self._asking.join()

    def begin_again(self):
        self.server = self.serve()

    def goes_on(self, *, session=True):
        """The new server has the one kernel with its notebook; it runs cells, in the one job that there is."""
        (record,) = self.records
        kernel_id = record["kernel"]["id"]
        assert list(self.server.kernels()) == [kernel_id]
        sessions = [(each["path"], each["kernel"]["id"]) for each in self.server.ask("GET", "sessions")[1]]
        assert sessions == ([("a.ipynb", kernel_id)] if session else [])
        page = self.server.connect(kernel_id)
        page.send("kernel_info_request", {})
        assert page.run("print(6 * 7)")[1] == "42\n"
        (line,) = self.site.queue()
        (job,) = self.server.hpcctr("GET", "jobs")[1]["jobs"]
        assert (line.split()[0], job["state"]) == (job["job"], "running")
        (record,) = self.records
        assert (record["kernel"]["id"], record["kernel"]["pid"]) == (kernel_id, self.server.process.pid)
        self.end()

    def end(self):
        """As people do from the page; nothing is left."""
        self.server.ask("POST", "shutdown")
        self.server.process.wait(60)
        assert self.site.left_behind() == []


@pytest.fixture
def scene(site, serve):
    return Scene(site, serve)


@pytest.mark.parametrize("heard", ["before the next server comes", "while the next server looks for it"])
def test_a_submission_that_outlives_its_server_has_an_owner(scene, heard):
    scene.begin(path=scene.gate.before("sbatch"), **BARE)
    scene.gate.await_arrival()
    scene.crash()
    if heard.startswith("before"):
        scene.gate.open()
        wait_until(scene.site.queue, "the job of a server that is gone")
        scene.begin_again()
    else:
        scene.begin_again()
        scene.gate.open()
    scene.goes_on(session=False)  # the page was never told of the kernel


def test_an_image_whose_server_was_killed_meanwhile_is_fetched_by_the_next(scene, kernel_image):
    scene.site.configure(store=str(scene.site.directory / "store"))
    scene.begin(path=scene.gate.before("mksquashfs", "-noappend"), image=kernel_image.reference, scheduler="slurm")
    scene.opened()
    scene.gate.await_arrival()
    scene.crash()
    assert scene.site.queue() == []
    scene.begin_again()
    scene.goes_on()


def test_a_container_that_starts_while_its_server_is_killed_is_the_next_servers(scene, kernel_image, image_policy):
    scene.site.configure(store=image_policy.store)
    scene.begin(path=scene.gate.before("ch-run", "--cd="), image=kernel_image.reference, scheduler="slurm")
    scene.opened()
    scene.gate.await_arrival()
    scene.crash()
    scene.begin_again()
    scene.gate.open()
    scene.goes_on()


def test_a_kernel_that_starts_while_its_server_is_killed_is_the_next_servers(scene):
    scene.begin(**BARE, argv=scene.gate.kernel())
    scene.opened()
    scene.gate.await_arrival()
    scene.crash()
    scene.begin_again()
    scene.gate.open()
    scene.goes_on()


def test_a_kernel_that_restarts_while_its_server_is_killed_is_the_next_servers(scene):
    scene.gate.open()
    scene.begin(**BARE, argv=scene.gate.kernel())
    kernel_id = scene.opened()
    page = scene.server.connect(kernel_id)
    assert page.run("1")[0]["status"] == "ok"
    scene.gate.close()
    scene.meanwhile(lambda: scene.server.ask("POST", f"kernels/{kernel_id}/restart"))
    scene.gate.await_arrival()
    scene.crash()
    scene.begin_again()
    scene.gate.open()
    scene.goes_on()


def test_a_kernel_that_was_being_shut_down_when_its_server_was_killed_ends(scene):
    scene.gate.open()
    scene.begin(**BARE, argv=scene.gate.kernel(at_end=True))
    kernel_id = scene.opened()
    page = scene.server.connect(kernel_id)
    assert page.run("1")[0]["status"] == "ok"
    scene.gate.close()
    scene.meanwhile(lambda: scene.server.ask("DELETE", f"kernels/{kernel_id}"))
    scene.gate.await_arrival()
    scene.crash()
    scene.begin_again()
    assert scene.server.kernels() == {}
    wait_until(lambda: scene.site.queue() == scene.records == [], "the end of the job")
    scene.end()
