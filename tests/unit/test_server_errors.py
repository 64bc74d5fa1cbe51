"""Which status an error has, and what an answer says of it."""

import errno

import pytest
from tornado.web import HTTPError

from jupyter_hpcctr import errors as raised
from jupyter_hpcctr.launch.gather import said
from jupyter_hpcctr.server import errors

WORDS = ("No.", "Ask less.")


def kinds(kind=raised.HpcctrError):
    """Every class of the package's errors."""
    for each in kind.__subclasses__():
        if each.__module__ in (raised.__name__, errors.__name__):
            yield each
            yield from kinds(each)


KINDS = sorted(kinds(), key=lambda kind: kind.__name__)
STATUSES = {
    "RequestError": 400,
    "PolicyError": 403,
    "UnsafePath": 403,
    "ImageMissing": 404,
    "SubmitRefused": 409,
    "RecordError": 409,
    "KernelOwned": 409,
    "RecordUnreadable": 500,
    "ImageError": 422,
    "PullCancelled": 422,
    "EngineError": 422,
    "LaunchError": 500,
    "ConfigurationError": 500,
    "ClusterError": 500,
    "SchedulerError": 502,
    "CommandError": 502,
    "SchedulerUnreachable": 503,
    "SchedulerAway": 503,
    "CommandMissing": 503,
    "CommandTimeout": 504,
    "DiskFull": 507,
    "NotHere": 404,
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind):
    assert errors.status(kind("No.")) == STATUSES[kind.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_may_succeed_later_is_no_fault_of_the_request(kind):
    error = kind("No.")
    error.transient = True
    assert errors.status(error) >= 503


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_is_the_same_when_it_has_been_written_down(kind):
    error = kind(WORDS[0], hint=WORDS[1])
    error.field, error.transient = "time", not kind.transient
    again = raised.read(raised.described(error))
    assert (type(again), str(again)) == (kind, str(error))
    assert raised.described(again) == raised.described(error)


def test_an_error_of_an_unknown_class_is_one_of_its_stage():
    again = raised.read({"kind": "Nonesuch", "stage": "scheduler", "message": "No."})
    assert isinstance(again, raised.SchedulerError)
    assert raised.read({"stage": "nonesuch", "message": "No."}).message == "No."


def test_the_error_is_found_in_whatever_jupyter_wraps_it():
    error = raised.PolicyError(*WORDS[:1])
    outer = HTTPError(500, "Exception restarting kernel")
    outer.__cause__ = RuntimeError()
    outer.__cause__.__cause__ = error
    assert errors.caused(outer) is error
    assert errors.caused(HTTPError(500)) is None
    assert errors.caused(None) is None
    endless = RuntimeError()
    endless.__cause__ = endless
    assert errors.caused(endless) is None


def test_jupyterlab_is_told_the_hint_in_the_message():
    told = errors.jupyters(raised.SubmitRefused(WORDS[0], hint=WORDS[1], field="partition"))
    assert (told["message"], told["short_message"], told["traceback"]) == ("No. (Ask less.)", "No.", "")
    assert (told["hint"], told["stage"], told["field"]) == ("Ask less.", "scheduler", "partition")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), raised.DiskFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), raised.DiskFull),
        (PermissionError(errno.EACCES, "Permission denied"), raised.LaunchError),
        (KeyError("nobody has foreseen this"), raised.LaunchError),
        (raised.PolicyError("No."), raised.PolicyError),
    ],
)
def test_whatever_a_launch_raises_can_be_shown(fault, kind):
    with pytest.raises(raised.HpcctrError) as caught, said():
        raise fault
    assert type(caught.value) is kind
    assert str(fault) in str(caught.value)
