"""An MPI program, compiled for the tests: it says where each rank is, and what all of them agree on."""

import subprocess

PROGRAM = r"""
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    int rank, size, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("rank %d of %d sum %d on %s\n", rank, size, sum, getenv("SLURMD_NODENAME"));
    return MPI_Finalize();
}
"""
MPIS = [("mpicc.mpich", "pmi2"), ("mpicc.openmpi", "pmix")]
"""Pairs of a compiler and the PMI by which srun starts what it has compiled."""
PATIENT = {"OMPI_MCA_mpi_yield_when_idle": "1"}
"""For ranks that are more than the machine's CPUs: those of Open MPI that wait leave theirs to others."""


def compiled(compiler, directory):
    """Compile the program in a directory; return its path."""
    (directory / "ranks.c").write_text(PROGRAM)
    subprocess.run([compiler, "ranks.c", "-o", "ranks"], cwd=directory, check=True, timeout=120)
    return str(directory / "ranks")


def said(ranks):
    """What the ranks print, half of them on each of two nodes, in order of their ranks."""
    total = sum(range(ranks))
    return [f"rank {r} of {ranks} sum {total} on n{1 + r // (ranks // 2)}" for r in range(ranks)]
