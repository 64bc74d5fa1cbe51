"""The words of ``%mpirun help`` and ``%%mpirun?``."""

from __future__ import annotations

HELP = """Run a cell, or a program, on MPI ranks that stay.

    %%mpirun [options]         the cell's code runs on every rank; variables stay for later cells
    %%mpirun --exec [options]  the cell is a shell script, which is run once for each rank

    %mpirun start [options]    start the ranks, which the first cell does otherwise
    %mpirun stop               end them
    %mpirun restart [options]  end them and start new ones
    %mpirun status             show where they are, and what they do
    %mpirun panel              show that as widgets, with buttons to start, stop, restart and interrupt them
    %mpirun push NAME...       copy variables of the notebook to every rank
    %mpirun pull NAME          return the value of a variable of every rank, as a list by rank
    %mpirun run [options] PROGRAM ARGUMENTS...      run an MPI program on ranks of its own
    %mpirun help               show this

Options of cells; the sizes also of start, restart, push and run:

    -n, --ranks N         number of ranks; all that the allocation holds if not given
    --ranks-per-node N    number of ranks on each node
    --oversubscribe       more ranks than there are slots
    --fresh               end the ranks that run and start new ones first
    --pmi NAME            how the launcher and MPI find each other (pmix, pmi2), for experts

Options of cells:

    --rank LIST           only these ranks run the cell, as in 0,3-5 (also: push, pull)
    --timeout SECONDS     interrupt the ranks when they take longer (also: run)
    --collect VARIABLE    afterwards bind it in the notebook to a list of its values by rank
    --quiet               no output, except errors (also: run)
    --exec                the cell is a shell script

What ranks print appears while they run; what many print alike appears once, with their numbers. When a
rank fails the cell ends, its traceback is shown, and it is said where the others stood. Interrupting the
cell interrupts the ranks; doing so twice ends them. The notebook's own variables are never touched.

Examples:

    %%mpirun -n 4
    from mpi4py import MPI
    comm = MPI.COMM_WORLD
    print(f"{comm.rank} of {comm.size}")

    %%mpirun --rank 0 --timeout 60
    result = slow(u)

    %mpirun push u v
    parts = %mpirun pull u
    first = %mpirun pull u --rank 0
    %mpirun run -n 8 ./solver -ksp_type cg -n 100
"""
