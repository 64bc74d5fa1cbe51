"""Slurm, by its commands: sbatch(1), squeue(1), scontrol(1), sacct(1), scancel(1), sinfo(1).

Only fields that releases 22.05 to 26.05 print alike are asked for; ``--json`` is not among them. This
room builds words and reads words; it runs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...core.facts import Site
from ...core.job import Command, Estimate, JobId, JobState, JobStatus
from ...core.jobspec import JobSpec
from ...core.questions import Asking
from ...core.quote import job_script
from ...core.request import Resources
from ...core.seams import Scheduler
from ...errors import RequestError
from ...protocol import words
from ...protocol.ranks import JobVariables, Probe, Steps
from . import answers, failures, site


class Slurm(Scheduler):
    """Starts jobs through Slurm."""

    name = "slurm"
    # SBATCH_WAIT, SBATCH_ARRAY_INX and SLURM_TIME_FORMAT, among others, would change what the commands do or print.
    keep_env = (
        "SLURM_CONF",
        "SBATCH_ACCOUNT",
        "SBATCH_PARTITION",
        "SBATCH_QOS",
        "SBATCH_RESERVATION",
        "SBATCH_CONSTRAINT",
    )
    job_env = ("SLURM_*", "SLURMD_NODENAME")
    secret_env = ("SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_JOBID_*")

    def submit(self, spec: JobSpec) -> Asking[JobId]:
        """Ask sbatch(1), and read the id that ``--parsable`` has it print.

        ``--export=ALL`` hands on what the caller gives sbatch, which is an allow-list; ``NONE`` would
        load a login environment instead.

        ``--signal`` has Slurm tell the agent that the job's end is near, for the kernel's checkpoint. The agent has a
        clock of its own and hears of a moved end from its server; this is for an end that has moved while no server
        is there, and for preemption (slurm.conf(5), ``preempt_send_user_signal``). It may come as soon as the job
        begins, so that the script ignores it.

        Raises
        ------
        RequestError
            The log file or the work directory has a name that sbatch(1) cannot carry.
        """
        return answers.job_id((yield _sbatch(spec)))

    def find(self, tokens: Collection[str]) -> Asking[Mapping[str, JobId]]:
        """Ask squeue(1) for all of the user's jobs with their comments, also those that ended a moment ago.

        Other jobs' comments may hold anything.
        """
        return answers.tokens((yield Command(("squeue", "--noheader", "--me", "--states=all", "--format=%A|%k"))))

    def steps(self) -> Steps | None:
        """Return the srun(1) words for ranks and for the other nodes' own processes."""
        return STEPS

    def query(self, jobs: Collection[JobId]) -> Asking[Mapping[JobId, JobStatus]]:
        """Ask one squeue(1) for all jobs, also those that ended a moment ago."""
        fields = "--format=%A|%T|%S|%e|%N|%r"
        words = ("squeue", "--noheader", "--states=all", fields, "--jobs=" + ",".join(jobs))
        return answers.queue((yield Command(words)))

    def settle(self, job: JobId) -> Asking[JobStatus]:
        """Ask the controller, which remembers a job for MinJobAge (slurm.conf(5)), and then accounting.

        The database, where there is one, remembers a job for months; sites without it have forgotten the job.
        """
        status = answers.end((yield Command(("scontrol", "--oneliner", "show", "job", job))), job)
        if status.state is not JobState.UNKNOWN:
            return status
        fields = "--format=JobIDRaw,State,ExitCode,End,NodeList"
        words = ("sacct", "--allocations", "--parsable2", "--noheader", fields, f"--jobs={job}")
        return answers.end((yield Command(words)), job)

    def last_words(self, status: JobStatus, log: str) -> JobStatus:
        """Read what slurmstepd has written: without cgroups Slurm calls a job that it killed for its memory FAILED."""
        return answers.last_words(status, log)

    def signal(self, job: JobId, signum: int) -> Asking[None]:
        """Have scancel(1) signal the batch script, which has become the agent, and nothing else."""
        failures.done((yield Command(("scancel", "--batch", f"--signal={signum}", job))))

    def cancel(self, jobs: Collection[JobId]) -> Asking[None]:
        """Ask one scancel(1) for all jobs; it exits 0 for those that are gone."""
        failures.done((yield Command(("scancel", "--quiet", *jobs))))

    def estimate(self, spec: JobSpec) -> Asking[Estimate]:
        """Ask the words of ``submit`` with ``--test-only``: the same job, tried and not submitted."""
        asked = _sbatch(spec)
        words = (asked.argv[0], "--test-only", *asked.argv[1:])
        return answers.estimate((yield Command(words, stdin=asked.stdin)))

    def site(self, *, user: str = "") -> Asking[Site]:
        """Ask sinfo(1) for the partitions, scontrol(1) for their limits and the rest, sacctmgr(1) for accounts.

        Sites without accounting have no accounts.
        """
        fields = ",".join(f"{name}:|" for name in site.FIELDS)
        accounts = "format=DefaultAccount,Cluster,Account,QOS"
        users = ("sacctmgr", "--parsable2", "--noheader", "show", "user", f"name={user}", "withassoc", accounts)
        said = yield (
            Command(("sinfo", "--noheader", "--exact", f"--Format={fields}")),
            Command(("scontrol", "show", "config")),
            Command(("scontrol", "--oneliner", "show", "partition")),
            *((Command(users),) if user else ()),
        )
        return answers.site(*said)


_WARNING = "USR1"

# What a job was submitted with is a default of its steps, and no option of srun takes these back.
_NOT_FROM_THE_JOB = ("SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK", "SRUN_CPUS_PER_TASK", "SLURM_TRES_PER_TASK")
_STEP = (
    "env",
    *(f"--unset={name}" for name in _NOT_FROM_THE_JOB),
    "srun",
    "--overlap",
    "--quiet",
    "--export=ALL",
    f"--nodes={words.NODES}",
    f"--nodelist={words.NODELIST}",
    f"--chdir={words.DIRECTORY}",
    "--mem=0",
    "--kill-on-bad-exit=0",
    "--wait=0",
)

# srun takes what the job was submitted with for options of its own (srun(1), "INPUT ENVIRONMENT VARIABLES"), so that
# each is either given or unset. --mem=0 is the job's memory, without taking it from other steps; what a rank's end
# means is not srun's to decide. Ranks are spread evenly over the nodes, in blocks, as far as there are CPUs on each.
STEPS = Steps(
    ranks=(
        *_STEP,
        f"--ntasks={words.RANKS}",
        f"--cpus-per-task={words.CPUS}",
        "--distribution=block",
        "--input=none",
        f"--mpi={words.PMI}",
        "--no-kill=off",
        words.OVERCOMMIT,
    ),
    nodes=(
        *_STEP,
        f"--ntasks={words.NODES}",
        "--ntasks-per-node=1",
        "--cpus-per-task=1",
        "--gres=none",
        "--input=all",
        "--mpi=none",
        "--no-kill",
    ),
    overcommit="--overcommit",
    variables=JobVariables(  # sbatch(1) and srun(1), "OUTPUT ENVIRONMENT VARIABLES"
        job="SLURM_JOB_ID",
        node="SLURMD_NODENAME",
        nodes="SLURM_JOB_NUM_NODES",
        tasks="SLURM_TASKS_PER_NODE",
        cpus="SLURM_CPUS_PER_TASK",
        rank="SLURM_PROCID",
        hub="SLURM_LAUNCH_NODE_IPADDR",  # srun runs on the hub's node
    ),
    names=Probe(("scontrol", "show", "hostnames"), r"(\S+)"),  # of SLURM_JOB_NODELIST (scontrol(1))
    addresses=Probe(("scontrol", "--oneliner", "show", "node", words.NODELIST), r"\bNodeAddr=(\S+)"),
    pmi=Probe(("srun", "--mpi=list"), r"^[ \t]*(\S.*?)(?<!\.\.\.)[ \t]*$"),
)


def _sbatch(spec: JobSpec) -> Command:
    log = _pattern(spec.log_file)
    words = (
        "sbatch",
        "--parsable",
        "--no-requeue",
        "--export=ALL",
        "--open-mode=append",
        f"--signal=B:{_WARNING}@60",
        f"--job-name={_job_name(spec.name)}",
        *((f"--comment={answers.MARK}{spec.token}",) if spec.token else ()),
        f"--chdir={_absolute(spec.workdir)}",
        f"--output={log}",
        f"--error={log}",
        *(("--no-kill",) if spec.resources.nodes > 1 else ()),  # a lost node is not the kernel's end
        *_resource_words(spec.resources),
    )
    return Command(words, stdin=job_script(spec.argv, ignored=(_WARNING,)))


def _resource_words(wanted: Resources) -> tuple[str, ...]:
    gres = None
    if wanted.gpus_per_node:
        gres = ":".join(word for word in ("gpu", wanted.gpu_type, str(wanted.gpus_per_node)) if word)
    options: tuple[tuple[str, object], ...] = (
        ("nodes", wanted.nodes),
        ("ntasks", wanted.ntasks),
        ("ntasks-per-node", wanted.ntasks_per_node),
        ("cpus-per-task", wanted.cpus_per_task),
        ("mem", None if wanted.mem_mb is None else f"{wanted.mem_mb}M"),
        ("gres", gres),
        ("time", wanted.time_minutes),
        ("partition", wanted.partition),
        ("account", wanted.account),
        ("qos", wanted.qos),
        ("constraint", wanted.constraint),
        ("reservation", wanted.reservation),
    )
    return tuple(f"--{name}={value}" for name, value in options if value is not None)


def _job_name(name: str) -> str:
    """Return a name of one line: squeue(1) and a site's own tools print it as it is."""
    return "".join(c if c.isprintable() else " " for c in name).strip() or "jupyter"


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise RequestError(f"the job's directory {path!r} is not an absolute path", hint="write it out whole")
    return path


def _pattern(path: str) -> str:
    """Write a path as sbatch(1) reads it back, "FILENAME PATTERN": '%' is doubled, '\\' has no way through."""
    if "\\" in path:
        raise RequestError(
            f"the log file {path!r} has a backslash in its name, which sbatch(1) drops",
            hint="use a directory without one",
        )
    return _absolute(path).replace("%", "%%")
