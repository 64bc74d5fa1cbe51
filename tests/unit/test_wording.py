"""Names and figures for people."""

import pytest
from support.policies import site_policy

from jupyter_hpcctr.core.facts import Account, Partition, Site
from jupyter_hpcctr.core.job import Ending
from jupyter_hpcctr.core.wording import TITLES, ending_text, minutes_text
from jupyter_hpcctr.offers.form import schema


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(0, "0 min"), (45, "45 min"), (60, "1 h"), (200, "3 h 20 min"), (2880, "2 d"), (1441, "1 d 1 min")],
)
def test_minutes_are_days_hours_and_minutes(minutes, text):
    assert minutes_text(minutes) == text


@pytest.mark.parametrize("ending", list(Ending))
def test_no_ending_is_shouted(ending):
    assert ending_text(ending.value) == ending_text(ending.value).lower()


def test_a_field_has_one_name():
    partition = Partition(
        "a", nodes_total=2, cpus_per_node=4, mem_mb_per_node=1, gres=("gpu:x:1",), features=("ib_hdr",)
    )
    site = Site("slurm", partitions=(partition,), accounts=(Account("physics"),))
    fields = schema(site, site_policy(infiniband_features=("ib*",)))["properties"]
    stored = {"mem": "mem_mb", "time": "time_minutes"}
    for name, field in fields.items():
        assert TITLES[stored.get(name, name)] == field["title"]
