"""A place for clusters of the tests' own."""

import os
from pathlib import Path

import pytest
from support.slurm import short_directory

from jupyter_hpcctr.downscale.cluster import Cluster


@pytest.fixture
def place():
    """A short path at which nothing is yet; whatever is started there is ended."""
    with short_directory() as directory:
        place = Path(os.path.realpath(directory)) / "c"
        try:
            yield place
        finally:
            Cluster.at(place).down()
