"""Folds what many ranks print into lines that appear once: ``ranks 0–62 │ text``.

Pure: no clock, no files; the caller says what time it is. What has been given out is never changed, so
that it can be written to a notebook as ordinary text.

Each rank has a queue of lines. A line that stands first in the queues of all ranks that still run is given
out at once. Any other is held for a while, in case that other ranks are only slower, and then given out
with the ranks that have it by then. The order of one rank's lines is always kept.
"""

from __future__ import annotations

from collections import deque

from .labels import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Piece = tuple[str, str]
    """``("stdout" or "stderr", text)``, or ``("display", name)``; a name comes again with other ranks."""

HOLD_S = 0.25
PARTIAL_S = 1.0
PARTIAL_MOST_S = 16.0
BOUND = 4_000_000
DEPTH = 8
STREAMS = {"1": "stdout", "2": "stderr", "b": "stdout"}
DISPLAY = "d"
BLOCK = "b"


class Partial:
    """A line of which the end has not come yet."""

    __slots__ = ("broken", "since", "text", "wait")

    def __init__(self, wait: float) -> None:
        self.text = ""
        self.since = 0.0
        self.wait = wait
        self.broken = False


class Fold:
    """The text of one cell, from ``ranks`` of a world of ``world`` ranks.

    ``hold_s``: for how long a line waits for other ranks; ``partial_s``: for how long one waits for its end.
    ``bound``: after so many characters nothing more is given out, only counted in ``left_out``.
    """

    def __init__(
        self,
        ranks: Iterable[int],
        world: int,
        hold_s: float = HOLD_S,
        partial_s: float = PARTIAL_S,
        bound: int = BOUND,
    ) -> None:
        self.left_out = 0
        self._live = set(ranks)
        self._world = world
        self._hold_s = hold_s
        self._partial_s = partial_s
        self._bound = bound
        self._queues: dict[int, deque[tuple[str, float]]] = {rank: deque() for rank in sorted(self._live)}
        self._where: dict[str, dict[int, int]] = {}  # line → rank → how often it waits there
        self._heads: dict[str, set[int]] = {}  # line → ranks that have it first
        self._partials: dict[tuple[int, str], Partial] = {}
        self._pieces: list[tuple[str, list[str]]] = []
        self._margins: dict[frozenset[int] | int, str] = {}
        self._width = len(label(range(world)))

    # What comes in

    def add(self, ranks: Sequence[int], stream: str, text: str, now: float) -> None:
        """Take ``text`` that each of ``ranks`` wrote to ``stream``; it may end within a line."""
        if self._world == 1:  # nothing to be told apart: front ends know carriage returns themselves
            self._write(stream, text, len(text))
            return
        if not any((rank, stream) in self._partials for rank in ranks):
            self._add(ranks, stream, text, now)
            return
        for rank in ranks:
            self._add((rank,), stream, text, now)

    def block(self, rank: int, text: str, now: float) -> None:
        """Take ``text``, of one or more lines that stay together, to be shown as standard output."""
        if self._world == 1:
            self._write("stdout", text + "\n", len(text))
        else:
            self._enqueue(rank, [BLOCK + text], now)

    def display(self, rank: int, name: str, now: float) -> None:
        """Take a place in ``rank``'s output; displays of the same name are one."""
        if self._world == 1:
            self._pieces.append(("display", [name]))
        else:
            self._enqueue(rank, [DISPLAY + name], now)

    def finished(self, ranks: Iterable[int]) -> None:
        """Do not wait for ``ranks`` any more."""
        self._live.difference_update(ranks)

    def drop(self, rank: int) -> None:
        """Forget the text of ``rank`` that has not been given out."""
        while self._queues.get(rank):
            self._pop(rank)
        for stream in ("stdout", "stderr"):
            self._partials.pop((rank, stream), None)

    # What goes out

    def pump(self, now: float) -> None:
        """Give out what all have and what has waited long enough."""
        self._end_partials(now)
        self._agreed()
        times = [queue[0][1] for queue in self._queues.values() if queue]
        if times and now - min(times) >= self._hold_s:
            # Lines a little younger go along: what was printed together stays together.
            self._release(now - self._hold_s / 2)
            self._agreed()

    def flush(self) -> None:
        """Give out everything, also lines without an end."""
        self._end_partials(None)
        self._release(None)

    def take(self) -> list[Piece]:
        """Return what has been given out since the last call, in order."""
        pieces, self._pieces = self._pieces, []
        return [(kind, "".join(texts)) for kind, texts in pieces]

    def due(self) -> float | None:
        """Return the time at which ``pump`` has something to do, or None."""
        times = [queue[0][1] + self._hold_s for queue in self._queues.values() if queue]
        times += [partial.since + partial.wait for partial in self._partials.values() if partial.text]
        return min(times, default=None)

    # Within

    def _add(self, ranks: Sequence[int], stream: str, text: str, now: float) -> None:
        """Cut into lines; ``ranks`` have the same beginning of a line, or none, in ``stream``."""
        partial = self._partials.get((ranks[0], stream))
        if partial is not None:
            ended = partial.broken and text.startswith("\n")  # its line was ended for it already
            partial.broken = False
            text = partial.text + text[ended:]
        lines, rest = cut(text)
        if lines:
            kind = "1" if stream == "stdout" else "2"
            keys = [kind + line for line in lines]
            if not self._where and self._live.issubset(ranks):
                members = set(ranks)
                for key in keys:
                    self._give(members, key)
            else:
                for rank in ranks:
                    self._enqueue(rank, keys, now)
        for rank in ranks:
            self._keep_partial(rank, stream, rest, now, bool(lines))

    def _keep_partial(self, rank: int, stream: str, rest: str, now: float, anew: bool) -> None:
        partial = self._partials.get((rank, stream))
        if not rest and (partial is None or anew):
            self._partials.pop((rank, stream), None)
            return
        if partial is None:
            partial = self._partials[rank, stream] = Partial(self._partial_s)
        if anew or not partial.text:
            partial.since = now
        partial.text = rest

    def _end_partials(self, now: float | None) -> None:
        """Make lines of beginnings that have waited for their end for long enough, or (None) of all."""
        for (rank, stream), partial in sorted(self._partials.items(), key=lambda item: item[1].since):
            if not partial.text or (now is not None and now - partial.since < partial.wait):
                continue
            line = last_state(partial.text)
            if line.strip():
                self._enqueue(rank, [("1" if stream == "stdout" else "2") + line], partial.since)
            if "\r" in partial.text:  # a progress bar: ever more seldom, as each state stays on the page
                partial.wait = min(partial.wait * 2, PARTIAL_MOST_S)
            partial.text = ""
            partial.broken = True

    def _enqueue(self, rank: int, keys: list[str], now: float) -> None:
        queue = self._queues.get(rank)
        if queue is None:
            queue = self._queues[rank] = deque()
        if not queue:
            self._heads.setdefault(keys[0], set()).add(rank)
        where = self._where
        for key in keys:
            queue.append((key, now))
            ranks = where.get(key)
            if ranks is None:
                where[key] = {rank: 1}
            else:
                ranks[rank] = ranks.get(rank, 0) + 1

    def _pop(self, rank: int) -> None:
        queue = self._queues[rank]
        key = queue.popleft()[0]
        ranks = self._where[key]
        if ranks[rank] > 1:
            ranks[rank] -= 1
        elif len(ranks) > 1:
            del ranks[rank]
        else:
            del self._where[key]
        heads = self._heads[key]
        heads.discard(rank)
        if not heads:
            del self._heads[key]
        if queue:
            self._heads.setdefault(queue[0][0], set()).add(rank)

    def _agreed(self) -> None:
        """Give out the lines that all ranks that run have first."""
        while self._live:
            queue = self._queues[next(iter(self._live))]
            if not queue or not self._live <= self._heads[queue[0][0]]:
                return
            self._give_first(queue[0][0])

    def _release(self, cutoff: float | None) -> None:
        """Give out all that is older than ``cutoff`` (None: all), rank by rank so that texts stay whole."""
        for rank in sorted(self._queues):
            queue = self._queues[rank]
            while queue and (cutoff is None or queue[0][1] <= cutoff):
                self._advance(rank, ())

    def _advance(self, rank: int, busy: tuple[int, ...]) -> None:
        """Give out the first line of ``rank``, after what stands before the same line in other queues."""
        first = self._queues[rank][0]
        key = first[0]
        if len(self._where[key]) > len(self._heads[key]) and len(busy) < DEPTH and key[1:].strip():
            for other in sorted(self._where[key]):
                queue = self._queues[other]
                while other not in busy and queue and queue[0][0] != key and other in self._where.get(key, ()):
                    self._advance(other, (*busy, rank))
        queue = self._queues[rank]
        if queue and queue[0] is first:
            self._give_first(key)

    def _give_first(self, key: str) -> None:
        ranks = set(self._heads[key])
        for rank in ranks:
            self._pop(rank)
        self._give(ranks, key)

    def _give(self, ranks: set[int], key: str) -> None:
        kind, text = key[0], key[1:]
        if kind == DISPLAY:
            self._pieces.append(("display", [text]))
            return
        margin = self._margin(ranks)
        if kind == BLOCK:
            text = text.replace("\n", "\n" + " " * (len(margin) - 2) + "│ ")
        self._write(STREAMS[kind], f"{margin}{text}\n", len(text))

    def _write(self, stream: str, text: str, size: int) -> None:
        if self._bound < size:
            self._bound = 0  # and no shorter line comes after one that was left out
            self.left_out += size
            return
        self._bound -= size
        if self._pieces and self._pieces[-1][0] == stream:
            self._pieces[-1][1].append(text)
        else:
            self._pieces.append((stream, [text]))

    def _margin(self, ranks: set[int]) -> str:
        name = next(iter(ranks)) if len(ranks) == 1 else frozenset(ranks)
        margin = self._margins.get(name)
        if margin is None:
            margin = self._margins[name] = f"{label(ranks):<{self._width}} │ "
        return margin


def cut(text: str) -> tuple[list[str], str]:
    """Return the whole lines of ``text`` without what was overwritten in them, and the rest."""
    lines = text.split("\n")
    rest = lines.pop()
    if "\r" in text:
        lines = [last_state(line) for line in lines]
        if "\r" in rest:  # marked as a line that is written over, and not to be continued where it ends
            rest = "\r" + last_state(rest) + ("\r" if rest.endswith("\r") else "")
    return lines, rest


def last_state(line: str) -> str:
    """Return what is seen of a line in which carriage returns begin it anew."""
    return line.rstrip("\r").rsplit("\r", 1)[-1]
