"""Kernels inside real OCI images on Slurm nodes: pulled from a real registry, run by Charliecloud."""

import dataclasses
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from support.kernels import Running

from jupyter_hpcctr import __version__
from jupyter_hpcctr.errors import ImageError
from jupyter_hpcctr.images.store import SquashStore


@pytest.fixture
def kernel(site, start, kernel_image, image_policy):
    """A kernel in the image, on Slurm, with a GPU and an environment of its own."""
    site.configure(store=image_policy.store)
    return start(
        image=kernel_image.reference, scheduler="slurm", nodes=1, gpus_per_node=1, env={"OMP_NUM_THREADS": "3"}
    )


def test_the_kernel_is_in_the_image_on_the_node_as_the_user_with_what_was_asked_for(kernel, site):
    status = kernel.value("dict(l.split(':\\t') for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)")
    assert status["NoNewPrivs"] == "1"
    assert status["CapEff"].strip("0") == ""
    assert kernel.value("[__import__('os').getuid(), __import__('os').getgid()]") == [os.getuid(), os.getgid()]
    assert kernel.value("__import__('pathlib').Path('/hpcctr/run').is_dir()")
    assert "ID=debian" in kernel.value("open('/etc/os-release').read()")
    assert kernel.value("__import__('sys').prefix") == "/usr"
    assert kernel.value("__import__('os').access('/usr', __import__('os').W_OK)") is False
    env = kernel.value("dict(__import__('os').environ)")
    assert env["SLURMD_NODENAME"] in ("n1", "n2")
    assert (env["SLURM_JOB_ID"], env["SLURM_JOB_NUM_NODES"]) == (kernel.launch.job, "1")
    assert (env["CUDA_VISIBLE_DEVICES"], env["OMP_NUM_THREADS"]) == ("0", "3")
    assert (env["HOME"], env["USER"]) == (os.environ["HOME"], os.environ["USER"])


SECRETS = ("JUPYTERHUB_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_SECRET", "SOMETHING_PLAIN", "PYTHONPATH")


@pytest.fixture
def secret(monkeypatch):
    """What is in the environment of the server alone when it starts the kernel; its PATH has an end of its own, too."""
    found = {name: f"/{name.lower()}/{secrets.token_hex(20)}" for name in SECRETS}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/the/servers/alone")
    return found


def test_nothing_of_the_servers_environment_is_there(secret, kernel, kernel_image):
    assert set(secret.items()) <= set(os.environ.items()), "it was there when the kernel was started"
    inside = kernel.value("dict(__import__('os').environ)")
    assert sorted(set(secret) & set(inside)) == []
    text = json.dumps(inside)
    assert [name for name, value in secret.items() if value in text] == []
    assert inside["PATH"] == dict(kernel_image.env)["PATH"] + ":/hpcctr/run/devices/bin"


def test_the_users_files_are_there(kernel, site):
    marker = Path(os.environ["HOME"]) / f".hpcctr-test-{os.getpid()}"
    marker.write_text("seen")
    try:
        assert kernel.value(f"open({str(marker)!r}).read()") == "seen"
    finally:
        marker.unlink()
    assert kernel.value("__import__('os').getcwd()") == str(site.cwd), (
        "the work directory is below /tmp, which is shown"
    )


def test_restart_joins_the_same_container_in_the_same_job(kernel):
    job = kernel.launch.job
    spaces = "[__import__('os').readlink('/proc/self/ns/' + n) for n in ('mnt', 'user')]"
    before = kernel.value(spaces)
    kernel.run("x = 1")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value(spaces) == before
    assert kernel.value("'x' in globals()") is False
    assert kernel.launch.job == job


def test_interrupt_input_and_numpy_work_in_the_image(kernel):
    asked = kernel.begun("import time; time.sleep(60)")
    kernel.manager.interrupt_kernel()
    assert kernel.ended(asked)["ename"] == "KeyboardInterrupt"
    kernel.client.execute("n = int(input())", allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=60)
    kernel.client.input("20")
    assert kernel.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    assert kernel.value("int(__import__('numpy').arange(n).sum())") == 190


def test_two_kernels_on_one_node_do_not_meet(site, start, kernel_image, image_policy):
    site.configure(store=image_policy.store)
    kernel, other = (start(image=kernel_image.reference, scheduler="slurm", nodes=2) for _ in range(2))
    other.run("x = 'other'")
    kernel.run("x = 'first'")
    assert (kernel.value("x"), other.value("x")) == ("first", "other")
    assert [each.value("__import__('os').environ['SLURMD_NODENAME']") for each in (kernel, other)] == ["n1", "n1"]
    other.stop()
    assert kernel.value("x") == "first"


@pytest.mark.parametrize("way", ["restart", "shutdown"])
def test_a_crash_in_the_image_ends_with_words_and_the_way_out_works(kernel, way):
    content, _ = kernel.run("import ctypes; ctypes.string_at(0)")
    assert (content["ename"], "SIGSEGV" in content["evalue"]) == ("KernelDied", True)
    if way == "restart":
        kernel.manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(timeout=60)
        assert kernel.value("1 + 1") == 2


def test_it_runs_the_same_without_any_scheduler(site, start, kernel_image, image_policy):
    site.configure(store=image_policy.store)
    kernel = start(image=kernel_image.reference, scheduler="local")
    assert kernel.value("__import__('sys').prefix") == "/usr"
    assert kernel.value("__import__('os').environ.get('SLURM_JOB_ID')") is None


def test_an_image_that_is_not_in_the_store_is_fetched_while_the_notebook_is_open(site, start, kernel_image):
    site.configure(store=str(site.directory / "empty"))
    kernel = start(image=kernel_image.reference, scheduler="slurm")
    _, published = kernel.run("1 + 1", timeout=120)
    told = [m["content"]["data"]["text/plain"] for m in published if "display_data" in m["msg_type"]]
    assert any("Fetching the image" in text for text in told)
    assert [m["content"]["data"]["text/plain"] for m in published if m["msg_type"] == "execute_result"] == ["2"]
    assert "fetched" in kernel.launch.phases


def test_an_image_that_no_registry_has_is_told_in_the_notebook(site, start, registry):
    site.configure(store=str(site.directory / "empty"))
    kernel = start(image=f"{registry.host}/nobody/nothing:1", scheduler="slurm")
    content, _ = kernel.run("1")
    assert content["ename"] == "ImageError"
    assert "nobody/nothing" in content["evalue"]
    assert site.queue() == []
    assert kernel.manager.is_alive()


def test_a_python_that_the_image_lacks_is_told_with_the_log(site, start, kernel_image, image_policy):
    site.configure(store=image_policy.store)
    kernel = start(image=kernel_image.reference, scheduler="slurm", python="python9.9")
    content, _ = kernel.run("1")
    assert content["ename"] == "JobEnded"
    assert any("python9.9" in line for line in content["traceback"])


def test_an_image_that_cannot_be_mounted_is_told_with_the_log(site, start, kernel_image, image_policy):
    copy = site.directory / "copy"
    subprocess.run(["cp", "-r", image_policy.store, str(copy)], check=True)
    for each in (copy / "sha256").glob("*.sqfs"):
        each.chmod(0o600)
        each.write_bytes(b"x" * each.stat().st_size)
        each.chmod(0o444)
    site.configure(store=str(copy))
    kernel = start(image=kernel_image.reference, scheduler="slurm")
    content, _ = kernel.run("1")
    assert content["ename"] == "JobEnded"
    assert "container ended with status" in content["evalue"]
    assert any("ch-run" in line for line in content["traceback"])


def test_an_image_whose_file_was_changed_is_refused_before_anything_is_submitted(site, kernel_image, image_policy):
    copy = site.directory / "copy"
    subprocess.run(["cp", "-r", image_policy.store, str(copy)], check=True)
    for each in (copy / "sha256").glob("*.sqfs"):
        each.chmod(0o600)
        each.write_bytes(b"short")
        each.chmod(0o444)
    site.configure(store=str(copy))
    manager = site.manager(image=kernel_image.reference, scheduler="slurm")
    with pytest.raises(ImageError, match="not what was put there"):
        manager.start_kernel()
    manager.context.destroy(linger=0)
    assert site.queue() == []


def test_an_image_that_was_swapped_while_the_job_waited_is_not_run(
    site, start, kernel_image, image_policy, monkeypatch
):
    site.configure(store=image_policy.store)
    found = SquashStore.find

    def find(self, ref):
        """As it was when the job was submitted; what is there when it starts has another size."""
        info = found(self, ref)
        return dataclasses.replace(info, size_bytes=info.size_bytes - 1)

    monkeypatch.setattr(SquashStore, "find", find)
    kernel = start(image=kernel_image.reference, scheduler="slurm")
    content, _ = kernel.run("1")
    assert content["ename"] == "JobEnded"
    assert "is not what it was when this was submitted: it has" in content["evalue"]


def test_a_kernel_whose_server_was_killed_while_its_image_was_fetched_is_the_next_servers(
    scene, kernel_image, image_policy
):
    scene.site.configure(store=str(scene.site.directory / "empty"))
    scene.begin(path=scene.gate.before("skopeo"), image=kernel_image.reference, scheduler="slurm")
    scene.opened()
    scene.gate.await_arrival()
    scene.crash()
    assert scene.site.queue() == []
    scene.site.configure(store=image_policy.store)  # there by now, and so that the test need not wait for it
    scene.begin_again()
    scene.goes_on()


def test_a_container_that_starts_while_its_server_is_killed_is_the_next_servers(scene, kernel_image, image_policy):
    scene.site.configure(store=image_policy.store)
    scene.begin(path=scene.gate.before("ch-run", "--cd="), image=kernel_image.reference, scheduler="slurm")
    scene.opened()
    scene.dies_at_the_gate()


def hpcctr(*words):
    return subprocess.run(
        [sys.executable, "-m", "jupyter_hpcctr.cli.main", *words], env=dict(os.environ), capture_output=True, text=True
    )


def test_the_command_line_plans_without_submitting_and_writes_kernelspecs(site, kernel_image, image_policy):
    site.configure(store=image_policy.store)
    asked = ("--image", kernel_image.reference, "--nodes", "2", "--gpus", "1", "--time", "10")
    planned = json.loads(hpcctr("plan", *asked, "--json").stdout)
    assert planned["image"]["digest"] == kernel_image.digest
    assert "--nodes=2" in planned["submit"]["argv"]
    readable = hpcctr("plan", *asked).stdout
    assert "sbatch" in readable
    assert kernel_image.digest in readable
    assert site.queue() == []
    assert not list(site.state.glob("jobs/*"))
    assert hpcctr("kernelspec", "add", "mine", *asked).returncode == 0
    assert "mine" in hpcctr("kernelspec", "list").stdout
    again = hpcctr("kernelspec", "add", "mine", *asked)
    assert (again.returncode, "--replace" in again.stderr) == (1, True)
    running = Running(__import__("jupyter_client").KernelManager(kernel_name="mine"), cwd=site.cwd)
    assert running.value("__import__('os').environ['SLURM_JOB_NUM_NODES']") == "2"
    running.stop()
    assert hpcctr("kernelspec", "remove", "mine").returncode == 0
    assert hpcctr("kernelspec", "remove", "mine").returncode == 1
    assert hpcctr("--version").stdout.strip() == f"jupyter_hpcctr {__version__}"
    refused = hpcctr("plan", "--image", "no/such:1")
    assert (refused.returncode, "images pull no/such:1" in refused.stderr) == (1, True)
    for asked, words in (
        (("--partition", "nowhere"), "there is no partition nowhere"),
        (("--nodes", "3"), "gives at most 2"),
        (("--image", kernel_image.reference, "--mount", f"{site.cwd}:/usr/nowhere"), "the image has no such directory"),
    ):
        refused = hpcctr("plan", *asked, "--json")
        assert (refused.returncode, refused.stdout, words in refused.stderr) == (1, "", True), refused.stderr
