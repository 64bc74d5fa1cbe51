"""A Jupyter server that is killed in the midst of a phase of a launch: no job is without an owner, none has two.

``test_container`` has the phases of images, ``test_outlive`` a job that waits and a kernel that runs.
"""

import pytest
from support.waiting import wait_until

BARE = {"engine": "bare", "scheduler": "slurm"}


@pytest.mark.parametrize("heard", ["before the next server comes", "while the next server looks for it"])
def test_a_submission_that_outlives_its_server_has_an_owner(scene, heard):
    scene.begin(path=scene.gate.before("sbatch"), **BARE)
    scene.gate.await_arrival()
    scene.crash()
    if heard.startswith("before"):
        scene.gate.open()
        wait_until(scene.site.queue, "the job of a server that is gone")
        scene.begin_again()
    else:
        scene.begin_again()
        scene.gate.open()
    scene.goes_on(session=False)  # the page was never told of the kernel


def test_a_kernel_that_starts_while_its_server_is_killed_is_the_next_servers(scene):
    scene.begin(**BARE, argv=scene.gate.kernel())
    scene.opened()
    scene.dies_at_the_gate()


def test_a_kernel_that_restarts_while_its_server_is_killed_is_the_next_servers(scene):
    scene.gate.open()
    scene.begin(**BARE, argv=scene.gate.kernel())
    kernel_id = scene.opened()
    page = scene.server.connect(kernel_id)
    assert page.run("1")[0]["status"] == "ok"
    scene.gate.close()
    scene.meanwhile(lambda: scene.server.ask("POST", f"kernels/{kernel_id}/restart"))
    scene.dies_at_the_gate()


def test_a_kernel_that_was_being_shut_down_when_its_server_was_killed_ends(scene):
    scene.gate.open()
    scene.begin(**BARE, argv=scene.gate.kernel(at_end=True))
    kernel_id = scene.opened()
    page = scene.server.connect(kernel_id)
    assert page.run("1")[0]["status"] == "ok"
    scene.gate.close()
    scene.meanwhile(lambda: scene.server.ask("DELETE", f"kernels/{kernel_id}"))
    scene.gate.await_arrival()
    directories = scene.directories
    scene.crash()
    scene.begin_again()
    assert scene.server.kernels() == {}
    wait_until(lambda: scene.site.queue() == scene.site.records() == [], "the end of the job")
    assert scene.directories <= directories, "the new server has made none that stays"
    scene.remove(directories)
    scene.end()
