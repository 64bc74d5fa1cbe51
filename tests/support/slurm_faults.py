"""What happens to a Slurm: its controller stopped, killed and started again, its nodes drained or lost."""

import contextlib
import os
import shutil
import signal
import subprocess

from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.downscale import daemons
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import CommandError

from .clusters import run
from .waiting import state_of, wait_until

USABLE = ("idle", "mixed", "allocated", "completing")
PREEMPTION = """
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=1
PartitionName=urgent Nodes=n[1-2] PriorityTier=10 State=UP
"""


class Faulty:
    """A cluster of two nodes of a test's own, and what can be done to it."""

    def __init__(self, directory):
        self.cluster = Cluster.up(directory, nodes=2, cpus=4, memory_mb=4000)
        self.bad_prolog = directory / "bad"
        """While there is such a file, the prolog of every job fails."""
        self._pid = self.cluster.status().pids["slurmctld"]

    def configure(self, text):
        """Add lines to slurm.conf(5), and have them taken up."""
        with self.cluster.conf.open("a") as conf:
            conf.write(text)
        self.kill()
        self.start()
        run(self.cluster, "scontrol", "reconfigure")

    def stop(self):
        """Stop the controller: it takes connections, and does not answer."""
        os.kill(self._pid, signal.SIGSTOP)
        wait_until(lambda: state_of(self._pid) == "T", "the controller is stopped")

    def go_on(self):
        """Let it go on, where it is stopped."""
        os.kill(self._pid, signal.SIGCONT)

    def await_saving(self, words):
        """Wait until the controller has saved a job with these words: that takes it up to five seconds."""
        saved = self.cluster.directory / "state" / "job_state"
        wait_until(lambda: words.encode() in saved.read_bytes(), "the job is saved")

    def kill(self):
        """Kill the controller: there is none to connect to."""
        os.kill(self._pid, signal.SIGKILL)
        wait_until(lambda: state_of(self._pid) in ("gone", "Z"), "the controller is gone")

    def start(self):
        """Start it again with what it has saved, and wait until it answers."""
        words = (shutil.which("slurmctld", path="/usr/sbin:/sbin:" + os.environ["PATH"]), "-i", "-f")
        process.check(Command((*words, str(self.cluster.conf))), env=daemons.environment() | self.cluster.env)
        wait_until(lambda: self.cluster.status().is_up, "the controller answers")
        self._pid = self.cluster.status().pids["slurmctld"]

    def node(self, name, state):
        """Set a node's state: drain, down, resume."""
        run(self.cluster, "scontrol", "update", f"NodeName={name}", f"State={state}", "Reason=test")

    def node_of(self, job):
        """The node of a job that runs."""
        return run(self.cluster, "squeue", "-h", "-o", "%N", "-j", job).strip()

    def add_prolog(self):
        """Have a prolog (slurm.conf(5)) run before each job."""
        program = self.cluster.directory / "prolog"
        program.write_text(f"#!/bin/sh\ntest ! -e {self.bad_prolog}\n")
        program.chmod(0o755)
        self.configure(f"Prolog={program}\n")

    def mend(self):
        """Make all nodes usable again."""
        self.bad_prolog.unlink(missing_ok=True)
        wait_until(self._are_usable, "all nodes are usable")

    def _are_usable(self):
        bad = [node for node in self.cluster.status().nodes if node.state not in USABLE]
        for node in bad:
            with contextlib.suppress(CommandError):  # its state has changed meanwhile
                self.node(node.name, "resume")
        return not bad

    def submit(self, script, *words):
        """Submit a job of somebody else; return its id."""
        return run(self.cluster, "sbatch", "--parsable", "--output=/dev/null", *words, f"--wrap={script}").strip()

    def cancel(self, job):
        """End such a job at once."""
        for words in (("--signal=KILL", "--full", job), (job,)):
            subprocess.run(["scancel", *words], env=os.environ | self.cluster.env, check=True)
