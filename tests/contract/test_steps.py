"""The words that start processes within a job, tried in real jobs of every shape."""

import json
import sys
import time

import pytest
from support.mpi import MPIS, PATIENT, compiled, said
from support.waiting import text

from jupyter_hpcctr.core.job import Ending, JobState
from jupyter_hpcctr.protocol import words
from jupyter_hpcctr.ranks.config import filled

WHERE = "import os; print(os.environ['SLURM_PROCID'], os.environ['SLURMD_NODENAME'], os.getcwd())"
IN_THE_JOB = """
import json, os, pathlib, subprocess, sys
def run(words, stdin):
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=140)
    return [done.returncode, sorted(done.stdout.splitlines()), done.stderr]
found = [run(words, stdin) for words, stdin in json.loads(pathlib.Path("asked").read_text())]
pathlib.Path("found").write_text(json.dumps(found))
"""
SHAPES = [
    {"ntasks": 8},
    {"ntasks_per_node": 2, "cpus_per_task": 2, "mem_mb": 2000, "gpus_per_node": 2},
    {"cpus_per_task": 4},
]


def gaps(**values):
    """Every placeholder with its value, which is None unless given."""
    names = (words.RANKS, words.NODES, words.NODELIST, words.CPUS, words.PMI, words.OVERCOMMIT, words.DIRECTORY)
    return {name: values.get(name.strip("@").lower()) for name in names}


def step(jobs, number, nodes="n1,n2", *, program=(sys.executable, "-c", WHERE), **values):
    values = {"cpus": 1, "pmi": "none", "directory": "/usr"} | values
    count = len(nodes.split(","))
    words = filled(jobs.scheduler.steps().ranks, gaps(ranks=number, nodes=count, nodelist=nodes, **values))
    return [*words, *program]


def node_step(jobs, program, nodes="n1,n2"):
    count = len(nodes.split(","))
    words = filled(jobs.scheduler.steps().nodes, gaps(nodes=count, nodelist=nodes, directory="/"))
    return [*words, *program]


def from_within(jobs, directory, asked, **resources):
    """Run commands ``(words, standard input)`` in a job of their own; their status, sorted output, and errors."""
    (directory / "asked").write_text(json.dumps(asked))
    job = jobs.submit([sys.executable, "-c", IN_THE_JOB], directory, nodes=2, **resources)
    jobs.wait(job, JobState.ENDED, timeout_s=150)
    assert jobs.settled(job).ending is Ending.COMPLETED, text(directory / "job.log")
    return json.loads((directory / "found").read_text())


def counts(found):
    """How many processes ran on n1 and n2."""
    status, lines, errors = found
    assert (status, errors) == (0, "")
    assert sorted(int(line.split()[0]) for line in lines) == list(range(len(lines)))
    assert {line.split()[2] for line in lines} == {"/usr"}
    return tuple(sum(line.split()[1] == node for line in lines) for node in ("n1", "n2"))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape))
def test_steps_of_any_number_run_whatever_the_job_was_submitted_with(slurm_jobs, tmp_path, shape):
    jobs = slurm_jobs
    over = {"overcommit": jobs.scheduler.steps().overcommit, "cpus": None}
    asked = [
        step(jobs, 2), step(jobs, 3), step(jobs, 5), step(jobs, 8), step(jobs, 2, cpus=4), step(jobs, 4, cpus=None),
        step(jobs, 1, "n1"), step(jobs, 4, "n2"), step(jobs, 12, **over),
    ]  # fmt: skip
    found = from_within(jobs, tmp_path, [(words, None) for words in asked], **shape)
    assert [counts(each) for each in found] == [
        (1, 1), (2, 1), (3, 2), (4, 4), (1, 1), (2, 2), (1, 0), (0, 4), (6, 6),
    ]  # fmt: skip


def test_more_than_the_job_has_is_refused_at_once(slurm_jobs, tmp_path):
    began = time.monotonic()
    ((status, lines, errors),) = from_within(slurm_jobs, tmp_path, [(step(slurm_jobs, 9), None)], ntasks=8)
    assert status != 0 and lines == [] and "More processors requested than permitted" in errors
    assert time.monotonic() - began < 20


def test_unequal_nodes_are_filled_as_far_as_they_have_cpus(slurm_jobs, tmp_path):
    asked = [(step(slurm_jobs, number), None) for number in (2, 4, 5)]
    found = from_within(slurm_jobs, tmp_path, asked, ntasks=5)
    assert sorted(map(max, map(counts, found))) == [1, 3, 4]


def test_a_process_on_each_node_reads_what_is_written_once(slurm_jobs, tmp_path):
    program = ("sh", "-c", "echo $SLURMD_NODENAME $PWD $(cat) ${CUDA_VISIBLE_DEVICES:-none}")
    asked = [(node_step(slurm_jobs, program), '{"a": 1}'), (node_step(slurm_jobs, program, "n2"), "x")]
    found = from_within(slurm_jobs, tmp_path, asked, ntasks_per_node=4, gpus_per_node=2)
    assert found[0] == [0, ['n1 / {"a": 1} none', 'n2 / {"a": 1} none'], ""]
    assert found[1] == [0, ["n2 / x none"], ""]


@pytest.mark.parametrize(("compiler", "pmi"), MPIS)
def test_mpi_runs_in_steps_beside_others_that_hold_all_of_the_job(slurm_jobs, tmp_path, compiler, pmi):
    hold = ("sh", "-c", f"touch {tmp_path}/held-$SLURM_PROCID; exec sleep 120")
    program = ("env", *(f"{name}={value}" for name, value in PATIENT.items()), compiled(compiler, tmp_path))
    asked = [(step(slurm_jobs, number, program=program, pmi=pmi), None) for number in (4, 8)]
    (tmp_path / "asked").write_text(json.dumps(asked))
    behind = [step(slurm_jobs, 8, program=hold), node_step(slurm_jobs, ("sh", "-c", "exec sleep 120"))]
    code = f"import subprocess, time, pathlib; behind = [subprocess.Popen(words) for words in {behind!r}]\n"
    code += "until = time.monotonic() + 60\n"
    code += "while len(list(pathlib.Path().glob('held-*'))) < 8 and time.monotonic() < until: time.sleep(0.05)\n"
    code += IN_THE_JOB
    code += "assert [each.poll() for each in behind] == [None, None]\nfor each in behind: each.kill()\n"
    job = slurm_jobs.submit([sys.executable, "-c", code], tmp_path, nodes=2, ntasks=8)
    slurm_jobs.wait(job, JobState.ENDED, timeout_s=150)
    assert slurm_jobs.settled(job).ending is Ending.COMPLETED, text(tmp_path / "job.log")
    for number, (status, lines, errors) in zip((4, 8), json.loads((tmp_path / "found").read_text()), strict=True):
        assert (status, lines) == (0, said(number)), errors


def test_what_one_process_does_does_not_end_the_others(slurm_jobs, tmp_path):
    program = ("sh", "-c", "[ $SLURM_PROCID != 0 ] || exit 3; sleep 1; echo $SLURM_PROCID is there")
    ((status, lines, _),) = from_within(slurm_jobs, tmp_path, [(step(slurm_jobs, 4, program=program), None)], ntasks=8)
    assert (status, lines) == (3, [f"{rank} is there" for rank in (1, 2, 3)])


def test_a_scheduler_without_steps_says_so(local_jobs):
    assert local_jobs.scheduler.steps() is None
