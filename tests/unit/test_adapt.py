"""Requests from elsewhere are fitted to this site, and every change is said."""

import pytest
from support.policies import site_policy

from jupyter_hpcctr.core.adapt import adapt
from jupyter_hpcctr.core.facts import Account, Partition, Site
from jupyter_hpcctr.core.limits import problems
from jupyter_hpcctr.core.request import parse, to_dict

CPU = Partition(
    "cpu",
    is_default=True,
    nodes_total=2,
    cpus_per_node=8,
    mem_mb_per_node=4000,
    gres=("gpu:2",),
    time_limit_minutes=60,
    features=("ib_hdr",),
    qos=("normal",),
)
SITE = Site("slurm", partitions=(CPU,), accounts=(Account("mine", ("normal", "high")),))
LOCAL = Site("local", partitions=(Partition("local", True, True, 1, 1, 4, 8000, features=()),), is_here=True)
POLICY = site_policy()
IMAGE = "registry.example.org/a:1"


def adapted(asked, sites=None, policy=POLICY):
    request, reasons = adapt(parse(asked), {"slurm": SITE, "local": LOCAL} if sites is None else sites, policy)
    return to_dict(request), list(reasons)


def test_what_fits_is_not_touched():
    asked = {"image": IMAGE, "nodes": 2, "account": "mine", "qos": "normal", "constraint": "ib_hdr", "time_minutes": 60}
    assert adapted(asked) == (asked, [])


def test_one_of_the_alternatives_is_enough():
    for asked in ("ib_ndr|ib_hdr", "[ib_ndr|ib_hdr]", "(ib_ndr&x)|ib_hdr"):
        assert adapted({"constraint": asked}) == ({"constraint": asked}, [])
    assert adapted({"constraint": "ib_ndr|ib_edr"})[0] == {}


@pytest.mark.parametrize(
    ("asked", "left", "reason"),
    [
        ({"partition": "far"}, {}, "Partition far left out: this site has none of that name"),
        ({"account": "far"}, {}, "Account far left out: none of that name is known to be yours here"),
        ({"qos": "high"}, {}, "Quality of service high left out: there is none of that name here"),
        ({"constraint": "ib_ndr"}, {}, "InfiniBand ib_ndr left out: no node here has it"),
        ({"nodes": 64}, {"nodes": 2}, "Nodes 64 → 2: the most here"),
        ({"cpus_per_task": 9}, {"cpus_per_task": 8}, "CPUs per rank 9 → 8: the most here"),
        ({"ntasks_per_node": 9}, {"ntasks_per_node": 8}, "MPI ranks per node 9 → 8: the most here"),
        ({"ntasks": 40}, {"ntasks": 8}, "MPI ranks 40 → 8: the most here"),
        ({"mem": "5000M"}, {"mem_mb": 4000}, "Memory per node 5000M → 4000M: the most here"),
        ({"time": 90}, {"time_minutes": 60}, "Time limit 1 h 30 min → 1 h: the most here"),
        ({"gpus_per_node": 4}, {"gpus_per_node": 2}, "GPUs per node 4 → 2: the most here"),
        (
            {"gpus_per_node": "a100:1"},
            {"gpus_per_node": 1},
            "GPU type a100 left out: the partition cpu has none of that type",
        ),
        ({"engine": "far", "image": IMAGE}, {"image": IMAGE}, "engine far → charliecloud: this site does not allow it"),
        ({"scheduler": "far"}, {"scheduler": "slurm"}, "scheduler far → slurm: it is not here"),
    ],
)
def test_what_does_not_is_changed_and_said(asked, left, reason):
    request, reasons = adapted(asked)
    assert (request, reasons) == (left, [reason])
    assert problems(parse(request).resources, SITE) == ()


def test_without_a_cluster_it_runs_here():
    asked = {
        "image": IMAGE,
        "scheduler": "slurm",
        "partition": "cpu",
        "nodes": 4,
        "gpus_per_node": 1,
        "constraint": "x",
    }
    request, reasons = adapted(asked, {"local": LOCAL})
    assert request == {"image": IMAGE, "scheduler": "local"}
    assert len(reasons) == 5 and reasons[0] == "scheduler slurm → local: it does not answer"


def test_the_default_scheduler_is_replaced_too():
    assert adapted({}, {"local": LOCAL})[0] == {"scheduler": "local"}
    assert adapted({}, {}) == ({}, [])
    only = site_policy(schedulers=("slurm",))
    assert adapted({"scheduler": "local"}, policy=only)[0] == {"scheduler": "slurm"}


def test_an_account_from_elsewhere_goes_where_none_is_known():
    site = Site("slurm", partitions=(CPU,))
    assert adapt(parse({"account": "far"}), {"slurm": site}, site_policy())[0].resources.account is None
