"""How questions reach a scheduler: a transport for each kind, with one scheduler's environment and services."""

from __future__ import annotations

import string
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, replace

from ..core.job import Command, Output
from ..core.questions import Answer, Call, Endpoint, Question, Request, Response, Result, Service, Worker
from ..errors import CommandError, CommandTimeout, SchedulerAway, SchedulerUnreachable
from . import endpoints, process
from .loop import in_thread
from .workers import WorkerProcess


class Transports:
    """Asks a scheduler's questions. In any event loop; its workers are its own, and end with ``close``.

    Parameters
    ----------
    env : callable
        Returns the whole environment for commands and workers, which fills ``${NAME}`` of services as well.
    services : mapping
        Endpoints and workers by the names that requests and calls have for them.
    """

    def __init__(self, env: Callable[[], Mapping[str, str]], services: Mapping[str, Service]) -> None:
        self._env, self._services = env, services
        self._workers: dict[Worker, WorkerProcess] = {}

    async def ask(self, question: Question) -> Answer:
        """Ask one question and return what was answered.

        Raises
        ------
        SchedulerUnreachable
            There was no answer; a ``SchedulerAway`` where the question has certainly not been heard.
        """
        if isinstance(question, Command):
            return await self._command(question)
        began, outcome = time.monotonic(), "other"
        try:
            answer = await (self._request(question) if isinstance(question, Request) else self._call(question))
            outcome = "ok"
            return answer
        except SchedulerUnreachable:
            outcome = "failed"
            raise
        finally:
            process.SECONDS.add(time.monotonic() - began, question.service, outcome)

    def close(self) -> None:
        """End its workers. Blocking, for as long as they take to end, a second at most each."""
        for each in self._workers.values():
            each.close()

    async def _command(self, command: Command) -> Output:
        try:
            return await in_thread(process.run, command, env=self._env())
        except CommandTimeout as error:
            hint = "nothing was concluded from that; try again in a minute"
            raise SchedulerUnreachable(error.message, hint=hint) from error
        except CommandError as error:
            raise SchedulerAway(error.message, hint=error.hint) from error

    async def _request(self, request: Request) -> Response:
        found = self._services.get(request.service)
        if not isinstance(found, Endpoint):
            raise SchedulerAway(
                f"it is not known where the service {request.service!r} is",
                hint=f"set HpcctrSite.endpoints[{request.service!r}], with a 'url'",
            )
        given = {each.name: self._filled(getattr(found, each.name), request.service) for each in fields(found)}
        return await endpoints.ask(replace(found, **given), request)

    async def _call(self, call: Call) -> Result:
        found = self._services.get(call.service)
        if not isinstance(found, Worker):
            raise SchedulerAway(
                f"there is no worker {call.service!r}",
                hint="this is a fault of the scheduler's plug-in: its services have none of that name",
            )
        words = Worker(tuple(self._filled(word, call.service) for word in found.argv))
        worker = self._workers.setdefault(words, WorkerProcess(call.service, words.argv, self._env))
        return await in_thread(worker.call, call)

    def _filled(self, text: str, service: str) -> str:
        try:
            return string.Template(text).substitute(self._env()) if "$" in text else text
        except (KeyError, ValueError) as error:
            name = error.args[0] if isinstance(error, KeyError) else text
            raise SchedulerAway(
                f"the service {service!r} cannot be reached: the variable {name} is not set",
                hint=f"set it where the server starts, or HpcctrSite.endpoints[{service!r}]",
            ) from None
