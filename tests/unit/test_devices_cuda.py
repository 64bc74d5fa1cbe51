"""Which libcuda is used, an image's own or the node's: as NVIDIA's hook has it."""

import json

import pytest
from support.specs import library

from jupyter_hpcctr.devices.cuda import Note, read_note, wants_compat
from jupyter_hpcctr.devices.elf import read_section

NOTE = Note("12.9", (535, 550, 570))


def noted(path, text, owner="NVIDIA Corporation"):
    """Compile a library with a note as CUDA's compatibility libraries have it."""
    quoted = json.dumps(text)
    body = f"""
    struct note {{ unsigned owner_size, size, type; char owner[20]; char text[{len(text)}]; }};
    __attribute__((section(".note.cuda.fwd_compatibility,\\"a\\",@note #"), used, aligned(4)))
    static const struct note it = {{ {len(owner) + 1}, {len(text)}, 1, "{owner}", {quoted} }};
    """
    return str(library(path, body=body))


def test_the_note_of_a_compatibility_library_is_read(tmp_path):
    text = json.dumps({"Format": 1, "CUDA Version": "12.9", "Driver": [535, 550, 570], "Device": [1, 2]})
    assert read_note(noted(tmp_path / "libcuda.so.575.51.03", text)) == NOTE


@pytest.mark.parametrize("text", ["{not JSON}", '{"Driver": 5}', "[]"])
def test_a_note_that_cannot_be_read_is_none(tmp_path, text):
    assert read_note(noted(tmp_path / "x.so", text)) is None


def test_a_note_of_another_owner_and_a_library_without_one(tmp_path):
    assert read_note(noted(tmp_path / "x.so", '{"Driver": [1]}', owner="Somebody Else")) is None
    plain = str(library(tmp_path / "y.so"))
    assert read_note(plain) is None and read_section(plain, ".shstrtab").count(b".text") >= 1


@pytest.mark.parametrize(
    ("name", "driver", "note", "used"),
    [
        ("libcuda.so.575.51.03", "550.54.15", NOTE, True),
        ("libcuda.so.575.51.03", "580.159.04", NOTE, False),
        ("libcuda.so.575.51.03", "560.28.03", NOTE, False),
        ("libcuda.so.535.1.1", "535.2.2", NOTE, False),
        ("libcuda.so.575.51.03", "550.54.15", None, True),
        ("libcuda.so.575.51.03", "575.1.1", None, False),
        ("libcuda.so.1", "550.54.15", NOTE, False),
        ("libcuda.so.575.51.03", "", NOTE, False),
    ],
)
def test_an_images_library_comes_first_where_it_is_newer_and_made_for_the_nodes_driver(name, driver, note, used):
    assert wants_compat(name, driver, note) is used
