"""What every engine must keep (``jupyter_hpcctr.testing``), over each of ours and each kind of image."""

import dataclasses
import os
import sys

import pytest
from support.plans import agent_file

from jupyter_hpcctr import plugins
from jupyter_hpcctr.agent.container import NodeContainer
from jupyter_hpcctr.core.facts import HOST_ROOTS
from jupyter_hpcctr.errors import EngineError
from jupyter_hpcctr.protocol.shared import Rules
from jupyter_hpcctr.testing import Bench, EngineContract, ImageEngineContract
from jupyter_hpcctr.testing.bench import IMAGE_ENV, JOB_ENV
from jupyter_hpcctr.testing.rules import DROPPED, PASSED


class TestBare(EngineContract):
    engine = plugins.engine("bare")


class Charliecloud(ImageEngineContract):
    engine = plugins.engine("charliecloud")
    program = "ch-run"
    marks = frozenset({"CH_RUNNING"})
    # The run directory is the source of a mount, too.
    refused = frozenset({("source", "a:b"), ("target", "a:b"), ("run", "a:b"), ("run", "a=b")})
    places = (*HOST_ROOTS, "/etc/passwd", "/etc/group")

    def test_the_store_may_keep_its_images_anywhere_absolute(self, bench):
        with pytest.raises(EngineError, match="not an absolute path"):
            bench.node(image_path="-v").check()


class Squashfs:
    kind = "squashfs"

    @pytest.fixture
    def image(self, kernel_image):
        return kernel_image


class Directory:
    kind = "directory"

    @pytest.fixture
    def image(self, image_directory):
        return image_directory


class TestCharliecloudSquashfs(Squashfs, Charliecloud):
    pass


class TestCharliecloudDirectory(Directory, Charliecloud):
    pass


class Bubblewrap(ImageEngineContract):
    engine = plugins.engine("bubblewrap")
    program = "bwrap"
    marks = frozenset({"PWD"})


class TestBubblewrapSquashfs(Squashfs, Bubblewrap):
    pass


class TestBubblewrapDirectory(Directory, Bubblewrap):
    roles = ("image", "target")  # the others are as with SquashFS


class Crun(ImageEngineContract):
    engine = plugins.engine("crun")
    program = "crun"


class TestCrunSquashfs(Squashfs, Crun):
    pass


class TestCrunDirectory(Directory, Crun):
    roles = ("image", "target")


def test_the_suite_composes_the_environment_as_the_agent_does(tmp_path, monkeypatch):
    """What the suite's ``Node`` gives a program, and what the agent's own code gives it, of the same job."""
    shown = (sys.executable, "-c", "import os; print(dict(os.environ))")
    with Bench(plugins.engine("bare"), None, tmp_path).node() as node:
        by_suite = node.command(shown).stdout
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in node.host_env.items():
        monkeypatch.setenv(name, value)
    assert {"SLURM_MY_TOKEN", "OF_THE_JOB"} <= JOB_ENV.keys() <= os.environ.keys()
    rules = Rules(node.env, IMAGE_ENV, PASSED, DROPPED)
    plan = dataclasses.replace(agent_file().plan.ranks, engine="", container=node.container, image=None, holder=())
    agents = NodeContainer(rules, plan, run_dir=str(node.run_dir), workdir=node.container.workdir)
    agents.prepare()
    with open(tmp_path / "said", "wb") as said:
        child = agents.start(shown, output=said.fileno())
        assert child.ended(patience_s=60)
    assert (tmp_path / "said").read_text() == by_suite
