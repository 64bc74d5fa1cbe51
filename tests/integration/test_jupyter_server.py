"""jupyter_server's own tests of kernels and sessions, with ours as its default kernel: local jobs, no image.

They are in its sdist alone, of which ``make setup`` fetches the installed version. Of the kinds of managers that some
of them run through, the server's default is tried: ``AsyncMappingKernelManager``, the second of each list. Left out is
``test_cull.py``: it waits 40 s by the clock, with 2 s for a kernel's start; ``test_front_status.py`` culls instead.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import jupyter_server
import pytest
from support.kernels import processes_with
from support.our_python3 import SITE
from support.slurm import short_directory
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "build" / f"jupyter_server-{jupyter_server.__version__}"
OTHERS = "not (jp_server_config0 or jp_server_config2 or jp_server_config3)"
# The first counts this process's descriptors, while kernels that have just been started open theirs. The second
# compares a kernel's status with what it was before, which changes when the kernel has come up.
RACES = (
    "kernels/test_connection.py::test_no_fd_leak_on_disconnect_with_orphaned_kernel_info_channel",
    "sessions/test_api.py::test_modify_kernel_id",
)
LEFT_OUT = [f"--deselect=tests/services/{test}" for test in RACES]
CHOSEN = ("tests/services/kernels", "tests/services/sessions", "--ignore-glob=*/test_cull.py", *LEFT_OUT, "-k", OTHERS)
AT_LEAST = 60
EXPECTED = {}
"""Those that cannot pass, by file, name and parameters, and why."""


def outcomes(report):
    """Read a report of pytest: the text of what failed by test, and how many passed."""
    failed, passed = {}, 0
    for case in ET.parse(report).iter("testcase"):
        test = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        bad = [each for each in case if each.tag in ("failure", "error")]
        if bad:
            failed[test] = bad[0].get("message")
        elif case.find("skipped") is None:
            passed += 1
    return failed, passed


@pytest.mark.timeout(900)  # for all of them
def test_jupyter_servers_own_tests_pass_with_our_kernels():
    assert TESTS.is_dir(), f"{TESTS} is missing: make setup fetches it"
    with short_directory() as site:
        for name in ("state", "tmp", "local"):
            (site / name).mkdir(mode=0o700)
        words = [sys.executable, "-m", "pytest", "-p", "support.our_python3", "-c", os.devnull, "--rootdir=."]
        words += [f"--basetemp={site}/t", f"--junitxml={site}/report.xml", "-q", "-o", "timeout=100", *CHOSEN]
        env = {"TMPDIR": str(site / "tmp"), "PYTHONPATH": str(ROOT / "tests"), SITE: str(site)}
        done = subprocess.run(words, cwd=TESTS, env={**os.environ, **env}, capture_output=True, text=True)
        assert done.returncode in (0, 1), f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        failed, passed = outcomes(site / "report.xml")
        print(done.stdout[-20_000:])
        assert {test: why for test, why in failed.items() if test not in EXPECTED} == {}
        assert [test for test in EXPECTED if test not in failed] == [], "these pass now: expect them no more"
        assert passed >= AT_LEAST
        wait_until(lambda: not processes_with(str(site)), "kernels are left behind")
