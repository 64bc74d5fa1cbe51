"""The picker for kernels in containers, and the state of jobs and ranks, as widgets for any notebook.

They work in the kernel's own process, with the hub that its kernels would share: no server extension is needed. A click
asks before it starts or cancels anything; methods (``picker.start()``) are the user's own code and do not.
"""

from __future__ import annotations

from ..guest.mpirun.panel import RankPanel
from .form import ResourceForm
from .kernel import Kernel
from .picker import ImagePicker
from .status import JobStatus

__all__ = ["ImagePicker", "JobStatus", "Kernel", "RankPanel", "ResourceForm"]
