"""What is counted and logged of launches."""

import dataclasses
import logging

import pytest

from jupyter_hpcctr.edge.logs import fields
from jupyter_hpcctr.errors import PolicyError, SubmitRefused, described
from jupyter_hpcctr.launch.recorder import Recorder
from jupyter_hpcctr.launch.view import LaunchView

PHASES = {"submitted": 1.0, "queued": 5.0, "node up": 5.5, "kernel ready": 8.0}
NEW = LaunchView("l-1", kernel_id="k-1", scheduler="slurm", engine="bare", message="The job is being submitted …")
PENDING = {"state": "pending", "job": "7", "message": "Slurm job 7 is submitted."}
RUNNING = {"state": "running", "nodes": "n1", "phases": PHASES, "message": "The kernel runs."}
FAILED = {"state": "ended", "error": described(SubmitRefused("No.", hint="Ask less.")), "message": "No. (Ask less.)"}


@pytest.fixture
def told(caplog):
    """Tell a recorder of one launch, change by change; return it, and (message, fields) of the lines that it wrote."""
    caplog.set_level(logging.INFO, "jupyter_hpcctr")

    def tell(*changes):
        recorder, view = Recorder(), NEW
        recorder.hear(view)
        for each in changes:
            view = dataclasses.replace(view, **each)
            recorder.hear(view)
        return recorder, [(record.getMessage(), dict(fields(record))) for record in caplog.records]

    return tell


def sums(times):
    return {labels: spread.sum for labels, spread in times.found().items()}


def test_each_state_is_a_line_with_the_kernel_and_the_stage(told):
    recorder, lines = told(PENDING, {"reason": "Priority"}, RUNNING, {"state": "ended", "ending": "TIMEOUT"})
    known = {"kernel": "k-1", "launch": "l-1", "scheduler": "slurm", "job": "7"}
    assert [line[1]["stage"] for line in lines] == ["pending", "running", "ended"]
    assert lines[0] == ("Slurm job 7 is submitted.", {**known, "stage": "pending"})
    assert lines[1] == ("The kernel runs.", {**known, "stage": "running", "nodes": "n1"})
    assert lines[2][1]["ending"] == "TIMEOUT"
    assert (recorder.failures.found(), recorder.ends.found()) == ({}, {("TIMEOUT",): 1})


def test_the_parts_of_a_start_make_up_the_whole(told):
    recorder, _ = told(PENDING, RUNNING, {"end_time": "2026-01-02T03:04:05"})
    parts = sums(recorder.phases)
    assert parts == {("submitted",): 1.0, ("queued",): 4.0, ("node up",): 0.5, ("kernel ready",): 2.5}
    assert sums(recorder.ready) == {("slurm", "bare"): sum(parts.values())}


def test_a_restart_in_the_same_job_is_no_start_of_a_job(told):
    recorder, _ = told(PENDING, RUNNING, {"phases": {}}, {"phases": {"kernel ready": 0.7}})
    assert sums(recorder.phases)["restarted",] == 0.7
    assert [spread.counts[-1] for spread in recorder.ready.found().values()] == [1]
    assert recorder.starts.found() == {}, "the provisioner tells of the first"


def test_a_new_job_for_the_same_kernel_is_a_start_that_can_fail(told):
    again = {"state": "submitting", "error": None, "ending": None, "phases": {}}
    recorder, lines = told(PENDING, RUNNING, {"state": "ended", "ending": "NODE_FAIL"}, again, FAILED, again, FAILED)
    assert recorder.starts.found() == {("again",): 2}
    assert recorder.failures.found() == {("scheduler",): 2}
    assert recorder.ends.found() == {("NODE_FAIL",): 1}
    assert [line[0] for line in lines if line[1]["stage"] == "scheduler"] == ["No. (Ask less.)"] * 2


@pytest.mark.parametrize(("ending", "failures"), [("FAILED", {("launch",): 1}), ("CANCELLED", {})])
def test_a_job_that_ends_before_its_kernel_is_there_has_failed(told, ending, failures):
    recorder, _ = told(PENDING, {"state": "ended", "ending": ending})
    assert (recorder.failures.found(), recorder.ends.found()) == (failures, {(ending,): 1})


def test_a_first_start_that_is_refused_is_counted_and_logged_once_by_who_asked_for_it(told, caplog):
    recorder, lines = told(FAILED, {"state": "gone"})
    assert (recorder.failures.found(), [line[0] for line in lines]) == ({}, ["The kernel was shut down."])
    recorder.refused(SubmitRefused("No.", hint="Ask less."), "k-1")
    assert recorder.failures.found() == {("scheduler",): 1}
    assert caplog.records[-1].getMessage() == "no kernel: No. (Ask less.)"


@pytest.mark.parametrize("before", [{"state": "fetching"}, PENDING])
def test_a_start_that_fails_when_it_was_begun_is_told_by_its_launch(told, before):
    recorder, lines = told(before, FAILED)
    assert recorder.failures.found() == {("scheduler",): 1}
    assert lines[-1][0] == "No. (Ask less.)"


def test_a_job_that_ended_while_no_server_was_there_is_a_line(told):
    recorder, lines = told({"state": "ended", "job": "7", "ending": "TIMEOUT", "phases": PHASES, "message": "Over."})
    assert (recorder.ends.found(), lines[-1][0]) == ({("TIMEOUT",): 1}, "Over.")


def test_a_refused_start_is_counted_by_its_stage_and_told_with_its_kernel(told, caplog):
    recorder, _ = told({"state": "gone"})
    recorder.asked()
    recorder.refused(PolicyError("No.", hint="Ask less."), "k-1")
    recorder.refused(KeyboardInterrupt(), "")
    assert recorder.starts.found() == {("new",): 1}
    assert recorder.failures.found() == {("resolve",): 1, ("internal",): 1}
    gone, refused, stopped = caplog.records
    assert gone.getMessage() == "The kernel was shut down."
    assert refused.getMessage() == "no kernel: No. (Ask less.)"
    assert fields(refused) == {"kernel": "k-1", "stage": "resolve"}
    assert (refused.levelname, stopped.getMessage()) == ("WARNING", "no kernel: KeyboardInterrupt")


def test_a_launch_that_is_gone_is_forgotten(told):
    recorder, lines = told(PENDING, FAILED, {"state": "gone"})
    assert recorder._last == {}
    assert (lines[-1][0], lines[-1][1]["stage"]) == ("The kernel was shut down.", "gone")
