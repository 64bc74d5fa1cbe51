"""A real Slurm in one directory, as an ordinary user, and jobs without any scheduler."""
