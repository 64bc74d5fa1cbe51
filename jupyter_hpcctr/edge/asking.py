"""Carries a scheduler's steps out: asks what they yield, and sends them what was answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..core.questions import Answer, Asking, NoAnswer, Question
from ..errors import HpcctrError, SchedulerUnreachable

log = logging.getLogger(__name__)

T = TypeVar("T")
Ask = Callable[[Question], Awaitable[Answer]]
"""Asks one question. Raises ``SchedulerUnreachable`` where it has no answer."""


async def carry_out(asking: Asking[T], ask: Ask) -> T:
    """Carry out a step and return what it has read.

    Raises
    ------
    SchedulerUnreachable
        A question had no answer, or what was answered cannot be read: nothing is known.
    HpcctrError
        What else the step raises.
    """
    given: Any = None
    try:
        question = next(asking)
        while True:
            given = await _asked(question, ask)
            fault = isinstance(given, NoAnswer)
            question = asking.throw(given.error) if fault else asking.send(given)
    except StopIteration as stop:
        value: T = stop.value
        return value
    except HpcctrError:
        raise
    except Exception as error:
        if given is None:  # in making the first question: that is no answer's fault
            raise
        log.warning("what a scheduler answered cannot be read; nothing is concluded from it", exc_info=True)
        raise SchedulerUnreachable(
            f"what the scheduler answered cannot be read: {error!r}",
            hint="nothing was concluded from that; if it stays so, report it to whoever looks after the scheduler",
        ) from error
    finally:
        asking.close()


async def _asked(question: Question | tuple[Question, ...], ask: Ask) -> Any:
    if isinstance(question, tuple):
        return await asyncio.gather(*(_one(each, ask) for each in question))
    return await _one(question, ask)


async def _one(question: Question, ask: Ask) -> Answer | NoAnswer:
    try:
        return await ask(question)
    except SchedulerUnreachable as error:
        return NoAnswer(error)
