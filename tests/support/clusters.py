"""Commands in a cluster of a test's own, and proof that it is gone."""

from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.downscale import processes
from jupyter_hpcctr.downscale.layout import Layout
from jupyter_hpcctr.edge import process

from .slurm import base_environment


def run(cluster, *words, stdin=""):
    return process.check(Command(words, stdin), env=base_environment() | cluster.env)


def assert_nothing_left(place):
    assert processes.of_cluster(place) == ()
    assert not place.exists()
    assert not Layout(place).shared_memory.exists()
