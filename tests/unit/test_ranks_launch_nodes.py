"""What a process on another node is told by the scheduler's step that starts it, and whether that is enough for it."""

from dataclasses import replace

import pytest
import zmq
from support.slurm import short_directory
from test_ranks_config import config_of
from test_ranks_plan import IN_AN_IMAGE

from jupyter_hpcctr.agent import container
from jupyter_hpcctr.protocol import codec, shared
from jupyter_hpcctr.protocol.tasks import Invitation, NodeTask
from jupyter_hpcctr.ranks import launch_nodes, node


class Step:
    """A program that another node is to run, and which is not started here."""

    def __init__(self, words, *, text, **_):
        self.words, self.told = words, codec.from_json(NodeTask, text)


class Parked:
    """The container that the other node starts; nothing is in it."""

    code = None

    def __init__(self, words, *, fds, **_):
        self.words, self.fds = words, fds


@pytest.fixture
def told(monkeypatch):
    """What the step hands to its processes for a launch in an image, with everything below a directory of the test."""
    monkeypatch.setattr(launch_nodes, "Child", Step)
    monkeypatch.setattr(container, "Child", Parked)
    monkeypatch.setenv("SLURMD_NODENAME", "n2")
    public = zmq.curve_keypair()[0].decode()
    invitation = Invitation(1, public, public, public)
    found = launch_nodes.start_nodes(config_of(IN_AN_IMAGE), ["n2"], invitation, "/dev/null").told
    with short_directory() as directory:
        image = f"{directory}/1.sqfs"
        with open(image, "wb") as file:
            file.write(b"x" * 100)
        text = codec.to_json(found).replace(found.plan.run_dir, f"{directory}/run@NODE@")
        told = codec.from_json(NodeTask, text.replace(found.plan.image.path, image))
        yield replace(told, plan=replace(told.plan, image=shared.ImageFile(image, "squashfs", 100, None)))


def test_a_container_on_another_node_is_given_the_image_as_an_open_file(told):
    made = node.NodeProcess(told)
    (fd,) = made._holder.fds
    assert f"/proc/self/fd/{fd}" in made._holder.words
    assert told.plan.image.path not in made._holder.words
    made._context.destroy(linger=0)


def test_a_node_refuses_an_image_that_is_not_the_one_that_was_planned(told):
    told = replace(told, plan=replace(told.plan, image=replace(told.plan.image, size_bytes=99)))
    with pytest.raises(SystemExit, match="n2: .*it has 100 bytes, not 99"):
        node.NodeProcess(told)
