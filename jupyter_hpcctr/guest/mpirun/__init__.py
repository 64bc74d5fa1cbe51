"""The half of ``%%mpirun`` that runs in the image: the magic of the kernel, and the ranks that execute cells."""
