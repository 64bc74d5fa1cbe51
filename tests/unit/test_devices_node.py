"""From what a job was given and what a node describes to what its container gets."""

import json

import pytest

from jupyter_hpcctr.devices import laid, preflight
from jupyter_hpcctr.devices.cdi import DeviceError
from jupyter_hpcctr.devices.found import look
from jupyter_hpcctr.devices.given import given
from jupyter_hpcctr.devices.injection import Injection, Library
from jupyter_hpcctr.guest.devices import shown
from jupyter_hpcctr.protocol.shared import Devices

THERE = ("0", "1", "2", "GPU-aa", "GPU-bb", "MIG-cc", "all")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1"}, ("1",)),
        ({"CUDA_VISIBLE_DEVICES": "0", "SLURM_JOB_GPUS": "2"}, ("2",)),  # with cgroups, the driver counts from 0
        ({"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_STEP_GPUS": "1,2", "SLURM_JOB_GPUS": "0,1,2"}, ("1", "2")),
        ({"CUDA_VISIBLE_DEVICES": "MIG-cc", "SLURM_JOB_GPUS": "0"}, ("MIG-cc",)),
        ({"CUDA_VISIBLE_DEVICES": "GPU-bb, GPU-aa"}, ("GPU-bb", "GPU-aa")),
        ({"CUDA_VISIBLE_DEVICES": "7"}, ("all",)),
        ({"CUDA_VISIBLE_DEVICES": "MIG-GPU-xx/1/0"}, ("all",)),
        ({"ROCR_VISIBLE_DEVICES": "1"}, ("all",)),
        ({}, ("all",)),
    ],
)
def test_a_job_gets_the_gpus_that_its_scheduler_names(environ, names):
    assert given("nvidia.com/gpu", THERE, environ) == names


def test_without_a_device_that_stands_for_all_each_is_given():
    assert given("amd.com/gpu", ("0", "1"), {}) == ("0", "1")
    assert given("amd.com/gpu", ("0", "1"), {"ROCR_VISIBLE_DEVICES": "1"}) == ("1",)


def test_libraries_programs_and_drivers_descriptions_get_places_links_and_variables():
    injection = Injection(
        libraries=(Library("/opt/d/libcuda.so.580.1", "libcuda.so.580.1", ("libcuda.so.1", "libcuda.so")),),
        programs=(("/opt/d/nvidia-smi", "nvidia-smi"),),
        files=(
            ("/opt/d/icd.json", "/etc/vulkan/icd.d/nvidia_icd.json"),
            ("/lib/firmware/gsp.bin", "/lib/firmware/nvidia/580.1/gsp.bin"),
        ),
        env={"A": "b"},
    )
    made = laid.lay_out(injection, "/in/devices")
    assert made.mounts == (
        ("/opt/d/libcuda.so.580.1", "lib/libcuda.so.580.1"),
        ("/opt/d/nvidia-smi", "bin/nvidia-smi"),
        ("/opt/d/icd.json", "etc/nvidia_icd.json"),
    )
    assert made.links == (("lib/libcuda.so.1", "libcuda.so.580.1"), ("lib/libcuda.so", "libcuda.so.580.1"))
    assert made.env == {"A": "b", "VK_ADD_DRIVER_FILES": "/in/devices/etc/nvidia_icd.json"}
    assert made.said == ("/lib/firmware/nvidia/580.1/gsp.bin is left out: the image has no place for it",)


def test_a_file_that_no_engine_can_name_is_left_out_and_said():
    made = laid.lay_out(Injection(programs=(("/opt/a:b/nvidia-smi", "nvidia-smi"),)), "/in")
    assert made.mounts == ()
    assert made.said == ("/opt/a:b/nvidia-smi is left out: a path with a colon cannot be mounted",)


def test_places_are_made(tmp_path):
    made = laid.Laid((("/opt/d/libx.so.1.2", "lib/libx.so.1.2"),), (("lib/libx.so.1", "libx.so.1.2"),))
    for _ in range(2):  # a run directory that was removed is made again, another one is kept
        laid.make(made, str(tmp_path / "devices"), {"devices": {}})
    place = tmp_path / "devices/lib/libx.so.1"
    assert (place.read_text(), place.readlink().name) == ("", "libx.so.1.2")


@pytest.mark.parametrize(
    ("image", "wanted", "why"),
    [
        ("glibc 2.36", (2, 9), ""),
        ("glibc 2.36", (2, 36), ""),
        ("glibc 2.31\n", (2, 34), "needs glibc 2.34, and the image has 2.31"),
        ("glibc 2.9", (2, 17), "needs glibc 2.17, and the image has 2.9"),
        ("", (2, 9), "needs glibc 2.9, and the image has another C library"),
        ("", (0, 0), ""),
    ],
)
def test_a_library_that_is_too_new_for_the_image_is_refused(image, wanted, why):
    said = preflight.glibc(image, wanted, "libcuda.so.1")
    assert (why in said) if why else (said == "")


@pytest.fixture
def machine(tmp_path):
    """A node's root directory, and a site's directory with a description of two devices of a network."""
    cdi = tmp_path / "cdi"
    cdi.mkdir()
    devices = [{"name": name, "containerEdits": {"env": [f"CXI={name}"]}} for name in ("0", "all")]
    (cdi / "cxi.json").write_text(json.dumps({"cdiVersion": "0.5.0", "kind": "hpe.com/cxi", "devices": devices}))
    (cdi / "broken.json").write_text("{")
    return tmp_path


def looked(machine, **wanted):
    named = {"kinds": (), "names": (), "directories": (str(machine / "cdi"),), "inside": "/in", **wanted}
    return look(Devices(**named), {}, home=str(machine), libraries=lambda: "", root=str(machine))


def test_devices_are_found_by_name_and_what_cannot_be_read_is_said(machine):
    found = looked(machine, names=["hpe.com/cxi=all"])
    assert found.injection.env == {"CXI": "all"}
    assert found.report["devices"] == {"hpe.com/cxi=all": str(machine / "cdi/cxi.json")}
    assert [("broken.json" in sentence) for sentence in found.report["said"]] == [True]


def test_a_device_that_is_not_there_is_named_with_those_that_are(machine):
    with pytest.raises(DeviceError, match=r"no spec describes hpe.com/cxi=7: there are hpe.com/cxi=0, hpe.com/cxi=all"):
        looked(machine, names=["hpe.com/cxi=7"])


def test_gpus_that_nobody_describes_are_no_error_but_said(machine):
    (machine / "cdi/broken.json").unlink()
    found = looked(machine, kinds=["nvidia.com/gpu", "amd.com/gpu"])
    assert found.injection.libraries == ()
    assert found.report["said"] == [
        "this node describes no GPU and has no driver of NVIDIA: the container gets its device files alone"
    ]


def test_the_notebook_shows_what_there_is(tmp_path):
    assert shown(str(tmp_path)).startswith("No device was asked for.")
    (tmp_path / "devices").mkdir()
    version = tmp_path / "version"
    version.write_text("6.12.12\n")
    report = {
        "devices": {"nvidia.com/gpu=0": "/etc/cdi/nvidia.yaml"},
        "driver": "580.159.04",
        "libraries": ["/usr/lib/libcuda.so.580.159.04"],
        "programs": [],
        "said": ["x is left out: y"],
    }
    (tmp_path / "devices/report.json").write_text(json.dumps(report))
    assert shown(str(tmp_path), str(version)).splitlines() == [
        "nvidia.com/gpu=0  (described by /etc/cdi/nvidia.yaml)",
        "driver of NVIDIA: 580.159.04",
        f"libraries in {tmp_path}/devices/lib (1): libcuda.so.580.159.04",
        "note: x is left out: y",
    ]
    report |= {"devices": {"amd.com/gpu=0": "/etc/cdi/amd.json"}, "driver": "", "libraries": [], "said": []}
    (tmp_path / "devices/report.json").write_text(json.dumps(report))
    assert shown(str(tmp_path), str(version)).splitlines()[1:] == ["driver of AMD: 6.12.12"]
    assert shown(str(tmp_path), "/nowhere").splitlines()[1:] == []
