"""Where a cluster cannot be: places, ports, shapes and machines that it says no to."""

import os
import socket
from pathlib import Path

import pytest
from support.clusters import assert_nothing_left, run

from jupyter_hpcctr.downscale import conf, daemons, ports, programs
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.downscale.layout import MAX_DIRECTORY_BYTES, default_directory
from jupyter_hpcctr.edge.files import UnsafePath
from jupyter_hpcctr.errors import ClusterError


def test_a_cluster_that_does_not_start_is_cleared_away_and_says_why(place, monkeypatch):
    text = conf.slurm_conf
    monkeypatch.setattr(conf, "slurm_conf", lambda *args: text(*args).replace("PartitionName=debug", "Nonsense=debug"))
    with pytest.raises(ClusterError) as error:
        Cluster.up(place, nodes=1)
    assert error.value.message.startswith("slurmctld did not start")
    assert "Nonsense" in error.value.message
    assert error.value.hint
    assert_nothing_left(place)


def test_a_node_that_does_not_start_takes_the_others_with_it(place, monkeypatch):
    start = daemons._commands
    monkeypatch.setattr(daemons, "_commands", lambda *args: [*start(*args)[:-1], ("slurmd-n2", ("false",))])
    with pytest.raises(ClusterError, match="slurmd-n2 did not start"):
        Cluster.up(place, nodes=2)
    assert_nothing_left(place)


@pytest.mark.parametrize("offset", [0, 1])
def test_a_port_that_is_taken_in_between_is_left_to_others(place, monkeypatch, offset):
    """Offset 0 is the controller's port, 1 the first node's."""
    choose = ports.free_block
    with socket.create_server(("0.0.0.0", choose(1))) as taken:
        given = [taken.getsockname()[1] - offset]
        monkeypatch.setattr(ports, "free_block", lambda count: given.pop() if given else choose(count))
        assert Cluster.up(place, nodes=1).status().is_up
        assert not given


def test_a_port_that_stays_taken_is_a_clear_error(place, monkeypatch):
    # The node's port: slurmd gives up at once, slurmctld tries for seconds.
    with socket.create_server(("0.0.0.0", ports.free_block(2) + 1)) as taken:
        monkeypatch.setattr(ports, "free_block", lambda count: taken.getsockname()[1] - 1)
        with pytest.raises(ClusterError, match="in use") as error:
            Cluster.up(place, nodes=1)
    assert "try again" in error.value.hint
    assert_nothing_left(place)


def test_missing_commands_are_named_with_their_packages(place, monkeypatch, tmp_path):
    monkeypatch.setattr(programs, "_SYSTEM_PATH", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sinfo").symlink_to("/usr/bin/sinfo")
    with pytest.raises(ClusterError) as error:
        Cluster.up(place)
    assert error.value.message == (
        "not installed: munged (Debian package munge), slurmctld (Debian package slurmctld), "
        "slurmd (Debian package slurmd), squeue (Debian package slurm-client), "
        "scancel (Debian package slurm-client)"
    )
    assert error.value.hint == "on Debian or Ubuntu: apt-get install munge slurmctld slurmd slurm-client"
    assert not place.exists()


def test_an_ordinary_users_path_is_enough(place, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert Cluster.up(place, nodes=1).status().is_up


@pytest.mark.parametrize("name", ["a b", "a,b", "a#b", "a%n", 'a"b', "a\nb", "a[1-2]", "ä"])
def test_directories_that_slurm_conf_cannot_carry_are_refused(place, name):
    with pytest.raises(ClusterError, match=r"characters that slurm\.conf cannot carry"):
        Cluster.up(place / name)
    assert not place.exists()


def test_a_directory_that_is_too_long_for_sockets_is_refused(place):
    with pytest.raises(ClusterError, match=f"{MAX_DIRECTORY_BYTES} are possible"):
        Cluster.up(place / ("x" * MAX_DIRECTORY_BYTES))
    assert not place.exists()


def test_the_longest_directory_works(place):
    long = place / ("x" * (MAX_DIRECTORY_BYTES - len(str(place)) - 1))
    place.mkdir(mode=0o700)
    cluster = Cluster.up(long, nodes=2)
    try:
        assert run(cluster, "srun", "-N2", "-n2", "--mpi=pmix", "echo", "hi") == "hi\nhi\n"
    finally:
        cluster.down()
    assert_nothing_left(long)


def test_a_strangers_files_are_not_touched(place):
    place.mkdir(mode=0o700)
    (place / "thesis.tex").write_text("mine")
    with pytest.raises(ClusterError, match="not empty"):
        Cluster.up(place)
    assert (place / "thesis.tex").read_text() == "mine" and len(list(place.iterdir())) == 1
    assert Cluster.at(place).down() is False
    assert (place / "thesis.tex").read_text() == "mine"


def test_files_that_others_put_there_stay_when_it_goes_down(place):
    place.mkdir(mode=0o700)
    cluster = Cluster.up(place, nodes=1)
    (place / "notes").write_text("mine")
    cluster.down()
    assert [path.name for path in place.iterdir()] == ["notes"]


def test_a_directory_that_is_open_to_others_is_refused(place):
    place.mkdir()
    place.chmod(0o755)
    with pytest.raises(UnsafePath):
        Cluster.up(place)


@pytest.mark.parametrize("shape", [{"nodes": 0}, {"nodes": 65}, {"cpus": 0}, {"gpus": -1}, {"gpus": 100_000}])
def test_impossible_shapes_are_refused(place, shape):
    with pytest.raises(ClusterError):
        Cluster.up(place, **shape)
    assert_nothing_left(place)


def test_the_default_directory_is_the_users_and_short_enough(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    assert default_directory() == Path("/srv/state/jupyter_hpcctr/cluster")
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/" + "x" * 80)
    assert default_directory() == Path(f"/tmp/jupyter_hpcctr-{os.getuid()}/cluster")
