"""Runs in the job, on the host side: starts MPI ranks, and carries cells to them and their output back.

One hub a kernel, one relay a node. It knows no engine and no scheduler, the plan holds the words; and nothing
of notebooks, whose half is ``guest/mpirun``. ``docs/architecture.md`` has what they say to one another.
"""
