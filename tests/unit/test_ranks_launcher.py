"""How ranks are started, whole: srun and both families' mpiexec, with and without a container."""

import dataclasses
import os

import pytest
from test_ranks_config import config_of
from test_ranks_plan import IN_AN_IMAGE, ON_THIS_MACHINE, WITHOUT_IMAGE

from jupyter_hpcctr.ranks.failure import RankError
from jupyter_hpcctr.ranks.launcher import Launcher, program_words
from jupyter_hpcctr.ranks.slots import Node, Placement

OPEN_MPI = {"family": "openmpi", "version": "4.1.4", "mpiexec": "/usr/bin/mpiexec.openmpi", "mpiexec_family": "openmpi"}
MPICH = {"family": "mpich", "version": "4.0.2", "mpiexec": "/usr/bin/mpiexec.hydra", "mpiexec_family": "mpich"}
ANY = {"family": "", "version": "", "mpiexec": "/opt/other/mpiexec", "mpiexec_family": ""}
NONE = {"family": "openmpi", "version": "", "mpiexec": "", "mpiexec_family": ""}

TWO_NODES = Placement(6, (Node("n1", 4), Node("n2", 4)), 4, over=False)
CROWDED = Placement(9, (Node("n1", 4), Node("n2", 4)), 5, over=True)
ALONE = Placement(1, (Node("", 4),), 4, over=False)
SHARED = Placement(8, (Node("", 4),), 8, over=True)
HERE = Placement(3, (Node("", 4),), 4, over=False)

RUN = "/tmp/hpcctr-1001-1"
SRUN = [
    "env", "--unset=SLURM_NTASKS_PER_NODE", "--unset=SLURM_CPUS_PER_TASK", "--unset=SRUN_CPUS_PER_TASK",
    "--unset=SLURM_TRES_PER_TASK", "srun", "--overlap", "--quiet", "--export=ALL", "--nodes=2",
    "--nodelist=n1,n2", "--chdir=/", "--mem=0", "--kill-on-bad-exit=0", "--wait=0",
]  # fmt: skip
ENTER = ["/opt/venv/bin/python", "-S", "-E", "/opt/guest/mpirun/enter.py"]
WRAPPER = [*ENTER, RUN, "/kernel/w1.json", "n1", ""]
STEP_WRAPPER = [*WRAPPER[:-1], "SLURMD_NODENAME"]
CH_RUN = [
    "ch-run", "--unset-env=*", "--env-no-expand", f"--set-env={RUN}/env", "--cd=/home/alice/nb", "--join-pid=4711",
    "/store/1.sqfs", "--",
]  # fmt: skip
GUEST_WRAPPER = ["python3", "-S", "-E", "/hpcctr/guest/mpirun/enter.py", "/hpcctr/run/w1.json", "", "n1", ""]
OPEN_MPI_ON_THIS_NODE = [
    "--mca", "plm", "isolated", "--mca", "ras", "^slurm", "--mca", "orte_tmpdir_base",
]  # fmt: skip
SPEC = {
    "world": "w1",
    "env": {"LANG": "C.UTF-8", "A": "a'b"},
    "image_env": {},
    "pass_env": ("KEPT*",),
    "drop_env": ("KEPT_NOT",),
    "limit": 7,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in os.environ:
        monkeypatch.delenv(name)
    given = {
        "PATH": "/bin",
        "SLURM_JOB_ID": "7",
        "SLURM_CPUS_PER_TASK": "2",
        "PMIX_RANK": "0",
        "OMPI_COMM_WORLD_RANK": "0",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "getuid", lambda: 1001)


def started(found, placement, *, plan=WITHOUT_IMAGE, local=False, pmi=None, program=("rank", "a b")):
    plan = dataclasses.replace(plan, **{**ON_THIS_MACHINE, "job_env": ("SLURM_*",)}) if local else plan
    return Launcher(config_of(plan), found).start("w1", list(program), placement, pmi=pmi, extra={"limit": 7})


def own(env):
    return {name: value for name, value in env.items() if not name.startswith("PYTEST_")}


def test_a_step_without_a_container():
    start = started(OPEN_MPI, TWO_NODES)
    assert start.argv == [
        *SRUN, "--ntasks=6", "--cpus-per-task=2", "--distribution=block", "--input=none", "--mpi=pmix",
        "--no-kill=off", *STEP_WRAPPER,
    ]  # fmt: skip
    assert start.env == dict(os.environ)
    assert start.shown == "srun --mpi=pmix"
    assert start.spec == {
        **SPEC, "ranks": 6, "rank_variable": "SLURM_PROCID", "argv": ["rank", "a b"], "inside": False,
        "dir_inside": "/hpcctr/run", "cwd": "/home/alice/nb",
    }  # fmt: skip


def test_a_step_that_shares_cpus_and_joins_containers():
    start = started(MPICH, CROWDED, plan=IN_AN_IMAGE)
    assert start.argv == [
        *SRUN, "--ntasks=9", "--distribution=block", "--input=none", "--mpi=pmi2", "--no-kill=off",
        "--overcommit", *STEP_WRAPPER,
    ]  # fmt: skip
    assert (start.shown, start.by_step) == ("srun --mpi=pmi2", True)
    assert start.spec == {
        **SPEC, "ranks": 9, "rank_variable": "SLURM_PROCID", "inside": False, "dir_inside": "/hpcctr/run",
        "cwd": "/home/alice/nb", "argv": ["rank", "a b"],
    }  # fmt: skip


def test_without_a_container_each_node_knows_its_own_directory():
    config = config_of(WITHOUT_IMAGE, dir_inside=f"{RUN}/kernel")
    start = Launcher(config, OPEN_MPI).start("w1", ["rank"], TWO_NODES, pmi=None, extra={})
    assert start.spec["dir_inside"] == ""


def test_a_step_leaves_out_what_the_job_does_not_say(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    words = started(OPEN_MPI, TWO_NODES).argv
    assert [word for word in words if word.startswith("--cpus-per-task")] == []


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        (OPEN_MPI, None, "pmix"),
        (MPICH, None, "pmi2"),
        (ANY, None, "pmix"),
        (OPEN_MPI, "pmi2", "pmi2"),
        (MPICH, "cray_shasta", "cray_shasta"),
    ],
)
def test_what_a_step_offers_to_mpi(found, asked, expected):
    start = started(found, TWO_NODES, pmi=asked)
    assert [word for word in start.argv if word.startswith("--mpi=")] == [f"--mpi={expected}"]
    assert start.shown == f"srun --mpi={expected}"


OUTSIDE = {
    **SPEC, "argv": ["rank", "a b"], "inside": False, "dir_inside": "/hpcctr/run",
    "cwd": "/home/alice/nb",
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "placement", "launch"),
    [
        (
            OPEN_MPI, HERE,
            [
                "/usr/bin/mpiexec.openmpi", *OPEN_MPI_ON_THIS_NODE, f"{RUN}/kernel/w1.tmp", "--host", "localhost:3",
                "-n", "3", "--bind-to", "none",
            ],
        ),
        (
            OPEN_MPI, ALONE,
            [
                "/usr/bin/mpiexec.openmpi", *OPEN_MPI_ON_THIS_NODE, f"{RUN}/kernel/w1.tmp", "--host", "localhost:1",
                "-n", "1", "--bind-to", "none",
            ],
        ),
        (
            OPEN_MPI, SHARED,
            [
                "/usr/bin/mpiexec.openmpi", *OPEN_MPI_ON_THIS_NODE, f"{RUN}/kernel/w1.tmp", "--host", "localhost:8",
                "-n", "8", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1",
            ],
        ),
        (MPICH, HERE, ["/usr/bin/mpiexec.hydra", "-launcher", "fork", "-n", "3"]),
        (ANY, HERE, ["/opt/other/mpiexec", "-n", "3"]),
    ],
)  # fmt: skip
def test_mpiexec_without_a_container(found, placement, launch):
    start = started(found, placement, local=True)
    assert start.argv == [*launch, *WRAPPER]
    assert own(start.env) == {"PATH": "/bin"}
    assert start.shown == os.path.basename(found["mpiexec"])
    assert start.spec == {**OUTSIDE, "ranks": placement.ranks}


UNSET = [
    "env",
    "--unset=OMPI_COMM_WORLD_RANK",
    "--unset=PMIX_RANK",
    "--unset=SLURM_CPUS_PER_TASK",
    "--unset=SLURM_JOB_ID",
]


@pytest.mark.parametrize(
    ("found", "launch", "shown"),
    [
        (
            OPEN_MPI,
            [
                "/usr/bin/mpiexec.openmpi", *OPEN_MPI_ON_THIS_NODE, "/hpcctr/run/w1.tmp", "--host", "localhost:3",
                "-n", "3", "--bind-to", "none",
            ],
            "the image's mpiexec.openmpi",
        ),
        (MPICH, ["/usr/bin/mpiexec.hydra", "-launcher", "fork", "-n", "3"], "the image's mpiexec.hydra"),
    ],
)  # fmt: skip
def test_the_images_mpiexec_runs_in_the_container_with_its_ranks(found, launch, shown):
    start = started(found, HERE, plan=IN_AN_IMAGE, local=True)
    at = start.argv.index("--") + 1
    assert start.argv[:at] == CH_RUN
    inside = start.argv[at:]
    assert [inside[0], *sorted(inside[1 : len(UNSET)])] == UNSET
    assert inside[len(UNSET) :] == [*launch, *GUEST_WRAPPER]
    assert start.env == {"PATH": "/bin", "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "2"}
    assert start.shown == shown
    assert start.spec == {
        **SPEC, "ranks": 3, "argv": ["rank", "a b"], "inside": True,
        "dir_inside": "/hpcctr/run", "cwd": "/home/alice/nb",
    }  # fmt: skip


def test_open_mpi_is_told_that_root_may(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert started(OPEN_MPI, HERE, local=True).argv[1] == "--allow-run-as-root"
    assert "--allow-run-as-root" not in started(MPICH, HERE, local=True).argv


@pytest.mark.parametrize(
    ("found", "pmi", "etype", "message", "hint"),
    [
        (
            NONE, None, "NoLauncher", "there is no mpiexec to start ranks with",
            "install an MPI in the image (openmpi-bin or mpich in Debian), or use a scheduler with steps",
        ),
        (
            OPEN_MPI, "pmix", "RanksRefused", "--pmi is for a scheduler's steps; mpiexec starts the ranks here",
            "leave it out",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_started_is_refused(found, pmi, etype, message, hint):
    with pytest.raises(RankError) as refused:
        started(found, HERE, local=True, pmi=pmi)
    assert (refused.value.etype, str(refused.value), refused.value.hint) == (etype, message, hint)


def test_a_step_needs_no_mpiexec():
    assert started(NONE, TWO_NODES).shown == "srun --mpi=pmix"


def test_a_programs_words_and_a_script():
    assert program_words(["./solve", "-n", "a b"], None) == ["./solve", "-n", "a b"]
    assert program_words(None, "echo $HOME 'a b'\n") == [
        "sh", "-c",
        'command -v bash >/dev/null && exec bash -c "$1" mpirun; exec sh -c "$1" mpirun',
        "mpirun", "echo $HOME 'a b'\n",
    ]  # fmt: skip


def test_open_mpi_5_has_no_parts_of_orte():
    words = started({**OPEN_MPI, "version": "5.0.11"}, Placement(2, (Node("", 2),), 2, over=False), local=True).argv
    assert not {"isolated", "orte_tmpdir_base"} & set(words)
    assert "localhost:2" in words


def test_ranks_in_containers_of_their_own_do_not_read_one_anothers_memory():
    spec = started(OPEN_MPI, TWO_NODES, plan=dataclasses.replace(WITHOUT_IMAGE, shares=False)).spec
    assert spec["env"]["OMPI_MCA_btl_vader_single_copy_mechanism"] == "none"
    assert spec["env"]["UCX_TLS"] == "^posix,cma,xpmem,knem"
    assert "UCX_TLS" not in started(OPEN_MPI, TWO_NODES).spec["env"]


def test_ranks_that_are_more_than_cpus_let_others_work_while_they_wait(monkeypatch):
    def env(**more):
        launcher = Launcher(config_of(WITHOUT_IMAGE), OPEN_MPI)
        return launcher.start("w1", ["rank"], TWO_NODES, pmi=None, extra={}, **more).spec["env"]

    name = "OMPI_MCA_mpi_yield_when_idle"
    assert env(crowded=True) == {**SPEC["env"], name: "1"}
    assert env() == SPEC["env"]
    monkeypatch.setenv(name, "0")  # the user's own word
    assert env(crowded=True) == SPEC["env"]
