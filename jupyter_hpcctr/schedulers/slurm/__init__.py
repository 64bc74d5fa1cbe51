"""Slurm behind the ``Scheduler`` seam: ``commands`` builds the words, ``answers`` reads them."""

from .commands import Slurm

__all__ = ["Slurm"]
