"""The description of NVIDIA's GPUs is made from what a machine has, whatever way its driver came there."""

import json
import os
import struct
import subprocess
import sys

import pytest
from support.specs import library, program

from jupyter_hpcctr.devices import nvidia, nvml
from jupyter_hpcctr.devices.cdi import Registry, read
from jupyter_hpcctr.devices.injection import inject
from jupyter_hpcctr.devices.nvml import Slice

DRIVER = "580.159.04"
VERSION = f"""\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {DRIVER}  Release Build  (root@host)  Tue Jan 1 2026
GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)
"""
UUIDS = ("GPU-edfee158-11c1-52b8-0517-92f30e7fac88", "GPU-0f6c3d1e-5a0b-4f7d-9c55-0d6a7c2b1e44")
INFORMATION = """\
Model: \t\t {model}
IRQ:   \t\t 408
GPU UUID: \t {uuid}
Bus Location: \t {bus}
Device Minor: \t {minor}
GPU Excluded:\t No
"""


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def gpu(root, bus, minor, uuid, model="NVIDIA H200"):
    text = INFORMATION.format(model=model, uuid=uuid, bus=bus, minor=minor)
    write(root / f"proc/driver/nvidia/gpus/{bus}/information", text)
    write(root / f"dev/nvidia{minor}")


def driver(root, place, names=("libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"), version=DRIVER):
    """Put libraries of a driver into a directory, with the links that its installer makes."""
    for name in names:
        file = library(root / place / f"{name}.so.{version}", soname=f"{name}.so.1")
        (root / place / f"{name}.so.1").symlink_to(file.name)


@pytest.fixture
def h200(tmp_path):
    """A virtual machine with one H200, whose driver is a mount at /usr/local/nvidia."""
    gpu(tmp_path, "0000:01:00.0", 0, UUIDS[0])
    write(tmp_path / "proc/driver/nvidia/version", VERSION)
    for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps/nvidia-cap1", "infiniband/rdma_cm"):
        write(tmp_path / "dev" / name)
    driver(tmp_path, "usr/local/nvidia/lib64")
    library(tmp_path / "usr/local/nvidia/glibc/libc.so.6", soname="libc.so.6")
    (tmp_path / "usr/lib").mkdir()
    (tmp_path / "lib").symlink_to("usr/lib")
    for name in ("libcuda.so.1", "libnvidia-ml.so.1"):
        (tmp_path / "usr/lib" / name).symlink_to(f"/usr/local/nvidia/lib64/{name}")
    program(tmp_path / "usr/local/nvidia/bin/nvidia-smi")
    write(tmp_path / "usr/bin/nvidia-smi", '#!/bin/sh\nexec /usr/local/nvidia/bin/nvidia-smi "$@"\n')
    return tmp_path


LDCONFIG = """\
3 libs found in cache `/etc/ld.so.cache'
\tlibcuda.so.1 (libc6,x86-64) => /lib/libcuda.so.1
\tlibcuda.so.1 (libc6,x86-64) => /usr/local/nvidia/lib64/libcuda.so.1
\tlibc.so.6 (libc6,x86-64) => /lib/x86_64-linux-gnu/libc.so.6
"""


def spec_of(root, ldconfig="", **more):
    made = nvidia.discover(str(root), ldconfig, **more)
    assert made is not None
    return read(json.dumps(made), "made here")


def names(spec):
    return [device.name for device in spec.devices]


def nodes(spec, name):
    return [node.path for device in spec.devices if device.name == name for node in device.edits.nodes]


@pytest.mark.parametrize("ldconfig", [LDCONFIG, ""])
def test_a_driver_in_an_unusual_place_is_found_with_and_without_the_linkers_cache(h200, ldconfig):
    spec = spec_of(h200, ldconfig)
    assert (spec.version, spec.kind, names(spec)) == ("0.5.0", "nvidia.com/gpu", ["0", UUIDS[0], "all"])
    assert nodes(spec, "all") == nodes(spec, "0") == ["/dev/nvidia0"]
    assert sorted(node.path for node in spec.edits.nodes) == [
        "/dev/nvidia-uvm",
        "/dev/nvidia-uvm-tools",
        "/dev/nvidiactl",
    ]
    real = f"/usr/local/nvidia/lib64/libcuda.so.{DRIVER}"
    targets = {mount.container_path for mount in spec.edits.mounts if mount.host_path == real}
    assert {real, "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so"} == targets
    programs = {m.container_path: m.host_path for m in spec.edits.mounts if m.container_path.startswith("/usr/bin")}
    assert programs == {"/usr/bin/nvidia-smi": "/usr/local/nvidia/bin/nvidia-smi"}
    assert not any("glibc" in mount.host_path or "libc.so" in mount.host_path for mount in spec.edits.mounts)


def test_what_is_made_for_it_can_be_injected(h200):
    spec = spec_of(h200, LDCONFIG)
    got = inject(Registry().with_spec(spec).edits([f"nvidia.com/gpu={UUIDS[0]}"]), str(h200), groups=())
    assert {each.name: set(each.links) for each in got.libraries} == {
        f"libcuda.so.{DRIVER}": {"libcuda.so", "libcuda.so.1"},
        f"libnvidia-ml.so.{DRIVER}": {"libnvidia-ml.so.1"},
        f"libnvidia-ptxjitcompiler.so.{DRIVER}": {"libnvidia-ptxjitcompiler.so.1"},
    }
    assert got.programs == ((f"{h200}/usr/local/nvidia/bin/nvidia-smi", "nvidia-smi"),)
    assert got.driver == DRIVER and got.said == () and got.env == {"NVIDIA_VISIBLE_DEVICES": "void"}


def test_a_driver_of_the_distribution_and_its_files(tmp_path):
    gpu(tmp_path, "0000:c1:00.0", 1, UUIDS[1])
    gpu(tmp_path, "0000:41:00.0", 0, UUIDS[0])
    write(tmp_path / "proc/driver/nvidia/version", VERSION)
    place = f"usr/lib/{os.uname().machine}-linux-gnu"
    driver(tmp_path, place, ("libcuda", "libEGL_nvidia", "libnvidia-glcore", "libnvoptix", "libGLX_nvidia"))
    driver(tmp_path, place, ("libnvidia-ml",), version="535.1.1")
    driver(tmp_path, f"{place}/vdpau", ("libvdpau_nvidia",))
    library(tmp_path / place / f"libstranger.so.{DRIVER}")
    library(tmp_path / place / "libnvidia-egl-gbm.so.1.1.2", soname="libnvidia-egl-gbm.so.1")
    write(tmp_path / "etc/vulkan/icd.d/nvidia_icd.json", "{}")
    write(tmp_path / "usr/share/glvnd/egl_vendor.d/10_nvidia.json", "{}")
    write(tmp_path / "run/nvidia-persistenced/socket")
    spec = spec_of(tmp_path)
    assert names(spec) == ["0", UUIDS[0], "1", UUIDS[1], "all"]
    assert (nodes(spec, "1"), nodes(spec, "all")) == (["/dev/nvidia1"], ["/dev/nvidia0", "/dev/nvidia1"])
    files = {os.path.basename(mount.host_path) for mount in spec.edits.mounts}
    assert files == {
        f"libcuda.so.{DRIVER}", f"libEGL_nvidia.so.{DRIVER}", f"libnvidia-glcore.so.{DRIVER}",
        f"libnvoptix.so.{DRIVER}", f"libGLX_nvidia.so.{DRIVER}", f"libvdpau_nvidia.so.{DRIVER}",
        "libnvidia-egl-gbm.so.1.1.2",
        "nvidia_icd.json", "10_nvidia.json", "socket",
    }  # fmt: skip
    assert any(mount.container_path.endswith("/libGLX_indirect.so.0") for mount in spec.edits.mounts)
    socket = next(mount for mount in spec.edits.mounts if mount.host_path.endswith("socket"))
    assert "noexec" in socket.options and "ro" not in socket.options


def test_libraries_of_another_processor_are_no_libraries_of_this_one(h200):
    path = h200 / f"usr/local/nvidia/lib64/libnvidia-ml.so.{DRIVER}"
    data = bytearray(path.read_bytes())
    data[18:20] = struct.pack("<H", 3)
    path.write_bytes(data)
    assert not any("libnvidia-ml" in mount.host_path for mount in spec_of(h200).edits.mounts)


def test_where_proc_says_nothing_device_files_and_libcuda_say_it(tmp_path):
    for minor in (10, 2, 0):
        write(tmp_path / f"dev/nvidia{minor}")
    driver(tmp_path, "usr/lib64")
    spec = spec_of(tmp_path)
    assert names(spec) == ["0", "1", "2", "all"]
    assert nodes(spec, "2") == ["/dev/nvidia10"] and any(DRIVER in mount.host_path for mount in spec.edits.mounts)


def test_there_is_nothing_without_a_gpu_without_a_driver_and_without_its_device_file(h200, tmp_path_factory):
    assert nvidia.discover(str(tmp_path_factory.mktemp("plain"))) is None
    alone = tmp_path_factory.mktemp("alone")
    gpu(alone, "0000:01:00.0", 0, UUIDS[0])
    assert nvidia.discover(str(alone)) is None
    (h200 / "dev/nvidia0").unlink()
    assert nvidia.discover(str(h200)) is None


def test_a_gpu_that_is_excluded_or_has_no_uuid_yet(h200):
    path = h200 / "proc/driver/nvidia/gpus/0000:01:00.0/information"
    path.write_text(path.read_text().replace(UUIDS[0], "GPU-????????-????-????-????-????????????"))
    assert names(spec_of(h200)) == ["0", "all"]
    path.write_text(path.read_text().replace("GPU Excluded:\t No", "GPU Excluded:\t Yes"))
    gpu(h200, "0000:02:00.0", 1, UUIDS[1])
    assert names(spec_of(h200)) == ["0", UUIDS[1], "all"] and nodes(spec_of(h200), "0") == ["/dev/nvidia1"]


def slice_of(root, minor, instance, part, capabilities):
    base = root / f"proc/driver/nvidia/capabilities/gpu{minor}/mig/gi{instance}"
    for path, number in zip((base / "access", base / f"ci{part}/access"), capabilities, strict=True):
        write(path, f"DeviceFileMinor: {number}\nDeviceFileMode: 292\nDeviceFileModify: 1\n")
        write(root / f"dev/nvidia-caps/nvidia-cap{number}")


def test_slices_are_named_by_place_and_uuid_and_have_their_own_device_files(h200):
    slice_of(h200, 0, 1, 0, (12, 13))
    slice_of(h200, 0, 2, 0, (21, 22))
    known = [Slice(0, 0, "MIG-a", 2, 0), Slice(0, 1, "MIG-b", 1, 0)]
    spec = spec_of(h200, slices=known)
    assert names(spec) == ["0:0", "MIG-a", "0:1", "MIG-b", "0", UUIDS[0], "all"]
    caps = "/dev/nvidia-caps/nvidia-cap"
    assert nodes(spec, "MIG-a") == ["/dev/nvidia0", f"{caps}21", f"{caps}22"]
    assert nodes(spec, "0") == ["/dev/nvidia0", f"{caps}21", f"{caps}22", f"{caps}12", f"{caps}13"]
    assert names(spec_of(h200)) == ["0:0", "0:1", "0", UUIDS[0], "all"]


NVML = r"""
#include <string.h>
typedef struct { int x; } *handle;
static int gpus[2], cuts[2];
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, handle *h) { *h = (handle)&gpus[i]; return 0; }
int nvmlDeviceGetMinorNumber(handle h, unsigned *n) { *n = (int *)h == gpus ? 3 : 4; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(handle h, unsigned *n) { *n = (int *)h == gpus ? 0 : 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(handle g, unsigned i, handle *h) {
  if (i > 1) return 6; *h = (handle)&cuts[i]; return 0; }
int nvmlDeviceGetUUID(handle h, char *u, unsigned n) {
  if (n < 8) return 7; strcpy(u, (int *)h == cuts ? "MIG-one" : "MIG-two"); return 0; }
int nvmlDeviceGetGpuInstanceId(handle h, unsigned *n) { *n = (int *)h == cuts ? 5 : 6; return 0; }
int nvmlDeviceGetComputeInstanceId(handle h, unsigned *n) { *n = 0; return 0; }
"""


def test_the_drivers_own_library_says_which_slices_there_are(tmp_path):
    # In a process of its own: the stand-in would be there for the whole of this one.
    path = library(tmp_path / "libnvidia-ml.so.1", body=NVML)
    found = in_another_process(f"nvml.slices({str(path)!r})")
    assert found == repr((Slice(4, 0, "MIG-one", 5, 0), Slice(4, 1, "MIG-two", 6, 0)))


def test_without_that_library_or_with_an_old_one_there_are_no_slices(tmp_path):
    assert nvml.slices(str(tmp_path / "none.so")) == ()
    path = library(
        tmp_path / "libold.so", body="int nvmlInit_v2(void) { return 0; } int nvmlShutdown(void) { return 0; }"
    )
    assert in_another_process(f"nvml.slices({str(path)!r})") == "()"


def in_another_process(expression):

    code = f"from jupyter_hpcctr.devices import nvml; print({expression})"
    words = [sys.executable, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
