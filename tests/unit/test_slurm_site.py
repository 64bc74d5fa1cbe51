"""What Slurm says of its site and of jobs that are only thought of."""

import json
from pathlib import Path

import pytest

from jupyter_hpcctr.core.facts import Account, Partition, Site
from jupyter_hpcctr.core.job import Estimate, Output
from jupyter_hpcctr.core.jobspec import JobSpec
from jupyter_hpcctr.core.questions import NoAnswer, opening, replayed
from jupyter_hpcctr.core.request import Resources
from jupyter_hpcctr.errors import SchedulerUnreachable, SubmitRefused
from jupyter_hpcctr.schedulers.slurm import Slurm

RECORDED = Path(__file__).parents[1] / "recordings" / "slurm-22.05"
SLURM = Slurm()
SPEC = JobSpec("x", ("true",), Resources(), "/", "/l")
CONFIG = """ClusterName             = one
DefMemPerCPU            = 2000
DefMemPerNode           = UNLIMITED
PriorityFlags           = ACCRUE_ALWAYS,MAX_TRES
SlurmctldHost[0]        = ctl1
SLURM_VERSION           = 25.11.2
"""
SINFO = """gpu*|up|2-00:00:00|1/1/0/2|64|256000|gpu:a100:4(S:0-1),nvme:1|7/58/0/65|ib_hdr,a100|gpu:a100:3(IDX:0-2)|mix|
gpu*|up|2-00:00:00|0/0/1/1|96|512000|gpu:a100:4(S:0-1)|0/0/96/96|ib_hdr|gpu:a100:0(IDX:N/A)|drain*|
cpu|up|infinite|1024/2K/0/3K|128|256000|(null)|0/2K/0/2K|(null)|(null)|idle~|
"""
PARTITIONS = """PartitionName=gpu AllowAccounts=a,b AllowQos=normal,high Default=YES DefaultTime=01:00:00 MaxNodes=4 \
DefMemPerNode=8000 TRESBillingWeights=CPU=1.0,Mem=0.5,GRES/gpu:a100=8
PartitionName=cpu AllowAccounts=ALL AllowQos=ALL DefaultTime=NONE MaxNodes=UNLIMITED DefMemPerNode=UNLIMITED TRES=cpu=8
""".replace("\\\n", "")
USERS = "a|one|a|normal,high\na|two|c|debug\na|one|b|\na|one|a|debug\n"


def answer(text, returncode=0):
    return Output(returncode, text, "")


def recorded(name):
    plain = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return Output(plain["returncode"], plain["stdout"], plain["stderr"])


def whole(**changed):
    said = {"sinfo": SINFO, "config": CONFIG, "partitions": PARTITIONS, "users": USERS} | changed
    answers = (text if isinstance(text, Output | NoAnswer) else answer(text) for text in said.values())
    return replayed(SLURM.site(user="me"), tuple(answers))


def test_a_partition_is_what_both_commands_say_of_it():
    gpu, cpu = whole().partitions
    assert gpu == Partition(
        name="gpu",
        is_default=True,
        is_up=True,
        nodes_total=3,
        nodes_idle=1,
        cpus_per_node=96,
        mem_mb_per_node=512000,
        gres=("gpu:a100:4", "nvme:1"),
        time_limit_minutes=2880,
        cpus_idle=58,
        gres_used=("gpu:a100:6",),
        gres_idle=("gpu:a100:2", "nvme:2"),  # a node that is drained has none
        features=("ib_hdr", "a100"),
        max_nodes=4,
        default_time_minutes=60,
        default_mem_mb_per_node=8000,
        billing=(("cpu", 1.0), ("mem", 512.0), ("gres/gpu:a100", 8.0)),
        accounts=("a", "b"),
        qos=("normal", "high"),
    )
    assert (cpu.nodes_total, cpu.nodes_idle, cpu.cpus_idle) == (3072, 2048, 2048)
    assert (cpu.gres, cpu.gres_idle, cpu.features) == ((), (), None)
    assert (cpu.max_nodes, cpu.default_time_minutes, cpu.accounts, cpu.qos, cpu.billing) == (None, None, (), (), ())
    assert (cpu.default_mem_mb_per_cpu, cpu.default_mem_mb_per_node) == (2000, None)


@pytest.mark.parametrize(
    ("text", "per_gib"), [("Mem=0.25G", 0.25), ("Mem=0.25", 256.0), ("MEM=1024T", 1.0), ("mem=1K", 2.0**20)]
)
def test_memory_weighs_by_the_unit_behind_it(text, per_gib):
    site = whole(partitions=f"PartitionName=gpu TRESBillingWeights={text}\n")
    assert site.partitions[0].billing == (("mem", per_gib),)


def test_accounts_are_those_of_this_cluster():
    assert whole().accounts == (Account("a", ("normal", "high", "debug"), is_default=True), Account("b"))
    assert whole(config=CONFIG.replace("one", "elsewhere")).accounts[1].name == "c"  # of any, where it has none


def test_what_is_billed_is_the_sum_or_the_greatest():
    assert whole().billing_max
    assert not whole(config=CONFIG.replace("MAX_TRES", "MAX_TRES_GRES")).billing_max


def test_a_site_without_accounting_is_described_all_the_same():
    refused = Output(1, "", "You are not running a supported accounting_storage plugin")
    site = whole(partitions=refused, users=refused)
    assert site.accounts == () and site.partitions[0].max_nodes is None and site.partitions[0].cpus_idle == 58
    said = (recorded("site-sinfo"), recorded("site-scontrol"), refused, refused)
    assert replayed(SLURM.site(user="me"), said).accounts == ()


def test_what_does_not_answer_beside_what_does_says_nothing():
    silent = NoAnswer(SchedulerUnreachable("sacctmgr did not answer in 30 s"))
    assert whole(users=silent).accounts == () and whole(partitions=silent).partitions[0].max_nodes is None
    for needed in ("sinfo", "config"):
        with pytest.raises(SchedulerUnreachable, match="sacctmgr"):
            whole(**{needed: silent})


def test_nobodys_accounts_are_asked_for_without_a_user():
    assert len(next(SLURM.site())) == 3
    users = next(SLURM.site(user="me"))[3].argv
    assert users[:1] == ("sacctmgr",) and "name=me" in users


def test_partitions_of_unlike_nodes_are_one():
    rows = "long*|up|2-12:30:00|1/2/0/3|64+|256000+|gpu:a100:4(S:0-1)\nlong*|up|2-12:30:00|0/1/0/1|32|128000|(null)\n"
    rows += "short|down|30:00|0/0/4/4|16|1000|gpu:a100:2,nvme:1\nempty|up|infinite|0/0/0/0|0|0|(null)\n"
    config = "SlurmctldHost[0]        = ctl1\nSLURM_VERSION           = 25.11.2\n"
    assert replayed(SLURM.site(), (Output(0, rows, ""), Output(0, config, ""))) == Site(
        scheduler="slurm",
        version="25.11.2",
        controller="ctl1",
        partitions=(
            Partition("long", True, True, 4, 3, 64, 256000, ("gpu:a100:4",), 3630),
            Partition("short", False, False, 4, 0, 16, 1000, ("gpu:a100:2", "nvme:1"), 30),
            Partition("empty", False, True, 0, 0, 0, 0, (), None),
        ),
    )


def test_an_estimate_is_the_submission_that_is_only_tried():
    spec = JobSpec("x", ("true",), Resources(nodes=2), "/tmp", "/dev/null")
    words = opening(SLURM.estimate(spec)).argv
    assert (words[0], *words[2:]) == opening(SLURM.submit(spec)).argv and words[1] == "--test-only"


def test_estimates():
    assert replayed(SLURM.estimate(SPEC), recorded("estimate-ok")) == Estimate(start(recorded("estimate-ok")), "n1")
    assert replayed(SLURM.estimate(SPEC), recorded("estimate-behind-endless")).start.startswith("3")
    older = Output(0, "", "sbatch: Job 5 to start at 2026-01-02T03:04:05 using 4 processors on n1 in partition debug\n")
    assert replayed(SLURM.estimate(SPEC), older) == Estimate("2026-01-02T03:04:05", "n1")
    other = Output(0, "", "sbatch: a plugin of the site says something else\n")
    assert replayed(SLURM.estimate(SPEC), other) == Estimate(None)


def start(output):
    return output.stderr.partition(" to start at ")[2].partition(" ")[0]


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("many-nodes", "", "Slurm refused the job: Requested node configuration is not available"),
        ("bad-constraint", "constraint", "Slurm refused the job: Invalid feature specification"),
        (
            "bad-partition",
            "partition",
            "Slurm refused the job: invalid partition specified: nowhere; Invalid partition name specified",
        ),
    ],
)
def test_what_can_never_start_is_refused(name, field, message):
    with pytest.raises(SubmitRefused) as refused:
        replayed(SLURM.estimate(SPEC), recorded(f"estimate-{name}"))
    assert (refused.value.field, refused.value.message) == (field, message) and refused.value.hint


def test_no_estimate_is_no_refusal():
    with pytest.raises(SchedulerUnreachable):
        replayed(SLURM.estimate(SPEC), recorded("estimate-silent"))
