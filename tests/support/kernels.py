"""Kernels through the real provisioner: kernelspecs, managers, and proof that nothing is left behind."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from jupyter_hpcctr import compose
from jupyter_hpcctr.launch import hub

from .slurm import short_directory

READY_S = 60


class Site:
    """A user's Jupyter and a site's configuration in one short directory, beside a real Slurm."""

    def __init__(self, directory, cluster_env):
        self.directory = directory
        self.data = directory / "data"
        self.config = directory / "config"
        self.state = directory / "state"
        self.cwd = directory / "work"
        for each in (self.data, self.config, self.state, self.cwd, directory / "tmp", directory / "ipython"):
            each.mkdir(mode=0o700)
        self.settings = {"state_dir": str(self.state), "node_tmp": str(directory / "tmp"), "at_stop": "end"}
        self.env = {
            "JUPYTER_DATA_DIR": str(self.data),
            "JUPYTER_CONFIG_DIR": str(self.config),
            "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "JUPYTER_NO_CONFIG": "",
            "IPYTHONDIR": str(directory / "ipython"),
            "HPCCTR_LOCAL_JOBS": str(directory / "local"),
            "TMPDIR": str(directory / "tmp"),
            **cluster_env,
        }

    @contextlib.contextmanager
    def entered(self):
        """Set the environment, the work directory and the place of temporary files in this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.env.items():
                patch.setenv(name, value)
            patch.chdir(self.cwd)
            patch.setattr("tempfile.tempdir", None)
            # Agents are measured too; the product hands no such variable on.
            patch.setattr(hub, "_KEEP_ENV", (*hub._KEEP_ENV, "COVERAGE_PROCESS_*"))
            yield

    def configure(self, **settings):
        """Write the administrator's file."""
        self.settings.update(settings)
        text = json.dumps({"HpcctrSite": self.settings})
        (self.config / "jupyter_hpcctr_config.json").write_text(text)

    def kernelspec(self, name, **request):
        """Install a kernelspec by hand, as any file of that format."""
        directory = self.data / "kernels" / name
        directory.mkdir(parents=True)
        spec = {
            "argv": ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "interrupt_mode": "signal",
            "metadata": {"kernel_provisioner": {"provisioner_name": "hpcctr", "config": {"request": request}}},
        }
        (directory / "kernel.json").write_text(json.dumps(spec))
        return name

    def manager(self, **request):
        """Return a manager for a kernel that is asked for like this; it is not started."""
        name = self.kernelspec(f"k{len(list(self.data.glob('kernels/*')))}", **request)
        return KernelManager(kernel_name=name)

    def records(self):
        """What is recorded of each kernel; one that goes while it is read is left out."""
        found = []
        for path in self.state.glob("kernels/*/record.json"):
            with contextlib.suppress(FileNotFoundError):
                found.append(json.loads(path.read_text()))
        return found

    def queue(self):
        """The jobs that have not ended: lines of ``id state name``."""
        done = subprocess.run(
            ["squeue", "-h", "-o", "%i %T %j"], env=dict(os.environ), capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    def left_behind(self):
        """Files and processes of ours that are still there, COMPLETING jobs excepted for two seconds."""
        until = time.monotonic() + 5
        while True:
            found = [
                *self.queue(),
                *map(str, self.directory.glob("tmp/hpcctr-*")),
                *map(str, self.state.glob("jobs/*")),
                *map(str, self.state.glob("kernels/*")),
                *processes_with(str(self.directory)),
            ]
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)


def processes_with(text):
    """Command lines of the running processes that name ``text``, ours excepted."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and path.parent.name != str(os.getpid()):
            found.append(line)
    return found


class Running:
    """A started kernel with a connected client."""

    def __init__(self, manager, *, cwd):
        self.manager = manager
        manager.start_kernel(cwd=str(cwd))
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=READY_S)

    @property
    def launch(self):
        return self.manager.provisioner.launch

    def run(self, code, *, timeout=READY_S, **more):
        """Execute a cell; return (reply's content, [messages published for it]).

        After an error ipykernel aborts what is in its queue, and what comes in the next moment: perhaps the test's next
        cell. So nothing is to stop on error, unless ``stop_on_error`` says so.
        """
        published = []
        more.setdefault("stop_on_error", False)
        reply = self.client.execute_interactive(code, timeout=timeout, output_hook=published.append, **more)
        return reply["content"], published

    def begun(self, code):
        """Execute a cell that goes on, and return its request's id once it runs: before, no interrupt reaches it.

        Another thread says so, a moment later: in the midst of a print, an interrupt can be lost in Python's callbacks.
        """
        says = "__import__('threading').Timer(0.2, print, ['begun'], {'flush': True}).start()"
        asked = self.client.execute(f"{says}\n{code}")
        while (message := self.client.get_iopub_msg(timeout=READY_S))["msg_type"] != "stream":
            assert message["msg_type"] != "error", message
        return asked

    def ended(self, asked, *, timeout=READY_S):
        """Wait for a cell's end, its reply and its ``idle``, and return the reply's content.

        A kernel that has answered with an error aborts what it is asked before it says ``idle``.
        """
        until = time.monotonic() + timeout

        def first(receive, **wanted):
            while True:
                message = receive(timeout=max(until - time.monotonic(), 0.01))
                if message["parent_header"].get("msg_id") == asked and wanted.items() <= message["content"].items():
                    return message["content"]

        reply = first(self.client.get_shell_msg)
        first(self.client.get_iopub_msg, execution_state="idle")
        return reply

    def value(self, code, *, timeout=READY_S):
        """The value of an expression that can be written as JSON."""
        content, published = self.run(f"print(__import__('json').dumps({code}))", timeout=timeout)
        assert content["status"] == "ok", content
        return json.loads("".join(m["content"]["text"] for m in published if m["msg_type"] == "stream"))

    def stop(self):
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel()
        self.manager.context.destroy(linger=0)


@contextlib.contextmanager
def site_of(cluster_env):
    """Make a site with a running Slurm; afterwards nothing may be left of what was started."""
    with short_directory() as directory:
        made = Site(directory, cluster_env)
        made.configure()
        with made.entered():
            yield made
            compose.close_all()
            found = made.left_behind()
            for line in made.queue():  # so that one failure stays one
                subprocess.run(["scancel", "--quiet", line.split()[0]], check=False)
            assert found == []


@pytest.fixture
def site(slurm_env):
    """A site of the test's own."""
    with site_of(slurm_env) as made:
        yield made


@pytest.fixture
def kept(site):
    """A site at which kernels outlive servers, as they do where nobody says otherwise, with the kernelspec "bare"."""
    site.configure(at_stop="keep")
    site.kernelspec("bare", engine="bare", scheduler="slurm")
    return site


@pytest.fixture
def start(site):
    """Start kernels that are ended with the test: ``start(engine="bare", …)`` → ``Running``."""
    running = []

    def begin(**request):
        running.append(Running(site.manager(**request), cwd=site.cwd))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


@pytest.fixture
def full(site):
    """Fill the cluster, so that whatever is submitted has to wait; ``full()`` makes room again."""
    line = ["sbatch", "--parsable", "--nodes=2", "--exclusive", "--job-name=full", "--output=/dev/null"]
    line += ["--wrap=sleep 170"]
    job = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    freed = []

    def free():
        if not freed:
            subprocess.run(["scancel", "--signal=KILL", "--full", job], check=True)
            subprocess.run(["scancel", job], check=True)
            freed.append(job)

    until = time.monotonic() + 10
    while "RUNNING" not in " ".join(site.queue()):
        assert time.monotonic() < until
        time.sleep(0.05)
    yield free
    free()
