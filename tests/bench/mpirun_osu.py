"""OSU-style: latency, bandwidth and allreduce of two ranks, from buffers, without pickle. A JSON line for each size.

A program of its own, for an image's Python too: only mpi4py is needed. ``mpirun_osu.py [--smallest] [WHAT …]``.
"""

import json
import sys
import time

from mpi4py import MPI

WINDOW = 32
SMALL_S, LARGE_S = 0.15, 0.4
SIZES = {
    "latency": (8, 1024, 65536),
    "bandwidth": (65536, 1 << 20, 4 << 20, 8 << 20),
    "allreduce": (8, 65536, 8 << 20),
}


def main(wanted):
    comm, count = MPI.COMM_WORLD, None
    if wanted[:1] == ["--smallest"]:
        count, wanted = 1, wanted[1:]
    for what in wanted or SIZES:
        for size in SIZES[what][:count]:
            if comm.rank == 0:
                print(json.dumps({"begun": what, "bytes": size}), flush=True)
            value = WAYS[what](comm, size)
            if comm.rank == 0:
                print(json.dumps({"what": what, "bytes": size, "value": value}), flush=True)


def buffer(size):
    return memoryview(bytearray(b"\1" * size))


def repeated(comm, once, least_s):
    """Seconds for one: the best of five runs of as many as take a while, after one that warms."""
    once()
    comm.Barrier()
    began = time.perf_counter()
    for _ in range(3):
        once()
    took = comm.allreduce((time.perf_counter() - began) / 3, MPI.MAX)
    times = max(1, int(least_s / 5 / took))
    best = float("inf")
    for _ in range(5):
        comm.Barrier()
        began = time.perf_counter()
        for _ in range(times):
            once()
        best = min(best, (time.perf_counter() - began) / times)
    return best


def latency(comm, size):
    """Microseconds of a message one way."""
    there, here = buffer(size), buffer(size)

    def once():
        if comm.rank == 0:
            comm.Send([there, MPI.BYTE], 1)
            comm.Recv([here, MPI.BYTE], 1)
        else:
            comm.Recv([here, MPI.BYTE], 0)
            comm.Send([there, MPI.BYTE], 0)

    return repeated(comm, once, SMALL_S) / 2 * 1e6


def bandwidth(comm, size):
    """GB/s of a window of messages, until the other side says that all are there."""
    window = max(4, min(WINDOW, (64 << 20) // size))
    buffers = [buffer(size) for _ in range(window)]
    token = buffer(1)

    def once():
        if comm.rank == 0:
            MPI.Request.Waitall([comm.Isend([each, MPI.BYTE], 1) for each in buffers])
            comm.Recv([token, MPI.BYTE], 1)
        else:
            MPI.Request.Waitall([comm.Irecv([each, MPI.BYTE], 0) for each in buffers])
            comm.Send([token, MPI.BYTE], 0)

    return size * window / repeated(comm, once, LARGE_S) / 1e9


def allreduce(comm, size):
    """Microseconds of a sum of doubles over all ranks."""
    there, here = buffer(size), buffer(size)
    return repeated(comm, lambda: comm.Allreduce([there, MPI.DOUBLE], [here, MPI.DOUBLE], MPI.SUM), SMALL_S) * 1e6


WAYS = {"latency": latency, "bandwidth": bandwidth, "allreduce": allreduce}

if __name__ == "__main__":
    main(sys.argv[1:])
