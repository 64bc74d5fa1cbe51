"""What an engine without CDI makes of edits: one directory of libraries with their links, and what it leaves out."""

import os
import socket
import struct

import pytest
from support.specs import NVIDIA, a_spec, as_text, library, program

from jupyter_hpcctr.devices.cdi import read
from jupyter_hpcctr.devices.injection import Library, inject

LIBS = "/usr/lib64"


def edits_of(**edits):
    return read(as_text(a_spec(version="1.1.0", **edits)), "it.json").edits


def mount(source, target=None, **more):
    return {"hostPath": str(source), "containerPath": str(target or source), **more}


def hook(*args, path="/usr/bin/nvidia-cdi-hook", name="createContainer"):
    return {"hookName": name, "path": path, "args": list(args)}


def links(*pairs):
    words = [word for pair in pairs for word in ("--link", pair)]
    return hook("nvidia-cdi-hook", "create-symlinks", *words)


def injected(root="/", **edits):
    return inject(edits_of(**edits), str(root), groups=())


@pytest.fixture
def node(tmp_path):
    """A machine with a driver's library, and the link that the linker has for it."""
    library(tmp_path / "usr/lib64/libstand.so.5.1", soname="libstand.so.5")
    (tmp_path / "usr/lib64/libstand.so.5").symlink_to("libstand.so.5.1")
    (tmp_path / "lib64").symlink_to("/usr/lib64")
    return tmp_path


def test_a_library_has_its_soname_and_the_links_of_hooks_and_of_links_to_these(node):
    wanted = links("libstand.so.0::/usr/lib64/libother.so", "libstand.so.5::/usr/lib64/libstand.so.0")
    got = injected(node, mounts=[mount(f"{LIBS}/libstand.so.5.1")], hooks=[wanted])
    (only,) = got.libraries
    assert (only.host_path, only.name) == (f"{node}/usr/lib64/libstand.so.5.1", "libstand.so.5.1")
    assert sorted(only.links) == ["libother.so", "libstand.so.0", "libstand.so.5"] and got.said == ()


def test_a_mount_of_a_link_leads_to_the_file_and_keeps_its_name(node):
    both = [mount("/lib64/libstand.so.5", "/usr/lib/libalias.so"), mount(f"{LIBS}/libstand.so.5.1")]
    (only,) = injected(node, mounts=both).libraries
    assert only.host_path.endswith("/usr/lib64/libstand.so.5.1") and set(only.links) == {"libalias.so", "libstand.so.5"}


def test_the_newest_glibc_and_the_library_that_wants_it_are_said(node):
    body = '#include <stdio.h>\nint g(void) { return printf("%d", 1); }'
    library(node / "usr/lib64/libneeds.so.1", body=body)
    got = injected(node, mounts=[mount(f"{LIBS}/libstand.so.5.1"), mount(f"{LIBS}/libneeds.so.1")])
    assert got.library_wanting == "libneeds.so.1" and got.glibc >= (2, 2)
    assert injected(node).library_wanting == "" and injected(node).glibc == (0, 0)


def test_programs_files_and_sockets_are_told_apart(node):
    program(node / "usr/bin/stand-smi")
    (node / "etc").mkdir()
    (node / "etc/icd.json").write_text("{}")
    (node / "usr/bin/wrapper").write_text("#!/bin/sh\n")
    (node / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as door:
        here = os.open(node / "run", os.O_RDONLY)
        door.bind(f"/proc/self/fd/{here}/door")
        os.close(here)
    paths = ["/usr/bin/stand-smi", "/etc/icd.json", "/usr/bin/wrapper", "/run/door"]
    got = injected(node, mounts=[mount(path) for path in paths])
    assert got.programs == ((f"{node}/usr/bin/stand-smi", "stand-smi"),)
    assert got.files == tuple((f"{node}{path}", path) for path in paths[1:])
    assert got.said == ()


def test_what_nvidias_tool_writes_becomes_one_library(tmp_path):
    library(tmp_path / "lib/x86_64-linux-gnu/libcuda.so.999.88.77", soname="libcuda.so.1")
    spec = read(NVIDIA, "nvidia.yaml")
    got = inject(spec.edits + spec.devices[0].edits, str(tmp_path), groups=())
    assert got.libraries == (
        Library(
            f"{tmp_path}/lib/x86_64-linux-gnu/libcuda.so.999.88.77", "libcuda.so.999.88.77",
            ("libcuda.so.1", "libcuda.so"), got.glibc,
        ),
    )  # fmt: skip
    assert got.driver == "999.88.77" and got.nodes == ("/dev/nvidiactl", "/dev/nvidia0") and got.said == ()
    assert got.env == {"NVIDIA_CTK_LIBCUDA_DIR": "/lib/x86_64-linux-gnu", "NVIDIA_VISIBLE_DEVICES": "void"}


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (("nvidia-cdi-hook", "update-ldcache", "--folder", "/lib"), "/usr/bin/nvidia-cdi-hook"),
        (("nvidia-ctk", "hook", "chmod", "--mode", "755"), "/usr/bin/nvidia-ctk"),
        (("nvidia-cdi-hook", "disable-device-node-modification"), "/usr/bin/nvidia-cdi-hook"),
        (("nvidia-cdi-hook", "update-application-profile"), "/usr/bin/nvidia-cdi-hook"),
        (("ldconfig", "-r", "/"), "/sbin/ldconfig"),
        ((), "/usr/bin/ldconfig"),
    ],
)
def test_hooks_that_are_needless_here_are_not_mentioned(args, path):
    assert injected(hooks=[hook(*args, path=path)]).said == ()


def test_a_hook_that_is_not_known_is_said():
    said = injected(hooks=[hook("vendor-hook", "load-firmware"), hook(path="/opt/hook")]).said
    assert "load-firmware" in said[0] and "hook (/opt/hook)" in said[1]


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "PATH", "HOME", "PYTHONPATH", "SLURM_JOB_ID", "BASH_ENV"]
)
def test_variables_that_a_spec_may_not_set_are_left_out_and_said(name):
    got = injected(env=[f"{name}=/evil.so", "GOOD=1"])
    assert got.env == {"GOOD": "1"} and name in got.said[0]


def test_a_variable_that_cannot_be_passed_on_is_said():
    got = injected(env=["A=1\n2", "a-b=1", "LAST=1", "LAST=2"])
    assert got.env == {"LAST": "2"} and len(got.said) == 2


@pytest.mark.parametrize(
    "target",
    ["/", "/etc/passwd", "/etc/ld.so.preload", "/etc/ld.so.cache", "/usr/lib", "/usr", "/proc", "/proc/1/x", "/sys/a"],
)
def test_mounts_out_of_place_are_said(node, target):
    got = injected(node, mounts=[mount("/usr/lib64", target)])
    assert got.files == () and got.libraries == () and target in got.said[0]


def test_what_is_not_on_the_node_and_what_needs_another_engine_are_said(node):
    mounts = [mount("/usr/lib64/libgone.so.1"), mount("tmpfs", "/scratch", type="tmpfs"), mount("/a", "/dev/shm")]
    assert [sentence.partition(" is left out")[0] for sentence in injected(node, mounts=mounts).said] == [
        "/usr/lib64/libgone.so.1", "/scratch", "/dev/shm",
    ]  # fmt: skip
    assert injected(node, mounts=[mount("/dev/stand"), mount("/dev/dri")]).said == ()


def test_the_containers_own_c_library_stays(node):
    library(node / "usr/lib64/libc.so.6", soname="libc.so.6")
    library(node / "usr/lib64/libevil.so.1", soname="libpthread.so.0")
    library(node / "usr/lib64/ld-linux-x86-64.so.2")
    names = ("libc.so.6", "libevil.so.1", "ld-linux-x86-64.so.2")
    got = injected(node, mounts=[mount(f"{LIBS}/{name}") for name in names])
    assert got.libraries == () and len(got.said) == 3


@pytest.mark.parametrize(
    "link",
    ["libstand.so.5::/usr/lib64/libc.so.6", "libstand.so.5::/usr/lib64/..", "libstand.so.5::/etc/passwd",
     "../../../etc/shadow::/usr/lib64/libx.so", "libgone.so::/usr/lib64/libx.so", "libstand.so.5", "a::b::c"],
)  # fmt: skip
def test_links_that_escape_or_lead_nowhere_are_said(node, link):
    got = injected(node, mounts=[mount(f"{LIBS}/libstand.so.5.1")], hooks=[links(link)])
    assert got.libraries[0].links == ("libstand.so.5",) and len(got.said) == 1


def test_links_to_device_files_are_the_nodes_own(node):
    assert injected(node, hooks=[links("../card1::/dev/dri/by-path/pci-0000:01:00.0-card")]).said == ()


def test_a_soname_that_leads_elsewhere_makes_no_place_outside(node):
    library(node / "usr/lib64/libodd.so.1", soname="../../etc/odd.so")
    (only,) = injected(node, mounts=[mount(f"{LIBS}/libodd.so.1")]).libraries
    assert only.links == ("odd.so",)


def test_two_libraries_of_one_name_and_one_of_another_processor_are_said(node):
    library(node / "opt/libstand.so.5.1", soname="libstand.so.5")
    library(node / "opt/libforeign.so.1")
    data = bytearray((node / "opt/libforeign.so.1").read_bytes())
    data[18:20] = struct.pack("<H", 243)
    (node / "opt/libforeign.so.1").write_bytes(data)
    (node / "opt/libbroken.so.1").write_bytes(data[:80])
    paths = [f"{LIBS}/libstand.so.5.1", "/opt/libstand.so.5.1", "/opt/libforeign.so.1", "/opt/libbroken.so.1"]
    got = injected(node, mounts=[mount(path) for path in paths])
    assert len(got.libraries) == 1
    assert [words in sentence for words, sentence in zip(
        ("has the same name", "it is for riscv64", "no valid ELF file"), got.said, strict=True
    )] == [True] * 3  # fmt: skip


def test_one_soname_of_two_libraries_goes_to_the_first(node):
    library(node / "opt/libstand.so.5.2", soname="libstand.so.5")
    got = injected(node, mounts=[mount(f"{LIBS}/libstand.so.5.1"), mount("/opt/libstand.so.5.2")])
    assert [each.links for each in got.libraries] == [("libstand.so.5",), ()] and "has it" in got.said[0]


def test_device_files_that_must_be_there_and_those_that_cannot_be(node):
    nodes = [{"path": "/dev/null"}, {"path": "/dev/card0", "hostPath": "/driver/dev/card0"}, {"path": "/opt/a"}]
    got = injected(node, deviceNodes=nodes)
    assert got.nodes == ("/dev/null",) and len(got.said) == 2


def test_groups_and_what_only_other_engines_do_are_said():
    network = [{"hostInterfaceName": "ib0", "name": "ib0"}]
    edits = edits_of(additionalGids=[0, 44, 45], netDevices=network)
    got = inject(edits, groups=(45,))
    assert got.said == (
        "you are not in the group 44, which the device wants", "netDevices needs an engine that reads CDI itself",
    )  # fmt: skip
