"""Devices by description: a stand-in driver, compiled here, reaches kernels and ranks in images on Slurm nodes."""

import json
import re
import subprocess

import pytest
from support.notebooks import Notebook, by_rank, text_of

DRIVER = """
#include <stdlib.h>
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
const char *where(void) { return getenv("STANDIN_DRIVER"); }
"""
LOAD = "(lambda l: [l.cuInit(0), l._name])(__import__('ctypes').CDLL('libcuda.so.1'))"


@pytest.fixture
def driver(tmp_path_factory):
    """A driver's directory, outside of every place that a container shows: library, program and description."""
    directory = tmp_path_factory.mktemp("driver")
    (directory / "driver.c").write_text(DRIVER)
    library = directory / "libcuda.so.580.1"
    words = ["gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, directory / "driver.c"]
    subprocess.run(words, check=True)
    (directory / "main.c").write_text('#include <stdio.h>\nint main(void) { puts("GPU 0: a stand-in"); return 0; }\n')
    subprocess.run(["gcc", "-o", directory / "nvidia-smi", directory / "main.c"], check=True)
    describe(directory / "cdi", library, directory / "nvidia-smi")
    return directory


def describe(directory, library, program):
    directory.mkdir(exist_ok=True)
    mounts = [
        {"hostPath": str(library), "containerPath": "/usr/lib/x86_64-linux-gnu/libcuda.so.580.1"},
        {"hostPath": str(program), "containerPath": "/usr/bin/nvidia-smi"},
    ]
    link = "libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so"
    hooks = [
        {
            "hookName": "createContainer",
            "path": "/usr/bin/nvidia-cdi-hook",
            "args": ["nvidia-cdi-hook", "create-symlinks", "--link", link],
        }
    ]
    edits = {"env": ["STANDIN_DRIVER=580.1"], "mounts": mounts, "hooks": hooks}
    devices = [{"name": name, "containerEdits": {}} for name in ("0", "1", "all")]
    spec = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": devices, "containerEdits": edits}
    (directory / "nvidia.json").write_text(json.dumps(spec))


@pytest.fixture
def asked(site, driver, kernel_image, image_policy):
    site.configure(store=image_policy.store, cdi_dirs=[str(driver / "cdi")])
    return {"image": kernel_image.reference, "scheduler": "slurm"}


def test_a_kernel_that_asks_for_a_gpu_loads_the_nodes_driver(start, asked):
    kernel = start(**asked, nodes=1, gpus_per_node=1)
    assert kernel.value(LOAD) == [0, "libcuda.so.1"]
    assert kernel.value("__import__('ctypes').CDLL('libcuda.so').cuInit(0)") == 0, "the name that is linked"
    assert kernel.value("'/hpcctr/run/devices/lib/libcuda.so.580.1' in open('/proc/self/maps').read()")
    assert kernel.value("__import__('subprocess').getoutput('nvidia-smi')") == "GPU 0: a stand-in"
    env = kernel.value("dict(__import__('os').environ)")
    assert (env["STANDIN_DRIVER"], env["CUDA_VISIBLE_DEVICES"]) == ("580.1", "0")
    shown = text_of(kernel.run("%hpcctr devices")[1])
    assert re.match(r"nvidia.com/gpu=0  \(described by .*/cdi/nvidia.json\)\n", shown)
    assert "driver of NVIDIA: 580.1\n" in shown
    assert "libraries in /hpcctr/run/devices/lib (1): libcuda.so.580.1\n" in shown
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value(LOAD) == [0, "libcuda.so.1"], "after a restart, too"


def test_a_kernel_that_asks_for_none_gets_none(start, asked):
    kernel = start(**asked, nodes=1)
    assert kernel.value("__import__('os').path.exists('/hpcctr/run/devices')") is False
    assert kernel.value("'LD_LIBRARY_PATH' in __import__('os').environ") is False


def test_ranks_on_each_node_load_the_driver(start, asked, mpi_image):
    asked["image"] = mpi_image.reference
    notebook = Notebook(start(**asked, nodes=2, ntasks_per_node=1, gpus_per_node=1))
    line = "print(os.environ['SLURMD_NODENAME'], os.environ['STANDIN_DRIVER'], ctypes.CDLL('libcuda.so.1').cuInit(0))"
    said = by_rank(notebook.ranks(f"import ctypes, os\n{line}"))
    assert sorted(said.values()) == [["n1 580.1 0"], ["n2 580.1 0"]]


def test_a_device_that_no_node_describes_ends_the_kernel_with_a_sentence(start, asked):
    content, _ = start(**asked, nodes=1, devices=["hpe.com/cxi=all"]).run("1")
    assert content["ename"] == "JobEnded"
    assert "no spec describes hpe.com/cxi=all: there are nvidia.com/gpu=0" in content["evalue"]


def test_a_driver_that_is_too_new_for_the_image_ends_the_kernel_with_a_sentence(start, asked, driver):
    (driver / "newer.c").write_text("extern int tomorrow(void);\nint cuInit(unsigned flags) { return tomorrow(); }\n")
    (driver / "libc.c").write_text("int tomorrow(void) { return 0; }\n")
    (driver / "libc.map").write_text("GLIBC_2.99 { global: tomorrow; };\n")
    shared = ["gcc", "-shared", "-fPIC"]
    stub = [*shared, "-Wl,-soname,libc.so.6", f"-Wl,--version-script={driver}/libc.map"]
    subprocess.run([*stub, "-o", driver / "libtomorrow.so", driver / "libc.c"], check=True)
    library = driver / "libcuda.so.580.1"
    words = [*shared, "-Wl,-soname,libcuda.so.1", "-o", library, driver / "newer.c", driver / "libtomorrow.so"]
    subprocess.run(words, check=True)
    content, _ = start(**asked, nodes=1, gpus_per_node=1).run("1")
    assert content["ename"] == "JobEnded"
    assert "libcuda.so.580.1 needs glibc 2.99, and the image has 2.36" in content["evalue"]
    forced = start(**asked, nodes=1, gpus_per_node=1, env={"HPCCTR_FORCE": "1"})
    assert forced.value("1 + 1") == 2
