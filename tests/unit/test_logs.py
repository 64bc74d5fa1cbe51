"""Lines of the log with what they are about."""

import io
import json
import logging

import pytest

from jupyter_hpcctr.edge import logs

PACKAGE = logging.getLogger(logs.ROOT)
LOG = logging.getLogger("jupyter_hpcctr.launch.anything")


@pytest.fixture
def server():
    """A server's log: (logger, what it has written)."""
    stream, log = io.StringIO(), logging.Logger("ServerApp", logging.INFO)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("[%(levelname)1.1s %(name)s] %(message)s"))
    log.addHandler(handler)
    before = PACKAGE.level, PACKAGE.propagate, list(PACKAGE.handlers)
    yield log, lambda: stream.getvalue().splitlines()
    PACKAGE.level, PACKAGE.propagate, PACKAGE.handlers = before
    PACKAGE.setLevel(before[0])  # forgets what it has remembered of levels


def test_a_line_ends_with_what_it_is_about(server):
    logs.attach(server[0], style="text")
    LOG.info("%s\nof two lines", "a sentence", extra=logs.about(kernel="k-1", job=None, stage="", nodes="n[1-2],n7"))
    LOG.warning("nothing more")
    assert server[1]() == [
        "[I jupyter_hpcctr.launch.anything] a sentence of two lines kernel=k-1 nodes=n[1-2],n7",
        "[W jupyter_hpcctr.launch.anything] nothing more",
    ]


@pytest.mark.parametrize(("value", "word"), [("two words", '"two words"'), ('a"b=c', '"a\\"b=c"'), ("a\nb", '"a\\nb"')])
def test_a_value_cannot_look_like_another_field(server, value, word):
    logs.attach(server[0], style="text")
    LOG.info("it", extra=logs.about(reason=value))
    assert server[1]() == [f"[I jupyter_hpcctr.launch.anything] it reason={word}"]


def test_json_is_one_object_a_line(server):
    logs.attach(server[0], style="json")
    LOG.info("%s\nof two lines", "a sentence", extra=logs.about(kernel="k-1", job="7"))
    try:
        raise ValueError("why")
    except ValueError:
        LOG.exception("it failed")
    first, second = map(json.loads, server[1]())
    assert first.pop("time")[10] == "T"
    assert first == {
        "level": "INFO",
        "logger": "jupyter_hpcctr.launch.anything",
        "message": "a sentence\nof two lines",
        "kernel": "k-1",
        "job": "7",
    }
    assert second["exception"].endswith("ValueError: why")


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_second_server_of_a_process_does_not_write_twice(server, style):
    for _ in range(2):
        logs.attach(server[0], style=style)
    LOG.info("once")
    LOG.debug("less than the server's level")
    assert len(server[1]()) == 1


def test_handlers_of_the_administrators_stay_the_only_ones(server):
    theirs = io.StringIO()
    PACKAGE.addHandler(logging.StreamHandler(theirs))
    logs.attach(server[0], style="text")
    LOG.warning("for them")
    assert (server[1](), theirs.getvalue()) == ([], "for them\n")
