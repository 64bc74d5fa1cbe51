"""What a scheduler asks, and what it is answered: commands, HTTP requests and calls to a worker, as values.

Nothing is carried out here. A step of a scheduler is an ``Asking``: a generator that yields a question, is sent its
answer and returns what it has read. ``edge.asking`` carries such steps out; ``opening`` and ``replayed`` need nobody.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import SchedulerUnreachable
from .job import Command, Output

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an HTTP service is, and which files say who asks; the edge alone reads them, at each request.

    ``url`` begins with ``https://`` or ``http://``. ``ca_file`` has the certificates to trust in place of the system's;
    ``token_file`` a bearer token; ``cert_file`` and ``key_file`` a client's certificate. Each may have ``${NAME}`` in
    it, for a variable that the scheduler's ``keep_env`` names.
    """

    url: str
    ca_file: str = ""
    token_file: str = ""
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class Worker:
    """The words of a program that answers calls: one JSON-RPC 2.0 message a line, on standard input and output.

    It is started with the environment of the scheduler's commands when it is first called, answers calls one after
    the other, and ends when its standard input does. Words may have ``${NAME}`` in them, as those of ``Endpoint``.
    """

    argv: tuple[str, ...]


Service = Endpoint | Worker


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to the ``Endpoint`` that ``service`` names. It holds no secret.

    ``path`` is joined to the endpoint's URL, and quoted already. A ``body`` is JSON unless the headers say otherwise.
    ``files`` are pairs of a placeholder in the body and the path of a private file: the edge puts the file's content
    in its place, in base64, when it sends the request. ``outline`` is what people are shown in place of the body.
    """

    service: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    files: tuple[tuple[str, str], ...] = ()
    outline: str = ""
    timeout_s: float = 30.0

    @property
    def shown(self) -> str:
        """The request in one line, for people."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.method} {self.service}:{self.path}{'?' if query else ''}{query}"

    @property
    def carried(self) -> str:
        """What goes with it, for people."""
        return self.outline or self.body


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method of the ``Worker`` that ``service`` names; ``params`` are what JSON has."""

    service: str
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    outline: str = ""
    timeout_s: float = 30.0

    @property
    def shown(self) -> str:
        """The call in one line, for people."""
        return f"{self.service}.{self.method}"

    @property
    def carried(self) -> str:
        """What goes with it, for people."""
        return self.outline or json.dumps(dict(self.params), indent=2, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What an HTTP service answered; names of headers are in small letters.

    A status of 401, 429, or 500 and above is no answer and never comes here.
    """

    status: int
    headers: Mapping[str, str]
    body: str

    def json(self) -> Any:
        """Return the body's value; raises ``ValueError`` where it is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Result:
    """What a worker answered: a value, or with ``error`` why there is none; ``code`` is the error's number."""

    value: Any = None
    error: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """In the place of an answer, where several questions were asked side by side."""

    error: SchedulerUnreachable


Question = Command | Request | Call
Answer = Output | Response | Result

Asking = Generator[Question | tuple[Question, ...], Any, T]
"""A step: ``output = yield Command(...)`` is an answer of the question's kind.

Where there is no answer, ``SchedulerUnreachable`` is raised at the ``yield``; it is a ``SchedulerAway`` where the
question has certainly not been heard. ``one, two = yield question, other`` asks side by side; each one that has no
answer is a ``NoAnswer`` then.
"""


def opening(asking: Asking[Any]) -> Question:
    """Return the first question of a step, which is not carried out; of several side by side the first.

    Raises
    ------
    RequestError
        There is something that the scheduler cannot write down.
    """
    try:
        first = next(asking)
    finally:
        asking.close()
    return first[0] if isinstance(first, tuple) else first


def replayed(asking: Asking[T], *answers: Any) -> T:
    """Return what a step makes of these answers, which were recorded or made up.

    One that is an exception is raised where it was asked for. Raises ``AssertionError`` where they are too many or
    too few.
    """
    left = list(answers)
    try:
        next(asking)
        while left:
            given = left.pop(0)
            asking.throw(given) if isinstance(given, BaseException) else asking.send(given)
    except StopIteration as stop:
        if left:
            raise AssertionError(f"{len(left)} answers are left") from None
        value: T = stop.value
        return value
    finally:
        asking.close()
    raise AssertionError("one more answer is wanted")
