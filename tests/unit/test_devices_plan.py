"""Devices before there is a node: what a plan leaves open for them, and what it refuses."""

import dataclasses

import pytest
from support.plans import FACTS, HOST
from support.policies import site_policy

from jupyter_hpcctr.core.facts import Facts
from jupyter_hpcctr.core.plan import plan
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.core.resolve import resolve
from jupyter_hpcctr.engines.bare import Bare
from jupyter_hpcctr.engines.charliecloud import Charliecloud
from jupyter_hpcctr.errors import PolicyError
from jupyter_hpcctr.schedulers.slurm.commands import Slurm

GPU = {"image": "r/n:1", "gpus_per_node": 1}


def drawn(raw, facts=FACTS, engine=None, **policy):
    policy = site_policy(**policy)
    engine = engine or Charliecloud()
    return plan(resolve(parse(raw), facts, policy), facts, policy, engine=engine, scheduler=Slurm())


def test_a_job_with_gpus_leaves_room_for_what_the_node_alone_knows():
    made = drawn({**GPU, "devices": ["hpe.com/cxi=all"]}, cdi_dirs=("/site/cdi",))
    assert made.devices == made.ranks.devices
    assert (made.devices.kinds[0], made.devices.names) == ("nvidia.com/gpu", ("hpe.com/cxi=all",))
    assert (made.devices.directories, made.devices.inside) == (("/site/cdi",), "/hpcctr/run/devices")
    assert made.env["LD_LIBRARY_PATH"] == "/hpcctr/run/devices/lib"
    assert made.env["PATH"] == "/usr/bin:/hpcctr/run/devices/bin"


def test_a_job_without_them_has_none_of_this():
    made = drawn({"image": "r/n:1"})
    assert (made.devices, made.ranks.devices, "LD_LIBRARY_PATH" in made.env) == (None, None, False)
    made = drawn({"engine": "bare", "gpus_per_node": 1}, Facts(HOST), Bare())
    assert made.devices is None, "the node's own programs have them"


def test_what_the_image_or_the_request_puts_into_the_search_paths_comes_first():
    image = dataclasses.replace(FACTS.image, env={"LD_LIBRARY_PATH": "/opt/lib", "PATH": "/opt/bin:/bin"})
    made = drawn({**GPU, "env": {"PATH": "/mine"}}, dataclasses.replace(FACTS, image=image))
    assert made.env["LD_LIBRARY_PATH"] == "/opt/lib:/hpcctr/run/devices/lib"
    assert made.env["PATH"] == "/mine:/hpcctr/run/devices/bin"


def test_devices_without_an_image_are_refused():
    with pytest.raises(PolicyError, match="'bare' cannot add hpe.com/cxi=all") as refusal:
        drawn({"engine": "bare", "devices": ["hpe.com/cxi=all"]}, Facts(HOST), Bare())
    assert refusal.value.field == "devices"
