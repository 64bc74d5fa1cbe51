"""How a kernel finds its ranks: the magic is there by itself, and the agent starts the hub when it is asked."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from support.waiting import state_of

from jupyter_hpcctr.agent import ranks as agents

ASK = "__import__('sys').modules['_hpcctr_guest.mpirun.door'].find()"
MAGICS = "get_ipython().magics_manager.magics"


@pytest.fixture
def kernel(site, start, kernel_image, image_policy):
    """A kernel in the image, on Slurm."""
    site.configure(store=image_policy.store)
    return start(image=kernel_image.reference, scheduler="slurm")


@pytest.fixture
def bare(start):
    """A kernel without an image or Slurm, which is there: a client has answers before."""
    kernel = start(engine="bare", scheduler="local")
    assert kernel.value("1") == 1
    return kernel


def run_dir(site):
    (found,) = site.directory.glob(f"tmp/hpcctr-{os.getuid()}-*")  # the server's own have no user in their names
    return found


def hubs(site):
    """The process ids of the hubs that run for this site."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"ranks" in words and str(site.directory).encode() in b" ".join(words):
            found.append(int(path.parent.name))
    return found


def wait_until(wanted, *, seconds=10.0):
    until = time.monotonic() + seconds
    while not (value := wanted()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return value


def printed(published):
    return "".join(m["content"]["text"] for m in published if m["msg_type"] == "stream")


def test_the_magic_is_there_by_itself_and_the_extension_loads(kernel):
    assert kernel.value(f"[list({MAGICS}[kind]).count('mpirun') for kind in ('line', 'cell')]") == [1, 1]
    assert kernel.value("__import__('importlib.util').util.find_spec('jupyter_hpcctr').origin").endswith("/door.py")
    before = kernel.value(f"id({MAGICS}['cell']['mpirun'])")
    for code in ("%load_ext jupyter_hpcctr", "%load_ext jupyter_hpcctr", "import jupyter_hpcctr"):
        content, published = kernel.run(code)
        assert content["status"] == "ok", content
        assert "error" not in [m["msg_type"] for m in published]
    assert kernel.value(f"id({MAGICS}['cell']['mpirun'])") == before
    kernel.run("%unload_ext jupyter_hpcctr")
    assert kernel.value(f"'mpirun' in {MAGICS}['cell']") is False
    kernel.run("%load_ext jupyter_hpcctr")
    assert kernel.value(f"'mpirun' in {MAGICS}['cell']") is True


def test_nothing_of_ours_is_in_the_users_way(kernel):
    assert kernel.value("[p for p in __import__('sys').path if 'hpcctr' in p]") == []
    ours = ("startup", "forks", "loading", "environment", "wire", "mpirun", "door", "magic")
    assert kernel.value(f"[n for n in {ours!r} if n in __import__('sys').modules]") == []
    content, _ = kernel.run("import no_such_module")
    assert (content["status"], content["ename"]) == ("error", "ModuleNotFoundError")


def test_a_first_request_starts_a_hub_and_the_next_ones_find_it(kernel, site):
    assert hubs(site) == []
    assert kernel.value(ASK) == "/hpcctr/run"
    (hub,) = hubs(site)
    told = run_dir(site) / "ranks.json"
    assert told.stat().st_mode & 0o777 == 0o600
    found = json.loads(told.read_text())
    assert found["kernel_pid"] == kernel.value("__import__('os').getpid()")
    assert (found["dir"], found["dir_inside"]) == (f"{run_dir(site)}/kernel", "/hpcctr/run")
    assert found["holder_pid"] == (run_dir(site) / "kernel" / "holder.pid").read_text().strip()
    assert found["node"] in ("n1", "n2")
    assert kernel.value(f"[{ASK}, {ASK}]") == ["/hpcctr/run"] * 2
    assert hubs(site) == [hub]

    os.kill(hub, signal.SIGKILL)  # and one that was killed has left its socket
    wait_until(lambda: state_of(hub) in ("gone", "Z"))
    assert kernel.value(ASK) == "/hpcctr/run"
    (other,) = hubs(site)
    assert other != hub


def test_the_hub_ends_with_its_kernel_and_the_next_kernel_gets_another(kernel, site):
    kernel.value(ASK)
    (hub,) = hubs(site)
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    wait_until(lambda: hub not in hubs(site))
    assert kernel.value(ASK) == "/hpcctr/run"
    (other,) = hubs(site)
    assert other != hub
    found = json.loads((run_dir(site) / "ranks.json").read_text())
    assert found["kernel_pid"] == kernel.value("__import__('os').getpid()")
    kernel.stop()
    wait_until(lambda: hubs(site) == [])


def test_a_bare_kernel_uses_the_agents_door_although_the_extension_is_installed(site, bare):
    content, _ = bare.run("%load_ext jupyter_hpcctr")
    assert content["status"] == "ok"
    assert bare.value("__import__('jupyter_hpcctr').__version__")
    assert bare.value("'jupyter_hpcctr.ranks.plain' in __import__('sys').modules") is False
    assert bare.value(ASK) == f"{run_dir(site)}/kernel"
    assert len(hubs(site)) == 1


def test_a_hub_that_cannot_start_is_said_in_words(site, bare):
    told = run_dir(site) / "ranks.json"
    (told / "in-the-way").mkdir(parents=True)  # not a file: it can be neither removed nor written
    content, _ = bare.run(ASK)
    assert content["ename"] == "HubGoneError"
    assert "cannot be started" in content["evalue"] and "Is a directory" in content["evalue"]
    (told / "in-the-way").rmdir()
    told.rmdir()
    assert bare.value(ASK) == f"{run_dir(site)}/kernel"


def test_without_an_agent_it_is_said_in_words(site, bare):
    (run_dir(site) / "kernel" / "agent").unlink()
    content, _ = bare.run("%mpirun status")
    assert content["status"] == "error"
    assert "the agent of this kernel is gone" in content["evalue"]
    assert agents.START_S + agents.END_S < 30, "the kernel asks for longer than the agent tries"
