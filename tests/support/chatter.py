"""A journal, and a kernel's messages to write into it."""

import itertools
import json

from jupyter_hpcctr.edge.journal import Journal
from jupyter_hpcctr.guest import wire

KEY = b"k"
_numbers = itertools.count()


def ask(journal, cell, msg_id, kind="execute_request"):
    """A client's request; ``cell`` is None where it comes from something that names none."""
    header = {"msg_id": msg_id, "msg_type": kind, "session": "page", "username": "", "date": "", "version": "5.4"}
    metadata = {} if cell is None else {"cellId": cell, "trusted": True}
    parts = [json.dumps(part).encode() for part in (header, {}, metadata, {"code": "secret = 1"})]
    journal.asked([b"route", wire.DELIMITER, wire.sign(KEY, parts), *parts])


def message(msg_id, kind, parent_kind="execute_request", **content):
    """The frames of a kernel's message."""
    parent = {"msg_id": msg_id, "msg_type": parent_kind, "session": "page"}
    return wire.pack(KEY, kind, content, session=f"s{next(_numbers)}", parent=parent, idents=[b"topic"])


def say(journal, msg_id, kind, channel="iopub", parent_kind="execute_request", **content):
    """A kernel's message; return its id."""
    frames = message(msg_id, kind, parent_kind, **content)
    journal.said(channel, frames)
    return wire.unpack(KEY, frames).header["msg_id"]


def begin(journal, cell, msg_id):
    ask(journal, cell, msg_id)
    say(journal, msg_id, "status", execution_state="busy")


def out(journal, msg_id, text, name="stdout"):
    return say(journal, msg_id, "stream", name=name, text=text)


def end(journal, msg_id, count=1, status="ok"):
    say(journal, msg_id, "execute_reply", "shell", status=status, execution_count=count)
    say(journal, msg_id, "status", execution_state="idle")


def again(journal):
    """The same journal in another process."""
    return Journal(journal._directory, journal._most * 2)
