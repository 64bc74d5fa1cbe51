"""What libraries say of themselves is read as the linker wrote it, and a hostile file is refused in bounded time."""

import os
import struct
import sys

import pytest
from support.specs import library, program

from jupyter_hpcctr.devices.elf import Elf, ElfError, has_glibc, newest_glibc, read_elf

OURS = os.uname().machine


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A library that needs another one, whose functions have versions."""
    directory = tmp_path_factory.mktemp("elf")
    (directory / "script").write_text(
        "STAND_1.0 { global: stand; local: *; };\nSTAND_2.0 { global: later; } STAND_1.0;\n"
    )
    body = "int stand(void) { return 1; } int later(void) { return 2; }"
    library(
        directory / "libstand.so.1.2", soname="libstand.so.1", body=body,
        flags=(f"-Wl,--version-script={directory}/script",),
    )  # fmt: skip
    (directory / "libstand.so").symlink_to("libstand.so.1.2")
    body = '#include <stdio.h>\nint later(void); int g(void) { return printf("%d", later()); }'
    flags = (f"-L{directory}", "-Wl,--no-as-needed", "-lstand", "-Wl,-rpath,/opt/stand/lib")
    library(directory / "libuser.so.3", soname="libuser.so.3", body=body, flags=("-Wl,--enable-new-dtags", *flags))
    return directory


def test_a_library_says_its_name_what_it_needs_and_which_versions(made):
    elf = read_elf(f"{made}/libuser.so.3")
    assert (elf.bits, elf.machine, elf.soname) == (struct.calcsize("P") * 8, OURS, "libuser.so.3")
    assert elf.needed[0] == "libstand.so.1" and "libc.so.6" in elf.needed
    assert elf.wants["libstand.so.1"] == ("STAND_2.0",) and elf.runpath == ("/opt/stand/lib",)
    assert newest_glibc(elf) >= (2, 2) and elf.interpreter == ""


def test_a_library_says_which_versions_it_has(made):
    assert read_elf(f"{made}/libstand.so.1.2").defines == ("STAND_1.0", "STAND_2.0")


def test_the_c_library_says_which_it_is():
    name = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    with open("/proc/self/maps") as maps:
        path = next(line.split()[-1] for line in maps if line.rstrip().endswith("libc.so.6"))
    elf = read_elf(path)
    assert elf.soname == "libc.so.6" and has_glibc(elf) <= tuple(map(int, name.split(".")))
    assert has_glibc(elf) >= (2, 17)


def test_a_program_says_what_loads_it(tmp_path):
    elf = read_elf(str(program(tmp_path / "it")))
    assert "ld-" in elf.interpreter and elf.soname == "" and "libc.so.6" in elf.needed
    assert read_elf(sys.executable).machine == OURS


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        ((), (0, 0)),
        (("GLIBC_2.2.5", "GLIBC_2.14", "GLIBC_2.9"), (2, 14)),
        (("GLIBC_2.2.5", "GLIBC_PRIVATE", "GLIBCXX_3.4.30"), (2, 2)),
        (("GLIBC_2.34", "GLIBC_ABI_DT_RELR"), (2, 36)),
    ],
)
def test_the_newest_glibc_is_told_by_numbers(names, newest):
    assert newest_glibc(Elf("x", 64, "x86_64", wants={"libc.so.6": names})) == newest


def test_what_is_no_elf_file_is_none(tmp_path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "empty").write_text("")
    os.mkfifo(tmp_path / "fifo")
    assert [read_elf(str(tmp_path / name)) for name in ("script", "empty", "fifo")] == [None, None, None]
    with pytest.raises(FileNotFoundError):
        read_elf(str(tmp_path / "none"))


def test_a_file_that_is_cut_off_anywhere_is_refused_or_read(made, tmp_path):
    data = (made / "libuser.so.3").read_bytes()
    refused = 0
    for size in range(4, len(data), 97):
        (tmp_path / "cut").write_bytes(data[:size])
        try:
            assert read_elf(str(tmp_path / "cut")) is not None
        except ElfError as error:
            refused += 1
            assert str(tmp_path / "cut") in str(error)
    assert refused > 5


def test_damage_anywhere_in_the_tables_never_hangs_or_takes_much(made, tmp_path):
    data = (made / "libuser.so.3").read_bytes()
    for at in range(0, min(len(data), 4096), 13):
        for value in (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"):
            (tmp_path / "hurt").write_bytes(data[:at] + value + data[at + 4 :])
            try:
                read_elf(str(tmp_path / "hurt"))
            except ElfError:
                continue


def crafted(tags, tables):
    """Return a little-endian 64-bit library with dynamic tags, and bytes at the address (and offset) 0x1000."""
    dynamic = b"".join(struct.pack("<qQ", *tag) for tag in (*tags, (0, 0)))
    header = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    )
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, 1 << 20, 1 << 20, 4096)
    dyn = struct.pack("<IIQQQQQQ", 2, 4, 512, 512, 512, len(dynamic), len(dynamic), 8)
    head = (header + load + dyn).ljust(512, b"\0") + dynamic
    return head.ljust(0x1000, b"\0") + tables.ljust(0x2000, b"\0")


STRINGS = (5, 0x1000)
VERNEED = [(0x6FFFFFFE, 0x1100), (0x6FFFFFFF, 1 << 60)]


def test_a_crafted_library_is_read(tmp_path):
    (tmp_path / "x").write_bytes(crafted([STRINGS, (14, 1)], b"\0libx.so.1\0"))
    assert read_elf(str(tmp_path / "x")).soname == "libx.so.1"


@pytest.mark.parametrize(
    ("tags", "tables"),
    [
        ([STRINGS, *VERNEED], b"\0a\0".ljust(0x100, b"\0") + struct.pack("<HHIII", 1, 0xFFFF, 1, 16, 0xFFFFFFFF)
         + struct.pack("<IHHII", 0, 0, 0, 1, 0xFFFFFFFF)),
        ([STRINGS, *VERNEED], b"\0a\0".ljust(0x100, b"\0") + struct.pack("<HHIII", 1, 0, 1, 16, 1) * 400),
        ([STRINGS, (14, 1 << 62)], b""),
        ([STRINGS, (14, 0)], b"x" * 0x2000),
        ([(14, 1)], b""),
        ([(5, 1 << 50), (14, 1)], b""),
        ([STRINGS, (0x6FFFFFFC, 1 << 40), (0x6FFFFFFD, 5)], b""),
    ],
    ids=["version chain out of the file", "version chain byte by byte", "name out of the file", "name without end",
         "no names", "names at no address", "versions at no address"],
)  # fmt: skip
def test_crafted_chains_and_addresses_are_refused(tmp_path, tags, tables):
    (tmp_path / "x").write_bytes(crafted(tags, tables))
    with pytest.raises(ElfError, match="no valid ELF file"):
        read_elf(str(tmp_path / "x"))


def test_a_long_list_of_needed_libraries_is_bounded(tmp_path):
    data = bytearray(crafted([STRINGS], b"\0a\0"))
    tags = b"".join(struct.pack("<qQ", 1, 1) for _ in range(20_000))
    data += bytes(-len(data) % 4096)
    start = len(data)
    data += tags
    data[64 + 56 + 8 : 64 + 56 + 16] = struct.pack("<Q", start)
    data[64 + 56 + 32 : 64 + 56 + 40] = struct.pack("<Q", len(tags))
    (tmp_path / "x").write_bytes(bytes(data))
    with pytest.raises(ElfError, match="too long"):
        read_elf(str(tmp_path / "x"))
