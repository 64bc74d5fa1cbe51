"""The form for resources, made from what a site has."""

import jsonschema
import pytest
from support.policies import site_policy

from jupyter_hpcctr.core.facts import Account, Partition, Site
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.errors import SchedulerUnreachable
from jupyter_hpcctr.offers import form, found
from jupyter_hpcctr.server.offers import options

CPU = Partition("cpu", True, True, 4, 2, 64, 256_000, time_limit_minutes=1440, default_time_minutes=30)
GPU = Partition(
    "gpu", False, True, 2, 1, 32, 512_000, ("gpu:a100:4(S:0-1)", "nvme:1"), 2880,
    gres_idle=("gpu:a100:5",), features=("ib_hdr", "avx512"),
)  # fmt: skip
DOWN = Partition("old", is_up=False, nodes_total=90, cpus_per_node=999, gres=("gpu:k80:8",))
SLURM = Site("slurm", "24.05", partitions=(CPU, GPU, DOWN), accounts=(Account("phys", ("normal", "long"), True),))
PLAIN = Site("slurm", partitions=(CPU,))
LOCAL = Site("local", partitions=(Partition("local", True, True, 1, 1, 8, 16_000),))
TITLES = {
    "scheduler": "Scheduler",
    "partition": "Partition",
    "account": "Account",
    "nodes": "Nodes",
    "ntasks": "MPI ranks",
    "cpus_per_task": "CPUs per rank",
    "mem": "Memory per node",
    "gpus_per_node": "GPUs per node",
    "gpu_type": "GPU type",
    "constraint": "InfiniBand",
    "time": "Time limit",
    "qos": "Quality of service",
}


def fields(site, **policy):
    return form.schema(site, site_policy(**policy))["properties"]


def test_each_field_has_its_title_and_the_limits_of_the_site():
    made = fields(SLURM)
    assert {name: field["title"] for name, field in made.items()} == TITLES
    assert made["partition"]["enum"] == ["cpu", "gpu"]
    assert made["partition"]["description"] == "cpu: 2 of 4 nodes idle; gpu: 1 of 2 nodes idle"
    assert (made["nodes"]["minimum"], made["nodes"]["maximum"]) == (1, 4)
    assert made["cpus_per_task"]["maximum"] == 64
    assert made["gpus_per_node"] == {
        "type": "integer", "title": "GPUs per node", "minimum": 0, "maximum": 4, "description": "5 a100 idle",
        "default": 0,
    }  # fmt: skip
    assert made["gpu_type"]["enum"] == ["a100"]
    assert made["constraint"]["enum"] == ["ib_hdr"]
    assert made["account"]["enum"] == ["phys"]
    assert made["qos"]["enum"] == ["long", "normal"]
    assert "at most 2-00:00:00" in made["time"]["description"]
    assert "500G" in made["mem"]["description"]


def test_nodes_that_are_not_alike_have_each_type_of_gpu_once():
    mixed = Partition(
        "mixed", True, True, 4, 4, 8, 1000, ("gpu:a100:4", "gpu:a100:8", "gpu:l4:1"), gres_idle=("gpu:a100:9",)
    )
    assert found.gpus(mixed) == [("a100", 8, 9), ("l4", 1, 0)]
    text = fields(Site("slurm", partitions=(mixed, GPU)))["gpus_per_node"]["description"]
    assert text == "mixed: 9 a100 idle, 0 l4 idle; gpu: 5 a100 idle"


def test_what_a_site_has_not_is_not_asked_for():
    assert not {"gpus_per_node", "gpu_type", "constraint"} & set(fields(PLAIN))
    assert not {"partition", "account", "qos", "gpus_per_node"} & set(fields(LOCAL))
    assert "enum" not in fields(PLAIN)["account"], "accounts that nobody lists can be written"
    assert fields(LOCAL)["scheduler"]["enum"] == ["slurm", "local"]
    assert "scheduler" not in fields(LOCAL, schedulers=("local",)), "where there is one there is no choice"


def test_the_sites_own_limits_are_the_least():
    made = fields(SLURM, max_nodes=2, max_time_minutes=90)
    assert made["nodes"]["maximum"] == 2
    assert "at most 1:30:00" in made["time"]["description"]
    narrow = Site("slurm", partitions=(Partition("cpu", True, True, 40, 40, 8, max_nodes=3),))
    assert fields(narrow)["nodes"]["maximum"] == 3


@pytest.mark.parametrize("site", [SLURM, PLAIN, LOCAL, Site("slurm")])
def test_the_defaults_are_a_request_that_fits_the_form(site):
    schema, defaults = form.schema(site, site_policy()), form.defaults(site, site_policy())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(defaults, schema)
    parse(defaults)


def test_the_default_time_is_the_partitions_within_all_limits():
    assert form.defaults(SLURM, site_policy())["time"] == "0:30:00"
    assert form.defaults(LOCAL, site_policy())["time"] == "1:00:00"
    assert form.defaults(SLURM, site_policy(max_time_minutes=10))["time"] == "0:10:00"


def test_every_field_is_in_one_group():
    schema = form.schema(SLURM, site_policy())
    grouped = [name for group in form.groups(schema)["groups"] for name in group["fields"]]
    assert sorted(grouped) == sorted(schema["properties"])
    assert [group["title"] for group in form.groups(schema)["groups"]] == ["Simple", "Advanced"]


@pytest.mark.parametrize(("text", "fits"), [("1:00:00", True), ("2-00:00:00", True), ("90", True), ("soon", False)])
def test_times_are_checked_in_the_form(text, fits):
    valid = jsonschema.Draft7Validator(form.schema(SLURM, site_policy())).is_valid({"time": text})
    assert valid is fits


def test_a_scheduler_that_does_not_answer_is_told_and_the_form_stands():
    made = options(site_policy(), {"slurm": SchedulerUnreachable("slurm does not answer"), "local": LOCAL})
    slurm, local = made["schedulers"]
    assert (slurm["problem"], local["problem"]) == ("slurm does not answer", None)
    assert "nodes" in slurm["form"]["schema"]["properties"]
    assert [each["form"]["defaults"]["scheduler"] for each in (slurm, local)] == ["slurm", "local"]
