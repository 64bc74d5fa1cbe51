"""Slurm behind the ``Scheduler`` seam: ``commands`` asks, ``answers`` reads."""

from .commands import Slurm

__all__ = ["Slurm"]
