"""What a launch's life wants clients to see: its effects on the front, in words. In the edge loop."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from ..core.life import effects as do
from ..core.life.words import Words
from ..edge import answers
from ..edge.front import Front
from ..edge.loop import in_thread

LogTail = Callable[[int], Awaitable[str]]


class Face:
    """Carries out effects on a front. ``text`` makes sentences; ``log_tail`` returns a job's last lines."""

    def __init__(self, front: Front, directory: Path, text: Callable[[Words], str], log_tail: LogTail) -> None:
        self._front, self._directory = front, directory
        self._text, self._log_tail = text, log_tail

    def carry_out(self, effect: do.OnFront) -> Awaitable[None] | None:
        """Carry out an effect; return what is to be waited for."""
        front = self._front
        match effect:
            case do.FrontOpen():
                front.open()
            case do.FrontHold():
                front.hold()
            case do.FrontWait():
                front.wait(effect.name, self._text(effect.why))
            case do.FrontReady():
                front.ready()
            case do.FrontFail():
                front.died(answers.failure(effect.name, self._text(effect.why)))
            case do.FrontAbort():
                front.abort(self._text(effect.why))
            case do.FrontEnd() if effect.log:
                return self._end(effect)
            case do.FrontEnd():
                front.end(effect.name, self._text(effect.why))
            case _:
                return self._close()
        return None

    async def _end(self, effect: do.FrontEnd) -> None:
        tail = await self._log_tail(effect.log)
        self._front.end(effect.name, self._text(effect.why), log_tail=tail)

    async def _close(self) -> None:
        await self._front.close()
        await in_thread(shutil.rmtree, self._directory, ignore_errors=True)
