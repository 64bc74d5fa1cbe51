"""How ranks are started, as plans say it: whole values, for each scheduler with each engine."""

import dataclasses
import json

import pytest
from support.policies import site_policy
from test_plan import HOST, IMAGE

from jupyter_hpcctr.core.facts import Facts
from jupyter_hpcctr.core.plan import plan, to_json
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.core.resolve import resolve
from jupyter_hpcctr.engines.bare import Bare
from jupyter_hpcctr.engines.charliecloud import Charliecloud
from jupyter_hpcctr.protocol.container import Container, Mount
from jupyter_hpcctr.protocol.ranks import ImageMpi, JobVariables, Probe, RankPlan, Steps
from jupyter_hpcctr.protocol.shared import ImageFile
from jupyter_hpcctr.schedulers.local import Local
from jupyter_hpcctr.schedulers.slurm import Slurm

NOTES = {
    "org.supercontainers.mpi.implementation": "OpenMPI",
    "org.supercontainers.mpi.version": "4.1.4",
    "org.supercontainers.pmi.version": "4.2.2",
}
WITH_MPI = Facts(HOST, dataclasses.replace(IMAGE, annotations=NOTES))

SRUN = (
    "env", "--unset=SLURM_NTASKS_PER_NODE", "--unset=SLURM_CPUS_PER_TASK", "--unset=SRUN_CPUS_PER_TASK",
    "--unset=SLURM_TRES_PER_TASK", "srun", "--overlap", "--quiet", "--export=ALL", "--nodes=@NODES@",
    "--nodelist=@NODELIST@", "--chdir=@DIRECTORY@", "--mem=0", "--kill-on-bad-exit=0", "--wait=0",
)  # fmt: skip
STEP = (
    *SRUN, "--ntasks=@RANKS@", "--cpus-per-task=@CPUS@", "--distribution=block", "--input=none",
    "--mpi=@PMI@", "--no-kill=off", "@OVERCOMMIT@",
)  # fmt: skip
NODE_STEP = (
    *SRUN, "--ntasks=@NODES@", "--ntasks-per-node=1", "--cpus-per-task=1", "--gres=none", "--input=all",
    "--mpi=none", "--no-kill",
)  # fmt: skip

STEPS = Steps(
    ranks=STEP,
    nodes=NODE_STEP,
    overcommit="--overcommit",
    variables=JobVariables(
        job="SLURM_JOB_ID",
        node="SLURMD_NODENAME",
        nodes="SLURM_JOB_NUM_NODES",
        tasks="SLURM_TASKS_PER_NODE",
        cpus="SLURM_CPUS_PER_TASK",
        rank="SLURM_PROCID",
        hub="SLURM_LAUNCH_NODE_IPADDR",
    ),
    names=Probe(("scontrol", "show", "hostnames"), r"(\S+)"),
    addresses=Probe(("scontrol", "--oneliner", "show", "node", "@NODELIST@"), r"\bNodeAddr=(\S+)"),
    pmi=Probe(("srun", "--mpi=list"), r"^[ \t]*(\S.*?)(?<!\.\.\.)[ \t]*$"),
)

RUN = "/tmp/hpcctr-1001-1@NODE@"
IN_AN_IMAGE = RankPlan(
    steps=STEPS,
    job_env=("SLURM_*", "SLURMD_NODENAME"),
    engine="jupyter_hpcctr.engines.charliecloud:Charliecloud",
    container=Container(
        name="hpcctr-1001-1@NODE@",
        image="/store/1.sqfs",
        kind="squashfs",
        reference="r/n:1",
        digest="sha256:1",
        mounts=(
            Mount(f"{RUN}/guest", "/hpcctr/guest"), Mount(f"{RUN}/kernel", "/hpcctr/run"),
            Mount(f"{RUN}/stage/home", "/home"), Mount("/home/alice", "/home/alice"),
        ),
        workdir="/home/alice/nb",
        scratch=f"{RUN}/engine",
    ),
    shares=True,
    holder=("python3", "-S", "-E", "/hpcctr/guest/holder.py"),
    run_dir=RUN,
    directories=(f"{RUN}/kernel", f"{RUN}/engine", f"{RUN}/stage/home/alice"),
    rank_argv=("python3", "/hpcctr/guest/mpirun/rank.py"),
    hub_argv=("/opt/venv/bin/python", "/opt/agent.zip", "ranks"),
    python="/opt/venv/bin/python",
    enter_script="/opt/guest/mpirun/enter.py",
    guest_python="python3",
    guest_enter="/hpcctr/guest/mpirun/enter.py",
    mpi=ImageMpi("openmpi", "4.1.4", "4.2.2"),
    beyond="refuse",
    kernel_dir_host=f"{RUN}/kernel",
    kernel_dir="/hpcctr/run",
    image=ImageFile(IMAGE.path, "squashfs", IMAGE.size_bytes, IMAGE.owner),
)  # fmt: skip
WITHOUT_IMAGE = RankPlan(
    steps=STEPS,
    job_env=("SLURM_*", "SLURMD_NODENAME"),
    engine="",
    container=Container("hpcctr-1001-1@NODE@", "", "none", "", "", (), "/home/alice/nb", f"{RUN}/engine"),
    shares=True,
    holder=(),
    run_dir=RUN,
    directories=(f"{RUN}/kernel", f"{RUN}/engine"),
    rank_argv=("/opt/venv/bin/python", f"{RUN}/guest/mpirun/rank.py"),
    hub_argv=("/opt/venv/bin/python", "/opt/agent.zip", "ranks"),
    python="/opt/venv/bin/python",
    enter_script="/opt/guest/mpirun/enter.py",
    guest_python="/opt/venv/bin/python",
    guest_enter=f"{RUN}/guest/mpirun/enter.py",
    mpi=ImageMpi(),
    beyond="refuse",
    kernel_dir_host=f"{RUN}/kernel",
    kernel_dir=f"{RUN}/kernel",
)
ON_THIS_MACHINE = {"steps": None, "job_env": (), "beyond": "reduce"}


def drawn(raw, engine, scheduler, policy=site_policy(), facts=WITH_MPI):  # noqa: B008
    return plan(resolve(parse(raw), facts, policy), facts, policy, engine=engine, scheduler=scheduler)


def test_slurm_and_charliecloud():
    made = drawn({"image": "r/n:1", "nodes": 2}, Charliecloud(), Slurm())
    assert made.ranks == IN_AN_IMAGE


def test_slurm_and_bare():
    assert drawn({}, Bare(), Slurm(), facts=Facts(HOST)).ranks == WITHOUT_IMAGE


def test_local_and_charliecloud():
    made = drawn({"image": "r/n:1", "scheduler": "local"}, Charliecloud(), Local())
    assert made.ranks == dataclasses.replace(IN_AN_IMAGE, **ON_THIS_MACHINE)


def test_local_and_bare():
    made = drawn({"scheduler": "local"}, Bare(), Local(), facts=Facts(HOST))
    assert made.ranks == dataclasses.replace(WITHOUT_IMAGE, **ON_THIS_MACHINE)


@pytest.mark.parametrize(("asked", "slurm", "local"), [("reduce", "refuse", "reduce"), ("refuse", "refuse", "refuse")])
def test_what_is_beyond_an_allocation_is_refused_and_beyond_a_machine_the_policy_decides(asked, slurm, local):
    policy = site_policy(ranks_beyond_machine=asked)
    assert drawn({}, Bare(), Slurm(), policy, Facts(HOST)).ranks.beyond == slurm
    assert drawn({"scheduler": "local"}, Bare(), Local(), policy, Facts(HOST)).ranks.beyond == local


def test_on_the_kernels_node_everything_is_where_the_agent_makes_it():
    made = drawn({"image": "r/n:1"}, Charliecloud(), Slurm())
    here = json.loads(json.dumps(dataclasses.asdict(made.ranks)).replace("@NODE@", ""))
    assert here["directories"] == list(made.directories)
    assert (here["run_dir"], here["kernel_dir"]) == (made.run_dir, made.kernel_dir)


class Alone(Charliecloud):
    """An engine whose containers cannot be entered."""

    shares = False


def test_an_engine_whose_containers_cannot_be_entered_gives_each_rank_one_of_its_own():
    made = drawn({"image": "r/n:1"}, Alone(), Slurm())
    assert (made.ranks.shares, made.ranks.holder, made.start) == (False, (), ())
    assert made.enter[-len(made.kernel) :] == made.kernel
    assert "--bind=/home/alice:/home/alice" in made.enter


def test_what_an_image_does_not_say_of_its_mpi_is_empty():
    assert drawn({"image": "r/n:1"}, Charliecloud(), Slurm(), facts=Facts(HOST, IMAGE)).ranks.mpi == ImageMpi()


def test_it_can_be_written_down():
    text = to_json(drawn({"image": "r/n:1"}, Charliecloud(), Slurm()))
    ranks = json.loads(text)["ranks"]
    assert ranks["steps"]["ranks"] == list(STEP)
    assert ranks["mpi"] == {"implementation": "openmpi", "version": "4.1.4", "pmi": "4.2.2"}
    assert ranks["container"]["mounts"][0]["target"] == "/hpcctr/guest"
