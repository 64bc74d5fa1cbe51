"""CSCS's environment definition files (EDF): read into requests, and written from them.

The format is that of CSCS's Container Engine and of Sarus Suite (docs.cscs.ch, "EDF reference"). What it has no place
for, the job's resources above all, stands in the table ``[x-hpcctr]``.
"""

from __future__ import annotations

from .files import Finder, load
from .reading import Edf, read
from .writing import write

__all__ = ["Edf", "Finder", "load", "read", "write"]
