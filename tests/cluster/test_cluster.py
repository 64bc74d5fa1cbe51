"""The cluster in one directory: started, asked, disturbed, ended."""

import argparse
import os
import re
import signal

import pytest
from support.clusters import assert_nothing_left, run
from support.mpi import MPIS, PATIENT, compiled, said
from support.slurm import base_environment
from support.waiting import state_of, wait_until

from jupyter_hpcctr.cli import cluster as command_line
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.downscale import processes
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.downscale.layout import Layout
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import ClusterError


def test_up_status_down(place):
    cluster = Cluster.up(place, nodes=3, cpus=4, gpus=2, memory_mb=2000)
    assert cluster.env == {"SLURM_CONF": f"{place}/etc/slurm.conf"}
    assert place.stat().st_mode & 0o777 == 0o700
    status = cluster.status()
    assert status.is_up and status.jobs == 0
    assert [(n.name, n.state, n.cpus, n.memory_mb, n.gres) for n in status.nodes] == [
        ("n1", "idle", 4, 2000, "gpu:2"),
        ("n2", "idle", 4, 2000, "gpu:2"),
        ("n3", "idle", 4, 2000, "gpu:2"),
    ]
    assert sorted(status.pids) == ["munged", "slurmctld", "slurmd-n1", "slurmd-n2", "slurmd-n3"]
    assert cluster.down() is True
    assert_nothing_left(place)
    assert cluster.down() is False
    with pytest.raises(ClusterError, match="no cluster"):
        cluster.status()


def test_nobody_else_can_read_the_key(place):
    Cluster.up(place, nodes=1)
    assert Layout(place).key.stat().st_mode & 0o077 == 0


def test_two_side_by_side_do_not_meet(place):
    other_place = place.with_name("d")
    one, two = Cluster.up(place, nodes=1), Cluster.up(other_place, nodes=2)
    try:
        run(one, "sbatch", "--parsable", "--output=/dev/null", stdin="#!/bin/sh\nsleep 600\n")
        assert (one.status().jobs, two.status().jobs) == (1, 0)
        assert one.down() and not place.exists()
        assert two.status().is_up
        names = run(two, "srun", "-N2", "-n2", "sh", "-c", "echo $SLURMD_NODENAME")
        assert sorted(names.split()) == ["n1", "n2"]
    finally:
        two.down()
    assert_nothing_left(other_place)


def test_down_ends_jobs_with_all_of_their_processes(place, tmp_path):
    cluster = Cluster.up(place, nodes=1)
    script = f"#!/bin/sh\ncd {tmp_path}\nsetsid sh -c 'echo $$ > away; exec sleep 600' &\necho $$ > main\nsleep 600\n"
    run(cluster, "sbatch", "--parsable", "--output=/dev/null", stdin=script)
    wait_until(lambda: all((tmp_path / n).exists() and (tmp_path / n).read_text() for n in ("main", "away")), "no job")
    pids = [int((tmp_path / name).read_text()) for name in ("main", "away")]
    assert all(processes.read(pid) for pid in pids)
    cluster.down()
    assert [processes.read(pid) for pid in pids] == [None, None]
    assert_nothing_left(place)


def test_jobs_end_also_where_the_controller_has_gone(place, tmp_path):
    cluster = Cluster.up(place, nodes=1)
    run(cluster, "sbatch", "-o", "/dev/null", stdin=f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "no job")
    os.kill(cluster.status().pids["slurmctld"], signal.SIGKILL)
    wait_until(lambda: not cluster.status().is_up, "slurmctld lives")
    assert cluster.status().problem == "not running: slurmctld"
    with pytest.raises(ClusterError, match="not running: slurmctld") as error:
        Cluster.up(place, nodes=1)
    assert "cluster down" in error.value.hint
    cluster.down()
    assert processes.read(int((tmp_path / "pid").read_text())) is None
    assert_nothing_left(place)


def test_what_a_switched_off_machine_leaves_is_no_obstacle(place):
    cluster = Cluster.up(place, nodes=1)
    first = cluster.status().pids
    processes.send(processes.of_cluster(place), signal.SIGKILL)
    wait_until(lambda: not processes.of_cluster(place), "still running")
    assert cluster.status().problem == "not running: munged, slurmctld, slurmd-n1"
    again = Cluster.up(place, nodes=1)
    assert again.status().is_up and set(again.status().pids.values()).isdisjoint(first.values())
    again.down()
    assert_nothing_left(place)


def test_a_stale_pid_file_harms_no_stranger(place, tmp_path):
    stranger = process.start(Command(("sleep", "600")), env=base_environment(), log_file=tmp_path / "log", cwd=tmp_path)
    try:
        cluster = Cluster.up(place, nodes=1)
        processes.send(processes.of_cluster(place), signal.SIGKILL)
        wait_until(lambda: not processes.of_cluster(place), "still running")
        for name in ("munged", "slurmctld", "slurmd-n1"):
            (place / "run" / f"{name}.pid").write_text(f"{stranger.pid}\n")
        cluster.down()
        assert_nothing_left(place)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_reused_process_id_is_not_signalled(tmp_path):
    stranger = process.start(Command(("sleep", "600")), env=base_environment(), log_file=tmp_path / "log", cwd=tmp_path)
    try:
        seen = processes.read(stranger.pid)
        processes.send([processes.Process(seen.pid, seen.start - 1, seen.parent, "slurmd")], signal.SIGKILL)
        processes.send([seen], signal.SIGSTOP)  # signals arrive in order: a kill would have come first
        wait_until(lambda: state_of(stranger.pid) == "T", "not stopped")
    finally:
        stranger.kill()
        stranger.wait()


def test_up_twice_is_one_cluster(place):
    first = Cluster.up(place, nodes=1, cpus=4).status().pids
    assert Cluster.up(place, nodes=1, cpus=4).status().pids == first
    with pytest.raises(ClusterError, match="another shape"):
        Cluster.up(place, nodes=2, cpus=4)


def test_jobs_see_their_gpus(slurm):
    script = "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES; sleep 1"
    out = run(slurm, "srun", "-N2", "-n2", "--gres=gpu:2", "sh", "-c", script)
    assert sorted(out.splitlines()) == ["n1 0,1", "n2 0,1"]
    assert run(slurm, "srun", "-n1", "sh", "-c", "echo $SLURMD_NODENAME/$CUDA_VISIBLE_DEVICES").strip() in (
        "n1/",
        "n2/",
    )


def test_two_jobs_of_a_node_get_different_gpus(slurm, tmp_path):
    script = f"#!/bin/sh\necho $CUDA_VISIBLE_DEVICES > {tmp_path}/$SLURM_JOB_ID\nsleep 600\n"
    words = ("sbatch", "--parsable", "--nodelist=n1", "--gres=gpu:1", "--output=/dev/null")
    jobs = [run(slurm, *words, stdin=script).strip() for _ in range(2)]
    wait_until(lambda: all((tmp_path / job).exists() and (tmp_path / job).read_text() for job in jobs), "no jobs")
    run(slurm, "scancel", *jobs)
    assert sorted((tmp_path / job).read_text() for job in jobs) == ["0\n", "1\n"]


@pytest.mark.parametrize(("compiler", "pmi"), MPIS)
def test_mpi_programs_run_over_two_nodes(slurm, tmp_path, compiler, pmi):
    words = ("srun", "-N2", "-n4", "--ntasks-per-node=2", f"--mpi={pmi}", compiled(compiler, tmp_path))
    out = process.check(Command(words), env=base_environment() | slurm.env | PATIENT, timeout_s=120)
    assert sorted(out.splitlines()) == said(4)


def test_fences_of_pmix_go_round_a_ring(slurm):
    assert re.search(r"^PMIxCollFence += ring$", run(slurm, "scontrol", "show", "config"), re.MULTILINE)


def call(*words):
    parser = argparse.ArgumentParser()
    command_line.register(parser.add_subparsers())
    args = parser.parse_args(["cluster", *words])
    return args.func(args)


def test_the_command_line(place, capsys):
    assert call("up", "--dir", str(place), "--nodes", "2", "--cpus", "3", "--gpus", "1", "--memory", "500") == 0
    out = capsys.readouterr().out
    assert f"export SLURM_CONF={place}/etc/slurm.conf" in out
    assert "  n2  idle  3 CPUs, 500 MiB, gpu:1\n" in out
    assert call("status", "--dir", str(place)) == 0
    os.kill(Cluster.at(place).status().pids["slurmd-n2"], signal.SIGKILL)
    wait_until(lambda: not Cluster.at(place).status().is_up, "slurmd lives")
    capsys.readouterr()
    assert call("status", "--dir", str(place)) == 1
    assert "not running: slurmd-n2" in capsys.readouterr().out
    assert call("down", "--dir", str(place)) == 0
    assert capsys.readouterr().out == f"cluster in {place}: down\n"
    assert call("down", "--dir", str(place)) == 0
    assert capsys.readouterr().out == f"cluster in {place}: not there\n"
    assert_nothing_left(place)
