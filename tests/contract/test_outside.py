"""An engine, a scheduler and an image store from a package outside this one, written as the documentation says."""

import re
import sys

import pytest
from support.outside import blocks, outside
from support.small_images import make, plain

from jupyter_hpcctr import plugins
from jupyter_hpcctr.testing.image_engine import programs_but
from jupyter_hpcctr.testing.waiting import is_running, until

__all__ = ["make", "outside"]  # fixtures

pytestmark = pytest.mark.timeout(600)


def passed(line):
    assert (found := re.fullmatch(r"(\d+) passed in .*", line)), line
    return int(found[1])


def test_the_pages_say_which_files_to_write():
    assert set(blocks()) == {
        "pyproject.toml", "jupyter_hpcctr_config.py", "my_package/engine.py", "my_package/scheduler.py",
        "my_package/store.py", "test_engine.py", "test_more.py", "test_scheduler.py", "test_store.py",
    }  # fmt: skip


def test_its_engine_keeps_the_contract(outside, image_directory):
    assert passed(outside.test("test_engine.py", "test_more.py", MY_IMAGE=image_directory.path)) > 80


def test_its_scheduler_keeps_the_contract(outside):
    assert passed(outside.test("test_scheduler.py")) > 30


def test_its_store_keeps_the_contract(outside, make, tmp_path):
    make(plain)
    assert passed(outside.test("test_store.py", MY_REFERENCE=f"oci:{tmp_path}/image0/oci:x")) > 10


@pytest.fixture
def its_site(outside, site, monkeypatch):
    """A site that has chosen all three."""
    monkeypatch.syspath_prepend(str(outside.installed))
    (site.config / "jupyter_hpcctr_config.py").write_text(outside.configuration)
    site.configure(store=str(outside.tests.parent / "images"))
    yield site
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def test_a_kernel_runs_with_all_three(its_site, start, built_images):
    assert {"mine"} <= set(plugins.names(plugins.ENGINES)) & set(plugins.names(plugins.SCHEDULERS))
    assert "mine" in plugins.names(plugins.IMAGE_STORES)
    reference = f"oci:{built_images['python']}:1"
    kernel = start(engine="mine", scheduler="mine", image=reference, mem="1G")
    assert kernel.value("__import__('os').path.isfile('/hpcctr/guest/boot.py')") is True
    plan = kernel.launch.plan
    assert (plan.engine, plan.scheduler, plan.image.reference) == ("mine", "mine", reference)
    environ = kernel.value("dict(__import__('os').environ)")
    assert "CH_RUNNING" in environ and "HPCCTR_LOCAL_JOBS" not in environ

    asked = kernel.begun("import time; time.sleep(600)")
    kernel.manager.interrupt_kernel()
    assert kernel.ended(asked)["ename"] == "KeyboardInterrupt"

    old = kernel.value("__import__('os').getpid()")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("__import__('os').getpid()") != old
    until(lambda: not is_running(old), f"the old kernel {old} is left")


@pytest.mark.parametrize("engine", ["mine", "charliecloud"])
def test_a_node_without_the_engines_program_is_told_in_one_sentence(
    its_site, start, built_images, engine, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(programs_but("ch-run", tmp_path / "programs")))
    kernel = start(engine=engine, scheduler="mine", image=f"oci:{built_images['python']}:1")
    content, _ = kernel.run("1")
    assert content["status"] == "error"
    assert "ch-run" in content["evalue"] and "cannot be started on this node" in content["evalue"]
    assert "Traceback" not in content["evalue"] and len(content["evalue"].splitlines()) == 1
