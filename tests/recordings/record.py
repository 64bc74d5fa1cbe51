"""Record what a release of Slurm prints, on a real cluster made for it: ``python record.py DIRECTORY``.

Needs that release's commands and daemons on the PATH, and the package itself (standard library only). Each
file is one answer: the words, the exit status, standard output and standard error.
"""

import json
import os
import pwd
import re
import socket
import sys
import tempfile
import time
from pathlib import Path

from jupyter_hpcctr.core.job import Command, JobId
from jupyter_hpcctr.core.jobspec import JobSpec
from jupyter_hpcctr.core.questions import opening, replayed
from jupyter_hpcctr.core.request import Resources
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.schedulers.slurm import Slurm

SLURM = Slurm()
SCRIPTS = {
    "completed": ("true",),
    "failed": ("sh", "-c", "exit 3"),
    "killed": ("sh", "-c", "kill -KILL $$"),
    "cancelled": ("sleep", "600"),
    "timeout": ("sleep", "600"),
    "suspended": ("sleep", "600"),
    "running": ("sleep", "600"),
}
REFUSED = {
    "bad-partition": {"partition": "nowhere"},
    "bad-memory": {"mem_mb": 900_000_000},
    "bad-gpus": {"gpus_per_node": 9},
    "bad-gpu-type": {"gpus_per_node": 1, "gpu_type": "a100"},
    "bad-constraint": {"constraint": "nowhere"},
    "bad-reservation": {"reservation": "nowhere"},
}

SITE = ("sinfo", "scontrol", "partitions", "sacctmgr")
ESTIMATED = {
    "ok": {"cpus_per_task": 1, "mem_mb": 100, "time_minutes": 10},
    "many-nodes": {"nodes": 5},
    "bad-partition": {"partition": "nowhere"},
    "bad-constraint": {"constraint": "nowhere"},
}


def main(target):
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hx", dir="/tmp") as directory:
        cluster = Cluster.up(
            Path(directory) / "c", nodes=2, cpus=4, gpus=2, memory_mb=4000, features=("ib_hdr", "avx512")
        )
        try:
            Recorder(target, cluster).record()
        finally:
            cluster.down()


class Recorder:
    def __init__(self, target, cluster):
        self.target, self.cluster = target, cluster
        self.env = {"PATH": os.environ["PATH"], **cluster.env}

    def run(self, command):
        return process.run(command, env=self.env)

    def keep(self, name, command):
        output = self.run(command)
        plain = {
            "argv": [_hide(word) for word in command.argv],
            "returncode": output.returncode,
            "stdout": _hide(output.stdout),
            "stderr": _hide(output.stderr),
        }
        (self.target / f"{name}.json").write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
        return output

    def submit(self, argv, keep="", **resources):
        command = opening(SLURM.submit(JobSpec("a name", argv, Resources(**resources), "/tmp", "/dev/null")))
        return self.keep(keep, command) if keep else self.run(command)

    def estimate(self, name, **resources):
        spec = JobSpec("a name", ("true",), Resources(**resources), "/tmp", "/x")
        self.keep(f"estimate-{name}", opening(SLURM.estimate(spec)))

    def submitted(self, argv, keep="", **resources):
        output = self.submit(argv, keep, **resources)
        return replayed(SLURM.submit(JobSpec("x", ("true",), Resources(), "/", "/l")), output)

    def record(self):
        small = {"cpus_per_task": 1, "mem_mb": 100}
        jobs = {
            name: self.submitted(argv, gpus_per_node=int(name == "running"), **small)
            for name, argv in SCRIPTS.items()
        }
        time.sleep(3)
        now = time.strftime("%Y-%m-%dT%H:%M:%S")
        self.run(Command(("scontrol", "update", f"JobId={jobs['timeout']}", f"EndTime={now}")))
        self.run(opening(SLURM.cancel([jobs["cancelled"]])))
        self.run(Command(("scontrol", "suspend", jobs["suspended"])))
        jobs["pending"] = self.submitted(("true",), "sbatch-ok", nodes=2, cpus_per_task=4)
        jobs["held"] = self.submitted(("true",), **small)
        self.run(Command(("scontrol", "hold", jobs["held"])))
        for name, resources in REFUSED.items():
            self.submit(("true",), f"sbatch-{name}", **resources)
        self._wait_for_timeout(jobs["timeout"])
        self.keep("squeue", opening(SLURM.query(list(jobs.values()))))
        self.keep("squeue-one-unknown", opening(SLURM.query([JobId("4000000")])))
        self.keep("squeue-two-unknown", opening(SLURM.query([JobId("4000000"), JobId("4000001")])))
        for name, job in jobs.items():
            self.keep(f"scontrol-{name}", opening(SLURM.settle(job)))
        settling = SLURM.settle(JobId("4000000"))
        forgotten = self.keep("scontrol-unknown", next(settling))
        self.keep("sacct-disabled", settling.send(forgotten))
        self.keep("scancel-unknown", opening(SLURM.cancel([JobId("4000000")])))
        me = pwd.getpwuid(os.getuid()).pw_name
        for name, command in zip(SITE, next(SLURM.site(user=me)), strict=True):
            self.keep(f"site-{name}", command)
        self.estimate("behind-endless", cpus_per_task=1)
        self.run(opening(SLURM.cancel(list(jobs.values()))))
        time.sleep(5)
        for name, resources in ESTIMATED.items():
            self.estimate(name, **resources)
        self._record_silence(jobs["completed"])

    def _wait_for_timeout(self, job):
        for _ in range(90):
            if replayed(SLURM.settle(job), self.run(opening(SLURM.settle(job)))).ending is not None:
                return
            time.sleep(1)
        raise SystemExit("the job did not reach its time limit")

    def _record_silence(self, job):
        conf = self.cluster.conf
        port = next(line for line in conf.read_text().splitlines() if line.startswith("SlurmctldPort="))
        nobody = conf.with_name("nobody.conf")
        nobody.write_text(conf.read_text().replace(port, "SlurmctldPort=1\nMessageTimeout=2"))
        self.env["SLURM_CONF"] = str(nobody)
        self.submit(("true",), "silent-sbatch")
        self.estimate("silent")
        self.keep("silent-squeue", opening(SLURM.query([job])))
        self.keep("silent-scontrol", opening(SLURM.settle(job)))
        self.keep("silent-sinfo", opening(SLURM.site()))


def _hide(text):
    """Leave out what is this machine's: directory, user and host."""
    me = pwd.getpwuid(os.getuid()).pw_name
    text = re.sub(r"/tmp/hx\w+", "/tmp/hx", text)
    text = re.sub(rf"\bname={me}\b", "name=user", text)
    text = re.sub(rf"\b{me}\({os.getuid()}\)", "user(1000)", text)
    text = re.sub(rf"\b{me}\({os.getgid()}\)", "user(1000)", text)
    return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "login1", text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
