"""Contracts for the authors of plug-ins: what an engine, a scheduler or an image store must keep, tried for real.

Each seam has a class of pytest tests, and you subclass it in a test module of your own::

    from jupyter_hpcctr.testing import ImageEngineContract, directory_image

    class TestMine(ImageEngineContract):
        engine = Mine()
        program = "mine-run"

        @pytest.fixture
        def image(self):
            return directory_image("/images/python")

The classes are ``EngineContract``, ``ImageEngineContract``, ``SchedulerContract`` and ``StoreContract``; each says
which attributes and fixtures it wants. None of them knows of a certain cluster or image. They reach a plug-in
through one small class each (``Node``, ``Jobs``), which does what a launch does with it.

This package alone needs pytest: ``pip install 'jupyter_hpcctr[testing]'``.
"""

from __future__ import annotations

import pytest

# Before they are imported, so that a failed assertion shows its values.
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in ("engine", "image_engine", "scheduler", "store")))

from .bench import Bench, directory_image  # noqa: E402
from .engine import EngineContract  # noqa: E402
from .image_engine import ImageEngineContract  # noqa: E402
from .jobs import Jobs, jobs_of  # noqa: E402
from .node import Node, leftovers  # noqa: E402
from .scheduler import SchedulerContract  # noqa: E402
from .seen import broken_promises, look  # noqa: E402
from .store import StoreContract  # noqa: E402

__all__ = [
    "Bench",
    "EngineContract",
    "ImageEngineContract",
    "Jobs",
    "Node",
    "SchedulerContract",
    "StoreContract",
    "broken_promises",
    "directory_image",
    "jobs_of",
    "leftovers",
    "look",
]
