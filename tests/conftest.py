"""What every test gets: an environment of its own, and the fixtures of ``support``."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

pytest_plugins = (
    "support.slurm", "support.images", "support.kernels", "support.server", "support.rest", "support.front",
    "support.launches", "support.phases",
)  # fmt: skip

FAILED = Path(__file__).resolve().parents[1] / "build" / "failed.log"
SHOWN = 4000
"""How many characters of each captured stream are written there."""
_kept = []
KEEP = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
LONG_FIRST = ("ui", "integration", "contract", "cluster", "unit")
"""Directories of tests, those with the longest files first: the processes share the files, and are to end together."""
TOGETHER = "tests/ui/"
"""These tests stay in one process: each process with some of them starts a JupyterLab and a browser."""


def pytest_configure():
    """Let tests be interrupted, and interrupt themselves, also where a shell has begun them behind an ``&``.

    Event loops are kept to the end: jupyter_core makes some that it does not close, and whichever test runs when one of
    them is collected as garbage would fail for it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    plain = asyncio.set_event_loop

    def keep(loop):
        _kept.append(loop)
        plain(loop)

    asyncio.set_event_loop = keep


def pytest_collection_modifyitems(items):
    """Put the longest files first."""

    def place(item):
        path = Path(item.path)
        room = path.parent.name
        at = LONG_FIRST.index(room) if room in LONG_FIRST else len(LONG_FIRST)
        return at, path.name != "test_bench.py"

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share the files among the processes; a directory that stays together is like one file."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)

    return Scheduling(config, log)


def pytest_runtest_logreport(report):
    """Write a failure down at once: a whole run takes long, and shows what failed at its end alone."""
    if report.failed and FAILED.parent.is_dir() and "PYTEST_XDIST_WORKER" not in os.environ:
        with FAILED.open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid} ({report.when})\n{report.longreprtext}\n\n")
            for name, text in report.sections:
                file.write(f"{name}\n{text[-SHOWN:]}\n\n")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Nothing of the caller's environment reaches a test unless it asks for it."""
    for name in set(os.environ) - KEEP:
        if not name.startswith(("PYTEST_", "COV_", "HPCCTR_TEST_")):
            monkeypatch.delenv(name)
