"""The words that submit a job to Slurm, and the reading of its answer."""

import pytest

from jupyter_hpcctr.core.job import Command, Output
from jupyter_hpcctr.core.jobspec import JobSpec
from jupyter_hpcctr.core.questions import opening, replayed
from jupyter_hpcctr.core.request import Resources
from jupyter_hpcctr.errors import RequestError, SchedulerAway, SchedulerUnreachable
from jupyter_hpcctr.schedulers.slurm import Slurm

SLURM = Slurm()
SPEC = JobSpec("x", ("true",), Resources(), "/", "/l")


def test_a_plain_submission():
    spec = JobSpec("a name", ("python3", "-m", "x", "a b"), Resources(), "/work dir", "/work dir/job.log")
    assert opening(SLURM.submit(spec)) == Command(
        (
            "sbatch",
            "--parsable",
            "--no-requeue",
            "--export=ALL",
            "--open-mode=append",
            "--signal=B:USR1@60",
            "--job-name=a name",
            "--chdir=/work dir",
            "--output=/work dir/job.log",
            "--error=/work dir/job.log",
            "--nodes=1",
        ),
        stdin="#!/bin/sh\ntrap '' USR1\nexec python3 -m x 'a b'\n",
    )


def test_a_job_carries_its_token_and_is_found_among_others_by_it():
    argv = opening(SLURM.submit(JobSpec("x", ("true",), Resources(), "/", "/l", "abc-1"))).argv
    assert "--comment=hpcctr:abc-1" in argv
    rows = ("12|hpcctr:abc-1", "9|hpcctr:abc-1", "13|mine|hpcctr:abc-2", "14|hpcctr:abc-3 x", "16|", "17|hpcctr:abc-4")
    assert replayed(SLURM.find(["abc-1"]), Output(0, "\n".join(rows), "")) == {"abc-1": "12", "abc-4": "17"}
    with pytest.raises(SchedulerUnreachable):
        replayed(SLURM.find(["a"]), Output(1, "", "slurm_load_jobs error: Unable to contact slurm controller"))


def test_every_resource_has_its_word():
    resources = Resources(
        nodes=2,
        ntasks=8,
        ntasks_per_node=4,
        cpus_per_task=3,
        mem_mb=4000,
        gpus_per_node=2,
        gpu_type="a100",
        time_minutes=90,
        partition="gpu",
        account="phys",
        qos="high",
        constraint="ib&ssd",
        reservation="course",
    )
    assert opening(SLURM.submit(JobSpec("x", ("true",), resources, "/", "/l"))).argv[10:] == (
        "--no-kill",
        "--nodes=2",
        "--ntasks=8",
        "--ntasks-per-node=4",
        "--cpus-per-task=3",
        "--mem=4000M",
        "--gres=gpu:a100:2",
        "--time=90",
        "--partition=gpu",
        "--account=phys",
        "--qos=high",
        "--constraint=ib&ssd",
        "--reservation=course",
    )


def test_gpus_without_a_type():
    spec = JobSpec("x", ("true",), Resources(gpus_per_node=1), "/", "/l")
    assert opening(SLURM.submit(spec)).argv[10:] == ("--nodes=1", "--gres=gpu:1")


@pytest.mark.parametrize(
    ("name", "given"), [("a\nb", "a b"), ("", "jupyter"), ("\n", "jupyter"), ("-x", "-x"), ("ä\0b", "ä b")]
)
def test_names_become_one_line(name, given):
    argv = opening(SLURM.submit(JobSpec(name, ("true",), Resources(), "/", "/l"))).argv
    assert argv[6] == f"--job-name={given}"


def test_percent_signs_of_the_log_file_are_no_patterns():
    argv = opening(SLURM.submit(JobSpec("x", ("true",), Resources(), "/100%j", "/100%j/%x"))).argv
    assert argv[7:10] == ("--chdir=/100%j", "--output=/100%%j/%%x", "--error=/100%%j/%%x")


def test_a_backslash_in_the_log_file_is_refused():
    with pytest.raises(RequestError, match="backslash"):
        opening(SLURM.submit(JobSpec("x", ("true",), Resources(), "/", "/a\\b")))


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
        "sbatch: error: Batch job submission failed: Protocol authentication error",
        "sbatch: error: Batch job submission failed: Slurm backup controller in standby mode",
        "sbatch: error: Munge encode failed: Failed to connect to \"/run/munge/munge.socket.2\"",
        "sbatch: fatal: Could not establish a configuration source",
    ],
)  # fmt: skip
def test_trouble_of_the_controller_is_no_refusal(said):
    with pytest.raises(SchedulerUnreachable) as caught:
        replayed(SLURM.submit(SPEC), Output(1, "", said))
    assert isinstance(caught.value, SchedulerAway) == ("connect failure" in said), "else there may be a job"


@pytest.mark.parametrize(
    ("stdout", "job"), [("12\n", "12"), ("12;alpha\n", "12"), ("a note of the site\n12;alpha\n", "12")]
)
def test_ids_of_single_and_federated_clusters(stdout, job):
    assert replayed(SLURM.submit(SPEC), Output(0, stdout, "")) == job


@pytest.mark.parametrize("stdout", ["", "Submitted batch job\n", "-1\n"])
def test_an_answer_without_an_id_is_no_refusal_since_there_may_be_a_job(stdout):
    with pytest.raises(SchedulerUnreachable, match="no job id"):
        replayed(SLURM.submit(SPEC), Output(0, stdout, ""))
