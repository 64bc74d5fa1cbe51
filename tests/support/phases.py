"""A server that is killed in the midst of a launch, and the next one."""

import contextlib
import os
import shutil
import subprocess
import threading

import pytest

from .gates import Gate
from .server import RefusedError
from .waiting import wait_until


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
            with contextlib.suppress(OSError, RefusedError):
                ask()

        self._asking = threading.Thread(target=asking)
        self._asking.start()

    @property
    def directories(self):
        """Those for the sockets of servers, and those of jobs."""
        return set(self.site.directory.glob("tmp/hpcctr-*"))

    @staticmethod
    def remove(directories):
        """What a killed server has left, and the next one that starts a kernel would remove."""
        for each in directories:
            subprocess.run(["chmod", "-f", "700", str(each)], check=False)
            shutil.rmtree(each, ignore_errors=True)

    def await_record(self, what, met):
        wait_until(lambda: any(met(each) for each in self.site.records()), what)

    def opened(self):
        """Wait until the notebook is open and its session recorded; return the kernel's id."""
        self._asking.join()
        self.await_record("the session", lambda record: record["session"] is not None)
        return self.site.records()[0]["kernel"]["id"]

    def crash(self):
        self.server.crash()
        self._asking.join()

    def begin_again(self):
        self.server = self.serve()

    def dies_at_the_gate(self):
        """The server is killed while the step waits at the gate, which opens when the next one is there."""
        self.gate.await_arrival()
        self.crash()
        self.begin_again()
        self.gate.open()
        self.goes_on()

    def goes_on(self, *, session=True):
        """The new server has the one kernel with its notebook; it runs cells, in the one job that there is."""
        (record,) = self.site.records()
        kernel_id = record["kernel"]["id"]
        assert list(self.server.kernels()) == [kernel_id]
        sessions = [(each["path"], each["kernel"]["id"]) for each in self.server.ask("GET", "sessions")[1]]
        assert sessions == ([("a.ipynb", kernel_id)] if session else [])
        page = self.server.connect(kernel_id)
        page.send("kernel_info_request", {})
        assert page.run("print(6 * 7)")[1] == "42\n"
        (line,) = self.site.queue()
        # its agent may be heard before the scheduler has been asked for its number
        wait_until(lambda: self.listed() == [(line.split()[0], "running")], "the job is listed with its number")
        (record,) = self.site.records()
        assert (record["kernel"]["id"], record["kernel"]["pid"]) == (kernel_id, self.server.process.pid)
        self.end()

    def listed(self):
        """The numbers and states of the jobs that the server lists."""
        return [(job["job"], job["state"]) for job in self.server.hpcctr("GET", "jobs")[1]["jobs"]]

    def end(self):
        """As people do from the page; nothing is left."""
        self.server.ask("POST", "shutdown")
        self.server.process.wait(60)
        assert self.site.left_behind() == []


@pytest.fixture
def scene(site, serve):
    return Scene(site, serve)
