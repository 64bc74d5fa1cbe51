"""The contracts' cases can fail: what breaks a promise is found, and only by the cases that are about it."""

import re
import subprocess
import sys

import pytest
from support.images import ENVIRONMENT

BROKEN = """
from dataclasses import replace

import pytest

from jupyter_hpcctr import plugins
from jupyter_hpcctr.core.questions import opening, replayed
from jupyter_hpcctr.protocol.container import EngineCommand
from jupyter_hpcctr.testing import EngineContract, SchedulerContract

Bare, Local = type(plugins.engine("bare")), type(plugins.scheduler("local"))


class Leaking(Bare):
    def enter(self, container, pid, program, node):
        return EngineCommand(("env", "SLURM_TASK_TOKEN=s3cret", *program.argv))


class Deaf(Bare):
    def enter(self, container, pid, program, node):
        return EngineCommand(("setsid", "--wait", *program.argv))


class Quoting(Bare):
    def enter(self, container, pid, program, node):
        return EngineCommand(("sh", "-c", f"exec env -u PWD -u OLDPWD -u _ {' '.join(program.argv)}"))


class Deserting(Bare):
    def start(self, container, program, node):
        if not program.argv[-1].endswith("holder.pid"):
            return super().start(container, program, node)
        parked = 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 60'
        return EngineCommand(("sh", "-c", '"$@" & wait', "sh", "setsid", "sh", "-c", parked, program.argv[-1]))


class Guessing(Local):
    name = "guessing"

    def query(self, jobs):
        output = yield opening(super().query(jobs))
        return replayed(super().query(jobs), output) if output.returncode == 0 else {}


class Cut(Local):
    name = "cut"

    def submit(self, spec):
        return super().submit(replace(spec, argv=tuple(word.strip() for word in spec.argv)))


class Jobs(SchedulerContract):
    @pytest.fixture
    def variables(self, tmp_path_factory):
        return {"HPCCTR_LOCAL_JOBS": str(tmp_path_factory.mktemp("batch") / "records")}

    @pytest.fixture
    def unreachable(self, tmp_path):
        tmp_path.chmod(0o755)
        return {"HPCCTR_LOCAL_JOBS": str(tmp_path)}



class TestLeaking(EngineContract):
    engine = Leaking()


class TestDeaf(EngineContract):
    engine = Deaf()
    patience_s = 4


class TestQuoting(EngineContract):
    engine = Quoting()


class TestDeserting(EngineContract):
    engine = Deserting()
    patience_s = 4


class TestGuessing(Jobs):
    scheduler = Guessing()


class TestCut(Jobs):
    scheduler = Cut()
"""
CASES = (
    "Leaking and (promise or environment)", "Deaf and (signals or restart)", "Quoting and promise",
    "Deserting and (parked or killed)", "Guessing and answer", "Cut and (words_arrive or site)",
)  # fmt: skip


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """The names of the cases that fail, by class."""
    place = tmp_path_factory.mktemp("broken")
    (place / "test_broken.py").write_text(BROKEN)
    env = {name: value for name, value in ENVIRONMENT.items() if not name.startswith(("PYTEST_", "COV_"))}
    words = ("-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider", f"--basetemp={place}/tmp")
    words += ("-k", " or ".join(f"({case})" for case in CASES))
    done = subprocess.run((sys.executable, *words), cwd=place, env=env, capture_output=True, text=True, timeout=170)
    assert " passed" in done.stdout, done.stdout + done.stderr
    found = {}
    for each, case in re.findall(r"^FAILED test_broken.py::Test(\w+)::test_(\w+)", done.stdout, re.MULTILINE):
        found.setdefault(each, set()).add(case)
    return found


def test_a_variable_that_comes_from_outside_is_found(failed):
    assert failed["Leaking"] == {
        "a_joined_program_keeps_every_promise", "a_rank_keeps_every_promise",
        "of_the_jobs_environment_only_what_the_site_passes_on_is_seen", "the_environment_file_is_read_at_each_join",
    }  # fmt: skip


def test_a_program_that_signals_do_not_reach_is_found(failed):
    assert failed["Deaf"] == {
        "signals_reach_a_joined_program", "a_restart_leaves_no_process_of_the_old_program",
    }  # fmt: skip


def test_words_that_a_shell_reads_again_are_found(failed):
    assert failed["Quoting"] == {"a_joined_program_keeps_every_promise", "a_rank_keeps_every_promise"}


def test_a_parked_program_that_outlives_its_container_is_found(failed):
    assert failed["Deserting"] == {
        "the_parked_program_ends_with_the_engines_command", "the_holder_ends_when_whoever_started_it_is_killed",
    }  # fmt: skip


def test_a_scheduler_that_takes_no_answer_for_one_is_found(failed):
    assert failed["Guessing"] == {"no_answer_is_not_an_answer"}


def test_a_scheduler_that_changes_words_is_found(failed):
    assert failed["Cut"] == {"words_arrive_as_they_are"}
