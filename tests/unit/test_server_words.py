"""What the REST interface says: times, resources, bodies."""

import datetime
import json
import os
import time

import pytest

from jupyter_hpcctr.core import wording
from jupyter_hpcctr.core.request import parse, to_dict
from jupyter_hpcctr.errors import RequestError
from jupyter_hpcctr.offers import words
from jupyter_hpcctr.server import document


@pytest.fixture
def far_east(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.setdefault("TZ", "")
    del os.environ["TZ"]
    time.tzset()


def test_times_carry_their_offset(far_east):
    assert words.moment("2026-03-01T12:00:00") == "2026-03-01T12:00:00+09:00"
    assert words.moment(0.0) == "1970-01-01T09:00:00+09:00"
    assert datetime.datetime.fromisoformat(words.now()).utcoffset() == datetime.timedelta(hours=9)


@pytest.mark.parametrize("text", [None, "Unknown", "N/A", "", float("inf")])
def test_what_is_no_time_is_none(text):
    assert words.moment(text) is None


@pytest.mark.parametrize("request_", [{"time": "1:30:00", "mem": "4G"}, {"time": "2-03:04", "mem": "4000M"}, {}])
def test_a_request_in_the_words_of_the_form_is_the_same_request(request_):
    parsed = parse(request_)
    said = words.form_words(to_dict(parsed))
    assert parse(said) == parsed
    assert not {"mem_mb", "time_minutes"} & set(said)


def test_durations_and_memory_are_written_as_sbatch_reads_them():
    assert [wording.duration(m) for m in (5, 60, 1440, 3000)] == ["0:05:00", "1:00:00", "1-00:00:00", "2-02:00:00"]
    assert [wording.memory(m) for m in (1024, 1000)] == ["1G", "1000M"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"request": {}, "name": "x"}, "name"),
        ({}, "request"),
        ([], ""),
        ({"request": 1}, "request"),
        ({"request": {}, "saved": "yes"}, "saved"),
        ({"request": {"colour": "red"}}, "colour"),
        ({"request": {"nodes": 0}}, "nodes"),
        ({"request": {"env": {"A B": "1"}}}, "env"),
        ({"request": {}, "display_name": ""}, "display_name"),
    ],
)
def test_a_body_that_is_not_what_the_document_says_is_refused_with_its_field(body, field):
    with pytest.raises(RequestError) as refused:
        document.read(json.dumps(body).encode(), "RequestBody")
    assert refused.value.field == field


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b'{"request": {"nodes": NaN}}', b'{"request": {"python": "\\ud800"}}', b"[" * 60_000]
)
def test_what_is_no_json_is_refused(raw):
    with pytest.raises(RequestError, match="not JSON"):
        document.read(raw, "RequestBody")


def test_a_whole_number_may_be_written_with_a_point():
    assert document.read(b'{"request": {"nodes": 2.0}}', "RequestBody") == {"request": {"nodes": 2}}
    with pytest.raises(RequestError):
        document.read(b'{"request": {"nodes": 1e999}}', "RequestBody")


def test_a_number_without_end_is_refused():
    with pytest.raises(RequestError):
        document.asked({"nodes": "9" * 10_000})
