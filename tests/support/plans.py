"""Plans of made-up launches: an engine and a scheduler that only write down what they are told."""

from jupyter_hpcctr.core.facts import Facts, Host, ImageInfo, Policy
from jupyter_hpcctr.core.job import Command, EngineCommand
from jupyter_hpcctr.core.plan import plan
from jupyter_hpcctr.core.quote import job_script
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.core.resolve import resolve

HOST = Host(
    user="alice", uid=1001, home="/home/alice", cwd="/home/alice/nb", job_dir="/state/jobs/1",
    run_dir="/tmp/hpcctr-1001-1", guest_dir="/opt/guest", python="/opt/venv/bin/python",
)  # fmt: skip
IMAGE = ImageInfo(
    reference="r/n:1", digest="sha256:1", path="/store/1.sqfs", kind="squashfs",
    env={"PATH": "/usr/bin", "LD_PRELOAD": "evil.so", "USER": "root"},
    roots={"usr": False, "home": True, "scratch": True, "hpcctr": False}
    | {"dev": False, "proc": False, "sys": False, "tmp": True},
)  # fmt: skip
FACTS = Facts(HOST, IMAGE)


class Words:
    """An engine and a scheduler that only write down what they are told."""

    name = "words"
    accepts = ("squashfs", "directory", "none")
    container = None

    def check(self, container):
        self.container = self.container or container  # the kernel's comes first, then that of ranks

    def hold(self, container, argv):
        return EngineCommand(("hold", *argv))

    def join(self, container, holder_pid, argv):
        return EngineCommand(("join", holder_pid, *argv))

    def command(self, container, argv):
        return EngineCommand(("command", *argv))

    def submit(self, spec):
        return Command(("submit", spec.name, *spec.argv), stdin=job_script(spec.argv))

    def steps(self):
        return None


def drawn(raw, facts=FACTS, policy=Policy()):  # noqa: B008
    words = Words()
    return plan(resolve(parse(raw), facts, policy), facts, policy, engine=words, scheduler=words), words.container
