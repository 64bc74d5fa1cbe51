"""Words with gaps, filled: for the hub's own node, for a wrapper, for a step."""

import dataclasses

import pytest
from test_ranks_plan import IN_AN_IMAGE, ON_THIS_MACHINE, WITHOUT_IMAGE

from jupyter_hpcctr.ranks.config import Config, filled
from jupyter_hpcctr.ranks.launcher import program_of


def config_of(plan, **more):
    own = {
        "env": {"LANG": "C.UTF-8", "A": "a'b"},
        "image_env": {},
        "pass_env": ("KEPT*",),
        "drop_env": ("KEPT_NOT",),
        "run_dir": "/tmp/hpcctr-1001-1",
        "workdir": "/home/alice/nb",
        "dir": "/tmp/hpcctr-1001-1/kernel",
        "dir_inside": "/hpcctr/run",
        "holder_pid": "4711",
        "kernel_pid": 4712,
        "node": "n1",
        "plain": False,
    }
    return Config(plan=plan, **own | more)


@pytest.mark.parametrize(
    ("words", "values", "expected"),
    [
        (["a", "@X@", "-n@X@,@Y@"], {"@X@": 2, "@Y@": "n1"}, ["a", "2", "-n2,n1"]),
        (["a", "@X@", "-n@X@,@Y@", "@Y@"], {"@X@": "", "@Y@": "n1"}, ["a", "n1"]),
        (["a", "--x=@X@", "b"], {"@X@": None}, ["a", "b"]),
        (["@X@"], {"@X@": 0}, ["0"]),
        (["@OTHER@"], {"@X@": 1}, ["@OTHER@"]),
        ([], {"@X@": 1}, []),
    ],
)
def test_words_are_filled_or_left_out(words, values, expected):
    assert filled(words, values) == expected


def test_into_this_nodes_container_with_what_its_engine_needs_of_the_host(monkeypatch):
    for name, value in {"KEPT": "1", "SLURM_JOB_ID": "7", "TMPDIR": "/scratch", "OTHER": "x", "HOME": "/h"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", "/bin")
    words, env = config_of(IN_AN_IMAGE).entered(["true"])
    run = "/tmp/hpcctr-1001-1"
    assert words == [
        "ch-run", "--unset-env=*", "--env-no-expand", f"--set-env={run}/env",
        "--cd=/home/alice/nb", "--join-pid=4711", "/store/1.sqfs", "--", "true",
    ]  # fmt: skip
    assert {"PATH": "/bin", "HOME": "/h", "SLURM_JOB_ID": "7"}.items() <= env.items()
    assert not {"KEPT", "TMPDIR", "OTHER", "A"} & env.keys()


def test_without_a_container_a_program_gets_the_kernels_environment(monkeypatch):
    for name in ("KEPT", "KEPT_NOT", "OTHER", "LANG"):
        monkeypatch.setenv(name, "from the job")
    monkeypatch.setenv("PATH", "/bin")
    words, env = config_of(WITHOUT_IMAGE).entered(["true", "@NODE@"])
    assert words == ["true", ""]
    assert {"PATH": "/bin", "KEPT": "from the job", "LANG": "C.UTF-8", "A": "a'b"}.items() <= env.items()
    assert not {"KEPT_NOT", "OTHER"} & env.keys()


def test_the_program_behind_env():
    assert program_of(IN_AN_IMAGE.steps.ranks) == "srun"
    assert program_of(["srun", "-n2"]) == "srun"
    assert program_of(["env", "--unset=A", "B=c", "/opt/bin/srun", "-n2"]) == "/opt/bin/srun"


def test_plans_without_steps_have_no_words_for_them():
    assert config_of(dataclasses.replace(WITHOUT_IMAGE, **ON_THIS_MACHINE)).plan.steps is None
