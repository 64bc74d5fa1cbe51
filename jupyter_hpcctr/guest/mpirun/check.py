"""What the ranks find out about their MPI before the first cell: who is where, and how fast messages are."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SIZE = 4 * 1024 * 1024  # bytes: beyond every eager limit, so that single-copy transfers are what is measured
MEASURE_S = 0.03
PATIENCE_S, WORK_S, PATIENCE_MOST_S = 3.0, 1.0, 15.0
"""A message is late after so many seconds if this process had a CPU for so many of them; or after the most of all."""
ROUNDS_MOST = 64

_own: list[Any] = []
"""First the communicator of checks, made once: in that of the user nothing is said. Then requests that are stuck."""


class Stuck(Exception):  # noqa: N818  (what happened, not an error of the program)
    """A message did not arrive in ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Patience:
    """How long a message may take. On a busy machine nothing is late that had no CPU to be on its way."""

    def __init__(self) -> None:
        self._began, self._worked = time.monotonic(), time.thread_time()

    def check(self) -> None:
        """Raise ``Stuck`` where a message is late."""
        waited = time.monotonic() - self._began
        if waited > PATIENCE_MOST_S or (waited > PATIENCE_S and time.thread_time() - self._worked > WORK_S):
            raise Stuck(waited)


def check(rank: int, ranks: int) -> dict[str, Any]:
    """Compare MPI's idea of the world with the launcher's, and measure; all ranks together.

    Parameters
    ----------
    rank, ranks
        What the launcher has given this process.

    Returns
    -------
    dict
        JSON: ``rank`` and ``size`` as MPI says, ``agrees`` (with the launcher), ``host``, ``node``, ``in_memory`` (how
        many ranks share memory with this one, as MPI says); on rank 0 of a whole world also ``in_node_gb_s`` and
        ``between_gb_s`` (GB/s, None where there is no such pair), ``in_node_with`` and ``between_with`` (the other
        rank), and ``stuck``, a sentence where a message did not arrive.
    """
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    found: dict[str, Any] = {
        "rank": world.Get_rank(),
        "size": world.Get_size(),
        "agrees": (world.Get_rank(), world.Get_size()) == (rank, ranks),
        "host": os.uname().nodename,
        "node": os.environ.get("HPCCTR_NODE") or os.uname().nodename,
    }
    if world.Get_size() != ranks:  # the others of this world, if any, wait in vain for those that are in none
        return found
    if not _own:
        _own.append(world.Dup())
    comm = _own[0]
    memory = comm.Split_type(MPI.COMM_TYPE_SHARED)
    found["in_memory"] = memory.Get_size()
    memory.Free()
    nodes = comm.allgather(found["node"])
    found.update(_speeds(MPI, comm, pairs(nodes)))
    return found


def pairs(nodes: Sequence[str]) -> dict[str, int | None]:
    """Return which rank stands for rank 0's neighbours in its node, and which for other nodes."""
    others = range(1, len(nodes))
    return {
        "in_node": next((rank for rank in others if nodes[rank] == nodes[0]), None),
        "between": next((rank for rank in others if nodes[rank] != nodes[0]), None),
    }


def _speeds(mpi: Any, comm: Any, partners: dict[str, int | None]) -> dict[str, Any]:
    me = comm.Get_rank()
    found: dict[str, Any] = {}
    for name, partner in partners.items():
        speed: float | None = None
        if partner is not None and me in (0, partner):
            try:
                speed = _bandwidth(mpi, comm, partner if me == 0 else 0)
            except Stuck as stuck:
                pair, seconds = f"ranks 0 and {partner}", stuck.seconds
                found["stuck"] = f"a message of {SIZE >> 20} MiB between {pair} did not arrive in {seconds:.0f} s"
        if me == 0:
            found[f"{name}_gb_s"], found[f"{name}_with"] = speed, partner
        if "stuck" in found:
            break
    return found


def _bandwidth(mpi: Any, comm: Any, other: int) -> float:
    """Exchange messages with another rank in turns; return GB/s in one direction.

    Raises
    ------
    Stuck
        A message is late.
    """
    first = comm.Get_rank() == 0
    there = memoryview(bytearray(b"\1" * SIZE))
    here = memoryview(bytearray(b"\2" * SIZE))
    patience = Patience()

    def turn(size: int, tag: int) -> float:
        begin = time.perf_counter()
        for sends in (first, not first):
            if sends:
                _wait(comm.Isend([there[:size], mpi.BYTE], other, tag), patience)
            else:
                _wait(comm.Irecv([here[:size], mpi.BYTE], other, tag), patience)
        return time.perf_counter() - begin

    turn(SIZE, 1)  # connections, pinned memory and page faults are made here
    rounds = max(1, min(ROUNDS_MOST, int(MEASURE_S / max(turn(SIZE, 2), 1e-6))))
    there[:1] = bytes([rounds])  # the first's is what counts
    turn(1, 3)
    rounds = rounds if first else here[0]
    took = min(turn(SIZE, 4) for _ in range(rounds))
    return 2 * SIZE / took / 1e9


def _wait(request: Any, patience: Patience) -> None:
    while not request.Test():
        try:
            patience.check()
        except Stuck:
            _own.append(request)  # with its buffer, into which the message may still come
            raise
