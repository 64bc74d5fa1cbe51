"""What the form shows for what is chosen, and that the server refuses what it does not offer."""

import json

import jsonschema
import pytest
from support.forms import FILE, LOCAL, POLICY, SLURM, made

from jupyter_hpcctr.core import limits
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.offers import form
from jupyter_hpcctr.offers.shown import shown

SCHEMA = form.schema(SLURM, POLICY)


def fields(**chosen):
    return shown(SCHEMA, chosen)


def test_the_pages_own_tests_work_with_what_the_server_says_now():
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(made())), (
        "python tests/support/forms.py"
    )


def test_a_partition_has_its_own_limits_and_says_what_is_idle():
    made = fields(partition="slow")
    assert (made["nodes"]["maximum"], made["ntasks"]["maximum"], made["cpus_per_task"]["maximum"]) == (3, 24, 8)
    assert made["partition"]["description"] == "1 of 4 nodes are idle, 12 CPUs"
    assert made["mem"]["description"].endswith("at most 16000M")
    assert made["time"]["description"].endswith("at most 2:00:00")
    assert made["constraint"]["enum"] == ["ib_hdr"]
    assert not {"gpus_per_node", "gpu_type"} & set(made)


def test_where_nothing_is_chosen_the_usual_partition_and_account_hold():
    assert fields() == fields(partition="slow") == fields(partition="", account="phys")
    assert fields()["qos"]["enum"] == ["long"]


def test_a_partition_with_gpus_asks_for_them_by_its_own_types():
    assert fields(partition="fast")["gpus_per_node"]["description"] == "3 a100 idle"
    assert fields(partition="fast")["gpu_type"]["enum"] == ["a100"]
    mixed = fields(partition="mixed")
    assert (mixed["gpus_per_node"]["maximum"], mixed["gpu_type"]["enum"]) == (8, ["h100", "l4"])
    assert fields(partition="mixed", gpu_type="l4")["gpus_per_node"]["maximum"] == 1
    assert "constraint" not in mixed, "none of its nodes is on a fast network"


def test_what_is_asked_for_is_shown_where_there_is_none_of_it():
    made = fields(partition="slow", gpus_per_node=2, qos="huge")
    assert made["gpus_per_node"]["maximum"] == 0
    assert made["qos"]["enum"] == ["long", "huge"]
    assert fields(partition="gone")["partition"]["enum"] == ["slow", "fast", "mixed", "gone"]
    assert "gpus_per_node" not in fields(partition="slow", gpus_per_node=0)


def test_a_scheduler_without_partitions_has_its_limits_at_once():
    made = shown(form.schema(LOCAL, POLICY), {})
    assert (made["nodes"]["description"], made["cpus_per_task"]["maximum"]) == ("1 of 1 nodes are idle", 4)
    assert not {"partition", "account", "qos", "gpus_per_node"} & set(made)
    assert made["scheduler"]["enum"] == ["slurm", "local"]


@pytest.mark.parametrize(
    ("chosen", "beyond"),
    [
        ({"partition": "slow"}, {"nodes": 4}),
        ({"partition": "slow"}, {"cpus_per_task": 9}),
        ({"partition": "slow", "nodes": 3}, {"ntasks": 25}),
        ({"partition": "slow"}, {"gpus_per_node": 1}),
        ({"partition": "fast"}, {"gpus_per_node": 5}),
        ({"partition": "fast", "gpus_per_node": 1}, {"gpu_type": "l4"}),
        ({"partition": "mixed", "account": "chem", "gpu_type": "l4"}, {"gpus_per_node": 2}),
        ({"partition": "mixed", "account": "chem"}, {"account": "phys"}),
        ({"partition": "mixed", "account": "chem"}, {"constraint": "ib_hdr"}),
        ({"partition": "slow", "account": "phys"}, {"qos": "short"}),
        ({"partition": "mixed", "account": "chem"}, {"qos": "long"}),
    ],
)
def test_the_form_and_the_limits_of_the_site_refuse_the_same(chosen, beyond):
    schema = jsonschema.Draft7Validator(SCHEMA)
    assert [error.message for error in schema.iter_errors(chosen)] == []
    (field,) = beyond
    assert not schema.is_valid(chosen | beyond)
    assert field in {each.field for each in limits.problems(parse(chosen | beyond).resources, SLURM)}
    assert field not in {each.field for each in limits.problems(parse(chosen).resources, SLURM)}


@pytest.mark.parametrize("site", [SLURM, LOCAL])
def test_the_schema_is_one(site):
    jsonschema.Draft7Validator.check_schema(form.schema(site, POLICY))
