"""What the benchmarks run on: a Slurm of their own, a site, an image as SquashFS and as a directory."""

import contextlib
import datetime
import json
import os
import random
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager
from probe import Probe
from support.images import build, image_cache
from support.kernels import Site
from support.slurm import base_environment, short_directory

from jupyter_hpcctr import compose
from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.images.store import SquashStore

HERE = Path(__file__).resolve().parent
SETTLED_S = 120.0


@contextlib.contextmanager
def place():
    """Yield the settings of a site with a running Slurm of one node, also set in this process's environment."""
    cache = image_cache()
    build(cache, "python")
    reference = f"oci:{cache / 'python'}:1"
    store = cache / "bench-store"
    image = SquashStore(Policy(store=str(store))).pull(ImageRef(reference), lambda line: None)
    root = unpacked(cache, image.digest)
    with short_directory() as directory:
        cluster = Cluster.up(directory / "c", nodes=1, cpus=8, memory_mb=8000)
        try:
            site = Site(directory, base_environment() | cluster.env)
            site.configure(store=str(store), engines=["charliecloud", "bubblewrap", "crun", "bare"])
            os.environ.update(site.env)
            tempfile.tempdir = None
            os.chdir(site.cwd)
            yield {"directory": str(directory), "image": reference, "squashfs": image.path, "root": str(root)}
        finally:
            os.chdir("/")
            cluster.down()


def unpacked(cache, digest, name="python"):
    """The image of a recipe as a directory, made with umoci; kept for the next time under its digest."""
    target = cache / f"bench-root-{digest.partition(':')[2][:16]}"
    if not target.is_dir():
        work = Path(tempfile.mkdtemp(dir=cache, prefix=".bench-"))
        words = ["umoci", "raw", "unpack", "--rootless", "--image", f"{cache / name}:1", str(work / "root")]
        subprocess.run(words, check=True, capture_output=True)
        (work / "root").rename(target)
        shutil.rmtree(work)
    return target


def settle():
    """Wait until no job is left, so that the next variant finds the node as the first did.

    Slurm starts batch jobs once a second: the random rest lets each begin anywhere in that second.
    """
    _wait_for_an_empty_queue()
    time.sleep(0.3 + random.random())


def clear():
    """Cancel the jobs that a failed benchmark has left: the next one would wait for their end."""
    for options in (["--signal=KILL", "--full"], []):
        subprocess.run(["scancel", "--quiet", *options, f"--user={os.getuid()}"], check=True, timeout=30)
    _wait_for_an_empty_queue()


def _wait_for_an_empty_queue():
    until = time.monotonic() + SETTLED_S
    while left := subprocess.run(["squeue", "-h"], capture_output=True, check=True, timeout=30).stdout.strip():
        assert time.monotonic() < until, left.decode()
        time.sleep(0.1)


class Managed:
    """A kernel that a manager starts, as any client does."""

    def __init__(self, kernel_name):
        self.began = time.monotonic()
        self.manager = KernelManager(kernel_name=kernel_name)
        self.manager.start_kernel(cwd=os.getcwd())

    @property
    def info(self):
        return self.manager.get_connection_info()

    def first_result(self):
        """Seconds from the request to the first result."""
        with Probe(self.info) as probe:
            probe.first_result()
            return {"first result": time.monotonic() - self.began}

    def restart(self):
        """Kernel → Restart: seconds to the end of the old process, and to the first result."""
        self.began = time.monotonic()
        self.manager.restart_kernel()
        ended = time.monotonic() - self.began
        return {"old one ended": ended, **Managed.first_result(self)}

    def stop(self):
        self.manager.shutdown_kernel(now=True)
        self.manager.context.destroy(linger=0)


class Ours(Managed):
    """A kernel of the product."""

    def __init__(self, **request):
        super().__init__(_kernelspec(request))

    def first_result(self):
        """Seconds from the request to the first result, and to the phases before it."""
        took = super().first_result()
        launch = self.manager.provisioner.launch
        phases = dict(launch.phases)
        submitted = phases.pop("submitted")
        began = time.time() - time.monotonic() + self.began
        return {"submitted": submitted, "allocated": _allocated(launch.job) - began, **phases, **took}


class OursHere(Ours):
    """A kernel of the product on this machine, without Slurm and image."""

    def __init__(self):
        super().__init__(engine="bare", scheduler="local")

    first_result = Managed.first_result


def _allocated(job):
    """When Slurm gave a job its node: seconds since 1970, by the controller's log."""
    log = Path(os.environ["SLURM_CONF"]).parents[1] / "log/slurmctld.log"
    line = re.compile(rf"\[(\S+)\] sched.*: (Allocate|Started) JobId={job} ").search
    found = next(match for text in reversed(log.read_text().splitlines()) if (match := line(text + " ")))
    return datetime.datetime.fromisoformat(found[1]).timestamp()


def by_hand():
    """The environment of a careful user who runs ch-run(1): it would show the directory in TMPDIR as ``/tmp``."""
    return {name: value for name, value in os.environ.items() if name != "TMPDIR"}


class ByHand:
    """An ipykernel that somebody starts with the words given and connects to by its connection file."""

    def __init__(self, directory, *words, batch=False):
        self.name = f"{directory}/h{secrets.token_hex(3)}"
        channels = ("shell", "iopub", "stdin", "control", "hb")
        self.info = {f"{name}_port": port for port, name in enumerate(channels, 1)}
        self.info |= {"transport": "ipc", "ip": self.name, "key": secrets.token_hex(16)}
        self.info["signature_scheme"] = "hmac-sha256"
        with open(f"{self.name}.json", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(self.info, file)
        self.began = time.monotonic()
        line = [*words, "python3", "-m", "ipykernel_launcher", "-f", f"{self.name}.json"]
        if batch:
            line = ["sbatch", "--quiet", "--wait", f"--output={self.name}.log", f"--wrap=exec {shlex.join(line)}"]
        self.log = open(f"{self.name}.log", "wb")  # noqa: SIM115  (as long as the process)
        self.process = subprocess.Popen(
            line, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=by_hand()
        )

    def first_result(self):
        """Seconds from the start to the first result."""
        with Probe(self.info) as probe:
            try:
                probe.first_result(lambda: self.process.poll() is None)
            except AssertionError as error:
                raise AssertionError(f"{error}:\n{Path(self.log.name).read_text()}") from error
            return {"first result": time.monotonic() - self.began}

    def stop(self):
        with Probe(self.info) as probe:
            probe.shut_down()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)  # srun ends with the kernel; sbatch --wait asks every few seconds
        try:
            self.process.terminate()
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


def directly(place, image, *, batch=False):
    """The kernel of an image (``root`` or ``squashfs``) by ch-run under srun or sbatch, without the product."""
    mount = []
    if image == "squashfs":
        point = Path(place["directory"], "mnt")
        point.mkdir(exist_ok=True)
        mount = [f"--mount={point}"]
    before = [] if batch else ["srun", "--quiet", "--ntasks=1"]
    return ByHand(place["directory"], *before, "ch-run", *mount, place[image], "--", batch=batch)


def end():
    """End what this process has started."""
    compose.close_all()


def _kernelspec(request):
    name = f"b{abs(hash(json.dumps(request))):x}"[:12]
    path = Path(os.environ["JUPYTER_DATA_DIR"], "kernels", name, "kernel.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
        "metadata": {"kernel_provisioner": {"provisioner_name": "hpcctr", "config": {"request": request}}},
    }
    path.write_text(json.dumps(spec))
    return name
