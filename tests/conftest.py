"""What every test gets: an environment of its own, and the fixtures of ``support``."""

import os

import pytest

pytest_plugins = (
    "support.slurm", "support.images", "support.kernels", "support.server", "support.rest", "support.front",
    "support.launches",
)  # fmt: skip

KEEP = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Nothing of the caller's environment reaches a test unless it asks for it."""
    for name in set(os.environ) - KEEP:
        if not name.startswith(("PYTEST_", "COV_", "HPCCTR_TEST_")):
            monkeypatch.delenv(name)
