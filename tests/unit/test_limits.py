"""What a site cannot give is said beside the field, and nothing is said of what is not known."""

import re

import pytest

from jupyter_hpcctr.core.facts import Account, Partition, Site
from jupyter_hpcctr.core.limits import features, gpus, problems
from jupyter_hpcctr.core.request import Resources

CPU = Partition("cpu", is_default=True, nodes_total=10, cpus_per_node=64, mem_mb_per_node=256_000)
GPU = Partition(
    "gpu",
    nodes_total=4,
    cpus_per_node=32,
    mem_mb_per_node=512_000,
    gres=("gpu:a100:4", "gpu:h100:2", "nvme:1"),
    time_limit_minutes=120,
    features=("ib_hdr", "a100"),
    max_nodes=2,
    accounts=("physics", "math"),
    qos=("normal",),
)
DOWN = Partition("old", is_up=False, nodes_total=1, cpus_per_node=1, mem_mb_per_node=1000)
MINE = (Account("physics", ("normal", "high"), is_default=True), Account("art"))
SITE = Site("slurm", partitions=(CPU, GPU, DOWN), accounts=MINE)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"nodes": 10, "ntasks_per_node": 64, "mem_mb": 256_000, "time_minutes": 10**6},
        {"partition": "gpu", "gpus_per_node": 4, "gpu_type": "a100", "time_minutes": 120, "nodes": 2},
        {"partition": "gpu", "gpus_per_node": 4, "account": "physics", "qos": "normal"},
        {"partition": "gpu", "constraint": "ib_hdr&a100*2"},
        {"partition": "gpu", "constraint": "[ib_hdr|ib_ndr]"},
        {"constraint": "anything"},
        {"account": "art", "qos": "any"},
        {"nodes": 2, "ntasks": 2, "ntasks_per_node": 1},
    ],
)
def test_what_can_be_had_is_no_problem(asked):
    assert problems(Resources(**asked), SITE) == ()


@pytest.mark.parametrize(
    ("asked", "fields", "hint"),
    [
        ({"partition": "none"}, ["partition"], "choose one of: cpu, gpu, old"),
        ({"partition": "old"}, ["partition"], "choose another, or wait"),
        ({"nodes": 11}, ["nodes"], "ask for at most 10"),
        ({"partition": "gpu", "nodes": 3}, ["nodes"], "ask for at most 2"),
        ({"cpus_per_task": 65}, ["cpus_per_task"], "ask for at most 64"),
        ({"ntasks_per_node": 17, "cpus_per_task": 4}, ["ntasks_per_node"], "ask for at most 16"),
        ({"nodes": 2, "ntasks": 129}, ["ntasks"], "ask for at most 128"),
        ({"nodes": 11, "ntasks": 705}, ["nodes", "ntasks"], "ask for at most 10"),
        ({"nodes": 3, "ntasks": 2}, ["ntasks"], "ask for 3 ranks at least, or for fewer nodes"),
        ({"nodes": 2, "ntasks": 5, "ntasks_per_node": 2}, ["ntasks"], "ask for at most 4 ranks, or for more nodes"),
        ({"mem_mb": 256_001}, ["mem"], "ask for at most 250G"),
        ({"gpus_per_node": 1}, ["gpus_per_node"], "choose another partition"),
        ({"partition": "gpu", "gpus_per_node": 5}, ["gpus_per_node"], "ask for at most 4"),
        ({"partition": "gpu", "gpus_per_node": 3, "gpu_type": "h100"}, ["gpus_per_node"], "ask for at most 2"),
        ({"partition": "gpu", "gpus_per_node": 1, "gpu_type": "v100"}, ["gpu_type"], "choose one of: a100, h100"),
        ({"partition": "gpu", "constraint": "ib_ndr"}, ["constraint"], "choose one of: ib_hdr, a100"),
        ({"partition": "gpu", "constraint": "x|y"}, ["constraint"], "choose one of: ib_hdr, a100"),
        ({"partition": "gpu", "time_minutes": 121}, ["time"], "ask for at most 2:00:00"),
        ({"account": "none"}, ["account"], "choose one of: physics, art"),
        ({"partition": "gpu", "account": "art"}, ["account"], "choose one of: physics"),
        ({"qos": "none"}, ["qos"], "choose one of: normal, high"),
        ({"partition": "gpu", "qos": "high"}, ["qos"], "choose one of: normal"),
        ({"partition": "gpu", "constraint": "[ib_ndr|ib_edr]"}, ["constraint"], "choose one of: ib_hdr, a100"),
        ({"nodes": 99, "mem_mb": 10**6}, ["nodes", "mem"], "ask for at most 10"),
    ],
)
def test_what_cannot_be_had_is_said_beside_its_field(asked, fields, hint):
    found = problems(Resources(**asked), SITE)
    assert [each.field for each in found] == fields
    assert found[0].hint == hint and found[0].message


@pytest.mark.parametrize(
    "asked",
    [
        {"nodes": 11, "ntasks": 705},
        {"nodes": 11, "ntasks": 5},
        {"nodes": 11, "ntasks": 30, "ntasks_per_node": 2},
        {"partition": "gpu", "nodes": 9, "ntasks": 200},
        {"partition": "gpu", "nodes": 9, "cpus_per_task": 16, "ntasks": 200},
    ],
)
def test_what_is_advised_of_each_field_can_be_had_together(asked):
    advised = {
        each.field: int(re.search(r"(\d+)( ranks|$)", each.hint)[1]) for each in problems(Resources(**asked), SITE)
    }
    assert len(advised) == 2
    assert problems(Resources(**{**asked, **advised}), SITE) == ()


def test_nothing_is_said_of_what_is_not_known():
    assert problems(Resources(partition="any", nodes=99), Site("slurm")) == ()
    assert problems(Resources(account="any", qos="any"), Site("slurm", partitions=(CPU,))) == ()
    assert problems(Resources(nodes=99), Site("slurm", partitions=(GPU,))) == ()  # which is nobody's default


def test_gpus_by_type():
    assert gpus(GPU) == {"a100": 4, "h100": 2}
    assert gpus(Partition("x", gres=("gpu:2(S:0-1)", "gpu:3", "gpu:k80:0"))) == {"": 3}


def test_one_is_one():
    small = Partition("small", is_default=True, nodes_total=2, cpus_per_node=1, mem_mb_per_node=1000)
    (found,) = problems(Resources(cpus_per_task=2), Site("slurm", partitions=(small,)))
    assert found.message == "2 CPUs for each rank: the partition small has 1 CPU on each node"


def test_features_of_a_constraint():
    assert features("[rack1*2&(a|b)],c") == ("rack1", "a", "b", "c")
