"""The words that ask Slurm, and the reading of what its releases answered, recorded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_hpcctr.core.facts import Partition, Site
from jupyter_hpcctr.core.job import Ending, JobId, JobState, JobStatus, Output
from jupyter_hpcctr.core.jobspec import JobSpec
from jupyter_hpcctr.core.questions import opening, replayed
from jupyter_hpcctr.core.request import Resources
from jupyter_hpcctr.errors import SchedulerUnreachable, SubmitRefused
from jupyter_hpcctr.schedulers.slurm import Slurm

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("slurm-*"))
SLURM = Slurm()
SPEC = JobSpec("x", ("true",), Resources(), "/", "/l")


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.name)
def release(request):
    return request.param


def recorded(release, name):
    plain = json.loads((release / f"{name}.json").read_text(encoding="utf-8"))
    return Output(plain["returncode"], plain["stdout"], plain["stderr"])


def has_estimates(release):
    """Of 24.11 there is only what was recorded before a site's limits and estimates were asked for."""
    return release.name != "slurm-24.11"


def words(release, name):
    return tuple(json.loads((release / f"{name}.json").read_text(encoding="utf-8"))["argv"])


def squeue(*rows):
    return replayed(SLURM.query([]), Output(0, "".join(f"{row}\n" for row in rows), ""))


def one(row):
    (status,) = squeue(row).values()
    return status


def test_the_other_words():
    assert opening(SLURM.query([JobId("7"), JobId("8")])).argv == (
        "squeue", "--noheader", "--states=all", "--format=%A|%T|%S|%e|%N|%r", "--jobs=7,8",
    )  # fmt: skip
    settling = SLURM.settle(JobId("7"))
    assert next(settling).argv == ("scontrol", "--oneliner", "show", "job", "7")
    assert settling.send(Output(1, "", "slurm_load_jobs error: Invalid job id specified")).argv == (
        "sacct", "--allocations", "--parsable2", "--noheader",
        "--format=JobIDRaw,State,ExitCode,End,NodeList", "--jobs=7",
    )  # fmt: skip
    assert opening(SLURM.signal(JobId("7"), 10)).argv == ("scancel", "--batch", "--signal=10", "7")
    assert opening(SLURM.cancel([JobId("7"), JobId("8")])).argv == ("scancel", "--quiet", "7", "8")


def test_there_are_recordings_of_more_than_one_release():
    assert [path.name for path in RECORDINGS] == ["slurm-22.05", "slurm-24.11"]


def test_recordings_are_answers_to_todays_words(release):
    """Whoever changes the words must record anew."""
    assert words(release, "squeue-one-unknown") == opening(SLURM.query([JobId("4000000")])).argv
    assert words(release, "scontrol-unknown") == opening(SLURM.settle(JobId("4000000"))).argv
    assert words(release, "scancel-unknown") == opening(SLURM.cancel([JobId("4000000")])).argv
    asked = [each.argv for each in next(SLURM.site(user="user"))]
    assert words(release, "site-scontrol") == asked[1]
    if has_estimates(release):
        assert [words(release, f"site-{name}") for name in ("sinfo", "partitions", "sacctmgr")] == [
            asked[0],
            *asked[2:],
        ]
    resources = Resources(nodes=2, cpus_per_task=4)
    submitted = opening(SLURM.submit(JobSpec("a name", ("true",), resources, "/tmp", "/dev/null"))).argv
    # These came after some recordings; they change what Slurm does later, not what sbatch answers.
    later = ("--no-kill", "--signal=B:USR1@60")
    assert [w for w in words(release, "sbatch-ok") if w not in later] == [w for w in submitted if w not in later]


def test_recorded_submissions(release):
    assert replayed(SLURM.submit(SPEC), recorded(release, "sbatch-ok")) == JobId("8")
    said = {}
    for path in sorted(release.glob("sbatch-bad-*.json")):
        with pytest.raises(SubmitRefused) as refusal:
            replayed(SLURM.submit(SPEC), recorded(release, path.stem))
        said[path.stem] = refusal.value.message
        assert refusal.value.hint and not refusal.value.transient
    assert said == {
        "sbatch-bad-constraint": "Slurm refused the job: Invalid feature specification",
        "sbatch-bad-gpu-type": "Slurm refused the job: Requested node configuration is not available",
        "sbatch-bad-gpus": "Slurm refused the job: Requested node configuration is not available",
        "sbatch-bad-memory": "Slurm refused the job: Memory specification can not be satisfied; "
        "Requested node configuration is not available",
        "sbatch-bad-partition": "Slurm refused the job: invalid partition specified: nowhere; "
        "Invalid partition name specified",
        "sbatch-bad-reservation": "Slurm refused the job: Requested reservation is invalid",
    }


def test_recorded_queue(release):
    found = replayed(SLURM.query([]), recorded(release, "squeue"))
    assert {job: (s.state, s.ending, s.reason, s.nodes) for job, s in found.items()} == {
        "1": (JobState.ENDED, Ending.COMPLETED, "", "n1"),
        "2": (JobState.ENDED, Ending.FAILED, "NonZeroExitCode", "n1"),
        "3": (JobState.ENDED, Ending.FAILED, found[JobId("3")].reason, "n1"),
        "4": (JobState.ENDED, Ending.CANCELLED, "", "n1"),
        "5": (JobState.ENDED, Ending.TIMEOUT, "TimeLimit", "n2"),
        "6": (JobState.RUNNING, None, "Suspended", "n2"),
        "7": (JobState.RUNNING, None, "", "n2"),
        "8": (JobState.PENDING, None, "Resources", ""),
        "9": (JobState.PENDING, None, "JobHeldAdmin", ""),
    }
    assert found[JobId("8")].expected_start and found[JobId("9")].expected_start is None
    assert {job for job, s in found.items() if s.end_time is None} == {"8", "9"}
    assert replayed(SLURM.query([]), recorded(release, "squeue-one-unknown")) == {}
    assert replayed(SLURM.query([]), recorded(release, "squeue-two-unknown")) == {}


@pytest.mark.parametrize(
    ("name", "job", "state", "ending", "exit_code", "signal", "nodes"),
    [
        ("completed", "1", JobState.ENDED, Ending.COMPLETED, 0, None, "n1"),
        ("failed", "2", JobState.ENDED, Ending.FAILED, 3, None, "n1"),
        ("killed", "3", JobState.ENDED, Ending.FAILED, 0, 9, "n1"),
        ("cancelled", "4", JobState.ENDED, Ending.CANCELLED, 0, 15, "n1"),
        ("timeout", "5", JobState.ENDED, Ending.TIMEOUT, 0, 15, "n2"),
        ("suspended", "6", JobState.RUNNING, None, None, None, "n2"),
        ("running", "7", JobState.RUNNING, None, None, None, "n2"),
        ("pending", "8", JobState.PENDING, None, None, None, ""),
        ("held", "9", JobState.PENDING, None, None, None, ""),
    ],
)
def test_recorded_ends(release, name, job, state, ending, exit_code, signal, nodes):
    status = replayed(SLURM.settle(JobId(job)), recorded(release, f"scontrol-{name}"))
    assert (status.job_id, status.state, status.ending) == (job, state, ending)
    assert (status.exit_code, status.signal, status.nodes) == (exit_code, signal, nodes)
    assert (status.end_time is None) == (state is JobState.PENDING)


def test_recorded_strangers(release):
    forgotten = recorded(release, "scontrol-unknown"), recorded(release, "sacct-disabled")
    assert replayed(SLURM.settle(JobId("1")), *forgotten) == JobStatus(JobId("1"), JobState.UNKNOWN)
    assert recorded(release, "scancel-unknown").returncode == 0


def test_recorded_sites(release):
    more = [recorded(release, f"site-{name}") for name in ("partitions", "sacctmgr") if has_estimates(release)]
    said = (recorded(release, "site-sinfo"), recorded(release, "site-scontrol"), *more)
    site = replayed(SLURM.site(), said)
    known = Partition("debug", default_mem_mb_per_cpu=1000)
    if more:
        known = replace(
            known,
            cpus_idle=7,
            gres_used=("gpu:1",),
            gres_idle=("gpu:3",),
            features=("ib_hdr", "avx512"),
            billing=(("cpu", 1.0), ("mem", 0.25)),
        )
    assert site.version.startswith(release.name.removeprefix("slurm-"))
    assert site == Site(
        scheduler="slurm",
        version=site.version,
        controller="127.0.0.1",
        partitions=(
            replace(
                known,
                is_default=True,
                is_up=True,
                nodes_total=2,
                nodes_idle=1,
                cpus_per_node=4,
                mem_mb_per_node=4000,
                gres=("gpu:2",),
                time_limit_minutes=None,
            ),
        ),
    )


def test_recorded_silence_is_never_an_answer(release):
    sinfo = recorded(release, "silent-sinfo")
    for read in (
        lambda: replayed(SLURM.submit(SPEC), recorded(release, "silent-sbatch")),
        lambda: replayed(SLURM.query([]), recorded(release, "silent-squeue")),
        lambda: replayed(SLURM.settle(JobId("1")), recorded(release, "silent-scontrol")),
        lambda: replayed(SLURM.site(), (sinfo, recorded(release, "site-scontrol"))),
        lambda: replayed(SLURM.site(), (recorded(release, "site-sinfo"), sinfo)),
    ):
        with pytest.raises(SchedulerUnreachable) as error:
            read()
        assert error.value.message == "Slurm does not answer: " + error.value.message.partition(": ")[2]
        assert "Unable to contact slurm controller" in error.value.message


@pytest.mark.parametrize(
    ("word", "state", "ending"),
    [
        ("BOOT_FAIL", JobState.ENDED, Ending.NODE_FAIL),
        ("CANCELLED", JobState.ENDED, Ending.CANCELLED),
        ("COMPLETED", JobState.ENDED, Ending.COMPLETED),
        ("DEADLINE", JobState.ENDED, Ending.TIMEOUT),
        ("FAILED", JobState.ENDED, Ending.FAILED),
        ("LAUNCH_FAILED", JobState.ENDED, Ending.FAILED),
        ("NODE_FAIL", JobState.ENDED, Ending.NODE_FAIL),
        ("OUT_OF_MEMORY", JobState.ENDED, Ending.OUT_OF_MEMORY),
        ("PREEMPTED", JobState.ENDED, Ending.PREEMPTED),
        ("RECONFIG_FAIL", JobState.ENDED, Ending.FAILED),
        ("REVOKED", JobState.ENDED, Ending.LOST),
        ("TIMEOUT", JobState.ENDED, Ending.TIMEOUT),
        ("SOMETHING_NEW", JobState.UNKNOWN, None),
    ],
)
def test_states_of_the_end(word, state, ending):
    status = one(f"5|{word}|2026-01-02T03:04:05|2026-01-02T03:05:05|n[1-2]|None")
    assert status == JobStatus(
        JobId("5"),
        state,
        nodes="n[1-2]",
        end_time="2026-01-02T03:05:05" if state is JobState.ENDED else None,
        ending=ending,
    )


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [
        ("PENDING", JobState.PENDING, "Priority"),
        ("CONFIGURING", JobState.PENDING, "Configuring"),
        ("POWER_UP_NODE", JobState.PENDING, "Power_up_node"),
        ("REQUEUED", JobState.PENDING, "requeued"),
        ("REQUEUE_FED", JobState.PENDING, "requeued"),
        ("REQUEUE_HOLD", JobState.PENDING, "requeued"),
        ("SPECIAL_EXIT", JobState.PENDING, "requeued"),
        ("RESV_DEL_HOLD", JobState.PENDING, "Resv_del_hold"),
        ("RUNNING", JobState.RUNNING, "Priority"),
        ("COMPLETING", JobState.RUNNING, "Completing"),
        ("RESIZING", JobState.RUNNING, "Resizing"),
        ("SIGNALING", JobState.RUNNING, "Signaling"),
        ("STAGE_OUT", JobState.RUNNING, "Stage_out"),
        ("STOPPED", JobState.RUNNING, "Stopped"),
        ("SUSPENDED", JobState.RUNNING, "Suspended"),
    ],
)
def test_states_of_living_jobs(word, state, reason):
    status = one(f"5|{word}|2026-01-02T03:04:05|2026-01-03T03:04:05||Priority")
    pending = state is JobState.PENDING
    assert status == JobStatus(
        JobId("5"),
        state,
        reason=reason,
        meaning="jobs with a higher priority are ahead" if word == "PENDING" else "",
        requeued=reason == "requeued",
        expected_start="2026-01-02T03:04:05" if pending else None,
        end_time=None if pending else "2026-01-03T03:04:05",
    )


def test_a_job_that_waits_for_its_begin_may_have_been_put_back():
    status = one("5|PENDING|N/A|N/A||BeginTime")
    assert (status.reason, status.requeued) == ("BeginTime", True)
    assert status.meaning == "its begin time is not reached"


def test_a_reason_may_hold_anything():
    assert one("5|PENDING|N/A|N/A||a|b, c").reason == "a|b, c"


def test_nodes_that_are_drained_are_said_in_the_same_words_however_slurm_says_it():
    said = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"
    waiting = [one(f"5|PENDING|N/A|N/A||{reason}") for reason in ("ReqNodeNotAvail, UnavailableNodes:n1", said)]
    assert {each.meaning for each in waiting} == {"a node that is needed is down or reserved"}
