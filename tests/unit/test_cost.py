"""The most that a job can cost."""

from dataclasses import replace

import pytest

from jupyter_hpcctr.core.cost import Cost, amount, cost
from jupyter_hpcctr.core.facts import Partition, Policy, Site
from jupyter_hpcctr.core.request import Resources

WEIGHTS = (("cpu", 1.0), ("mem", 0.25), ("gres/gpu", 4.0), ("gres/gpu:a100", 2.0), ("license/x", 9.0))
PARTITION = Partition("gpu", is_default=True, nodes_total=4, mem_mb_per_node=65_536, billing=WEIGHTS)
HOUR = Resources(time_minutes=60)


def at(resources, policy=None, *, billing_max=False, **partition):
    site = Site("slurm", partitions=(replace(PARTITION, **partition),), billing_max=billing_max)
    return cost(resources, site, policy or Policy())


@pytest.mark.parametrize(
    ("asked", "billing"),
    [
        ({"mem_mb": 4096}, 1 + 1),
        ({"mem_mb": 4096, "nodes": 3, "ntasks_per_node": 2, "cpus_per_task": 5}, 30 + 3),
        ({"mem_mb": 4096, "ntasks": 7, "nodes": 2}, 7 + 2),
        ({"mem_mb": 4096, "gpus_per_node": 2, "nodes": 2}, 2 + 2 + 16),
        ({"mem_mb": 4096, "gpus_per_node": 1, "gpu_type": "A100"}, 1 + 1 + 4 + 2),
        ({}, 1 + 16),  # without a default, a job has all memory of its node
    ],
)
def test_it_is_the_sum_of_what_is_weighed(asked, billing):
    assert at(Resources(time_minutes=90, **asked)) == Cost(billing * 1.5, "billing hours", billing, 1.5)


@pytest.mark.parametrize(
    ("value", "said"),
    [(2.4, "2.40 EUR"), (0.03295, "0.04 EUR"), (0.004, "0.01 EUR"), (0.0, "0.00 EUR"), (1234.2, "1235 EUR")],
)
def test_it_is_said_as_an_amount_of_money_and_never_too_small(value, said):
    assert amount(Cost(value, "EUR", 1.0, 1.0)) == said


def test_it_is_the_greatest_where_the_site_says_so():
    assert at(Resources(time_minutes=60, mem_mb=16_384, cpus_per_task=3), billing_max=True).billing == 4


def test_default_memory_counts():
    assert at(HOUR, default_mem_mb_per_node=8192).billing == 1 + 2
    assert at(Resources(time_minutes=60, cpus_per_task=4), default_mem_mb_per_cpu=1024).billing == 4 + 1


def test_without_weights_a_billing_unit_is_a_cpu():
    assert at(Resources(nodes=2, ntasks_per_node=3, time_minutes=60), billing=()).billing == 6


def test_prices_are_the_partitions_or_the_others():
    priced = Policy(prices=(("*", 0.5), ("gpu", 2.0)), currency="EUR")
    assert at(HOUR, priced, billing=()) == Cost(2.0, "EUR", 1.0, 1.0)
    assert at(HOUR, priced, billing=(), name="cpu") == Cost(0.5, "EUR", 1.0, 1.0)
    assert at(HOUR, Policy(prices=(("other", 1.0),), currency="EUR"), billing=()).unit == "billing hours"


def test_the_time_is_what_is_asked_for_or_the_limit_that_holds():
    anyhow = Resources()
    assert at(anyhow, default_time_minutes=30, time_limit_minutes=600).hours == 0.5
    assert at(anyhow, time_limit_minutes=600).hours == 10
    assert at(anyhow, Policy(max_time_minutes=60)).hours == 1
    assert at(anyhow) is None
    assert cost(Resources(partition="none", time_minutes=60), Site("slurm"), Policy()) is None


def test_nobody_bills_ones_own_machine():
    site = Site("local", partitions=(Partition("local", is_default=True, nodes_total=1, mem_mb_per_node=1000),))
    site = replace(site, is_here=True)
    assert cost(HOUR, site, Policy()) is cost(HOUR, site, Policy(prices=(("*", 2.0),))) is None
    assert cost(HOUR, site, Policy(prices=(("local", 2.0),), currency="EUR")) == Cost(2.0, "EUR", 1.0, 1.0)
