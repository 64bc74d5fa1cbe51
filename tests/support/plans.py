"""Plans of made-up launches: an engine and a scheduler that only write down what they are told."""

from jupyter_hpcctr.core.facts import Facts, Host, ImageInfo
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.core.plan import job_plan, plan
from jupyter_hpcctr.core.quote import job_script
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.core.resolve import resolve
from jupyter_hpcctr.protocol.container import EngineCommand
from jupyter_hpcctr.protocol.values import AgentFile, Link

from .policies import site_policy

HOST = Host(
    user="alice", uid=1001, gid=1001, home="/home/alice", cwd="/home/alice/nb", job_dir="/state/jobs/1",
    run_dir="/tmp/hpcctr-1001-1", agent_dir="/opt", python="/opt/venv/bin/python",
)  # fmt: skip
IMAGE = ImageInfo(
    reference="r/n:1", digest="sha256:1", path="/store/1.sqfs", kind="squashfs",
    env={"PATH": "/usr/bin", "LD_PRELOAD": "evil.so", "USER": "root"},
    roots={"usr": False, "home": True, "scratch": True, "hpcctr": False}
    | {"dev": False, "proc": False, "sys": False, "tmp": True},
)  # fmt: skip
FACTS = Facts(HOST, IMAGE, job_env=("SLURM_*", "SLURMD_*"))


class Words:
    """An engine and a scheduler that only write down what they are told."""

    name = "words"
    accepts = ("squashfs", "directory", "none")
    shares = True
    job_env, secret_env = ("SLURM_*", "SLURMD_*"), ("SLURM_JWT",)
    container = None

    def check(self, container):
        self.container = container

    def start(self, container, program, node):
        return EngineCommand(("start", *program.argv))

    def enter(self, container, pid, program, node):
        return EngineCommand(("enter", pid, *program.argv))

    def submit(self, spec):
        yield Command(("submit", spec.name, *spec.argv), stdin=job_script(spec.argv))

    def steps(self):
        return None


def drawn(raw, facts=FACTS, policy=site_policy()):  # noqa: B008
    words = Words()
    return plan(resolve(parse(raw), facts, policy), facts, policy, engine=words, scheduler=words), words.container


def agent_file():
    """Return what the agent of a launch is told."""
    made, _ = drawn({"image": "r/n:1"})
    return AgentFile(
        link=Link(("tcp://10.0.0.1:5",), "server's", "agent's", "s3cret"),
        kernel_key="s3cret too",
        keep_bytes=1000,
        orphan_seconds=60.0,
        orphan_idle_seconds=60.0,
        checkpoint_seconds=300.0,
        kept=False,
        scheduler="words",
        host="login",
        plan=job_plan(made),
    )
