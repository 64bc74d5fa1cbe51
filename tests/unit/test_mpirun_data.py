"""Values between the notebook and the ranks: as they were, without pickle where it is promised, copied once."""

import collections
import json
import math
import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from jupyter_hpcctr.guest.mpirun import data
from jupyter_hpcctr.guest.mpirun.data import DataError, Segment, pack, unpack


def carried(value, directory):
    """The value on the other side, and its header as that side got it."""
    header, buffers = pack(value)
    segment = Segment.create([(header, buffers)], str(directory))
    try:
        there = None if segment is None else Segment.open(json.loads(json.dumps(segment.described())))
    finally:
        if segment is not None:
            segment.unlink()
    header = json.loads(json.dumps(header, allow_nan=False))
    return unpack(header, there), header


PLAIN = [
    None, True, 0, -1, 2**63, -(10**5000), 1.5, -0.0, math.inf, "", "text", "ä€", "\udc80 of a file name",
    "x" * 100_000, "\ud800" * 10_000, b"", b"\0\1", b"b" * 1_000_000, [], (), {}, [[]], ({},),
    [1, 2.5, None, "a", b"b", (1, [2, {"k": (3,)}])], {"": 1, "ä": [True]}, list(range(100_000)),
    [0.5] * 10_000, [float(n) for n in range(3000)] + [math.inf], ["list", 1], ["json", ["x"]], {"tree": []},
    [10**400, -(10**400)], [1e308, 1e308, -1e308], [True, False, 1],
]  # fmt: skip


def same(left, right):
    """Equal in value and in type, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(same(*both) for both in zip(left, right, strict=True))
    return left == right and (type(left) is not float or repr(left) == repr(right))


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:30] if not isinstance(value, int) else "int")
def test_plain_values_arrive_as_they_were_and_without_pickle(value, tmp_path):
    got, header = carried(value, tmp_path)
    assert "pickle" not in header
    assert same(got, value)


def test_nan_and_bytearray_arrive(tmp_path):
    got, header = carried([math.nan, bytearray(b"a"), bytearray()], tmp_path)
    assert math.isnan(got[0]) and got[1:] == [bytearray(b"a"), bytearray()]
    assert "pickle" not in header
    got[1].append(1)


STRUCTURED = np.dtype([("a", "<i4"), ("b", ">f8", (2, 3)), ("c", "U5"), ("d", [("x", "?"), ("y", "M8[ms]")])])
ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)
OVERLAPPING = np.dtype({"names": ["all", "low"], "formats": ["<u4", "<u2"], "offsets": [0, 0], "itemsize": 16})
ARRAYS = {
    "float": np.linspace(0, 1, 7),
    "big endian": np.arange(5, dtype=">i2"),
    "half": np.ones(3, dtype="f2"),
    "long double": np.ones(3, dtype=np.longdouble) / 3,
    "complex": np.array([[1 + 2j]], dtype="c8"),
    "bool": np.array([True, False]),
    "0-d": np.array(3.5),
    "0-d datetime": np.array("2020-02-02", dtype="M8[us]"),
    "empty": np.zeros((0, 3)),
    "empty of Fortran": np.zeros((3, 0), order="F"),
    "text": np.array(["a", "ünï"]),
    "empty text": np.array(["", ""]),
    "no bytes": np.zeros(3, dtype="S0"),
    "void": np.zeros(3, dtype="V5"),
    "datetime": np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
    "timedelta": np.array([1, 2], dtype="m8[25s]"),
    "Fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "every other": np.arange(20).reshape(4, 5)[::2, ::-1],
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "structured": np.zeros(2, dtype=STRUCTURED),
    "structured, every other": np.zeros(4, dtype=STRUCTURED)[::2],
    "aligned": np.ones(2, dtype=ALIGNED),
    "overlapping": np.array([(7, 9)], dtype=OVERLAPPING),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_arrive_as_they_were_and_without_pickle(name, tmp_path):
    array = ARRAYS[name]
    got, header = carried(array, tmp_path)
    assert "pickle" not in header
    assert type(got) is np.ndarray
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert got.tobytes() == array.tobytes()
    assert got.dtype.isalignedstruct == array.dtype.isalignedstruct
    if array.ndim > 1 and array.flags.f_contiguous:
        assert got.flags.f_contiguous
    assert got.flags.writeable and got.flags.aligned


def test_what_was_written_to_an_array_is_seen_by_nobody_else(tmp_path):
    array = np.arange(1000.0)
    array.flags.writeable = False
    header, buffers = pack(array)
    segment = Segment.create([(header, buffers)], str(tmp_path))
    try:
        one, other = (unpack(header, Segment.open(segment.described())) for _ in range(2))
    finally:
        segment.unlink()
    one[:] = -1
    assert (other == array).all() and (one == -1).all()


def test_scalars_of_numpy_keep_their_type(tmp_path):
    values = [np.float64(1.5), np.int8(-3), np.datetime64("2020-01-01T00:00", "m"), np.bool_(True), np.str_(""),
              np.zeros(1, dtype=STRUCTURED)[0]]  # fmt: skip
    got, _ = carried(values, tmp_path)
    assert [type(v) for v in got] == [type(v) for v in values]
    assert got == values


def test_a_mapped_file_arrives_as_an_array(tmp_path):
    array = np.memmap(tmp_path / "a", dtype="i4", shape=(3,), mode="w+")
    got, header = carried(array, tmp_path)
    assert type(got) is np.ndarray and "pickle" not in header


class Mine:
    """What only pickle can carry."""

    def __init__(self, value):
        self.value = value


def test_anything_else_is_pickled_with_its_arrays_apart(tmp_path):
    big = np.arange(100_000)
    shared = Mine(big)
    value = [1, {"a": shared, "b": shared}, collections.OrderedDict(k=big), {1: 2}, np.array([Mine(1)], dtype=object)]
    got, header = carried(value, tmp_path)
    first, number = header["pickle"]
    assert header["buffers"][first][1] < 2000 and number == 2
    assert got[1]["a"] is got[1]["b"]
    assert (got[1]["a"].value == big).all() and got[1]["a"].value.flags.writeable
    assert isinstance(got[2], collections.OrderedDict) and got[3] == {1: 2} and got[4][0].value == 1


def test_what_refers_to_itself_arrives(tmp_path):
    value = [np.arange(3)]
    value.append(value)
    got, _ = carried(value, tmp_path)
    assert got[1] is got and got[0].tolist() == [0, 1, 2]


def test_the_same_thing_twice_side_by_side_is_no_cycle(tmp_path):
    inner = [1]
    assert "pickle" not in carried([inner, inner], tmp_path)[1]


def test_what_cannot_be_pickled_is_said(tmp_path):
    with pytest.raises(DataError, match=r"cannot be pickled, and so not be sent: TypeError: .*lock"):
        pack({"a": threading.Lock()})


def test_a_header_stays_small_however_long_the_list(tmp_path):
    header, _ = pack([[n, str(n)] for n in range(50_000)] + ["x" * 1_000_000])
    assert len(json.dumps(header)) < 1000


def test_many_values_and_many_buffers_share_one_file(tmp_path):
    values = {f"v{n}": np.full(n % 40, n) if n % 7 else np.arange(n)[::3] for n in range(2000)}
    packed = {name: pack(value) for name, value in values.items()}
    segment = Segment.create(packed.values(), str(tmp_path))
    try:
        there = Segment.open(segment.described())
        for name, (header, _) in packed.items():
            assert all(at % 64 == 0 for at, _ in header["buffers"])
            assert (unpack(header, there) == values[name]).all()
    finally:
        segment.unlink()


def test_the_file_is_private_and_in_memory_and_its_end_is_the_makers(tmp_path):
    segment = Segment.create([pack(b"secret")], str(tmp_path))
    state = os.stat(segment.path)
    assert segment.path.startswith(f"/dev/shm/hpcctr-{os.getuid()}-")
    assert stat.S_IMODE(state.st_mode) == 0o600
    there = Segment.open(segment.described())
    segment.unlink()
    segment.unlink()
    assert bytes(there.view) == b"secret"


def test_without_room_in_memory_the_directory_is_used_and_then_it_is_an_error(tmp_path):
    missing = str(tmp_path / "none")
    segment = Segment.create([pack(b"x")], str(tmp_path), memory=missing)
    assert os.path.dirname(segment.path) == str(tmp_path)
    segment.unlink()
    with pytest.raises(DataError, match=r"cannot be put where .*none: No such file"):
        Segment.create([pack(b"x")], missing, memory=missing)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"1e-09 GB .*: no room"):
        Segment.create([pack(b"x")], str(tmp_path), memory=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_shorter_than_promised_is_refused(tmp_path):
    segment = Segment.create([pack(b"x" * 100)], str(tmp_path), memory=str(tmp_path))
    os.truncate(segment.path, 50)
    with pytest.raises(DataError, match="not the file"):
        Segment.open(segment.described())
    os.unlink(segment.path)
    with pytest.raises(DataError, match="cannot be mapped: No such file"):
        Segment.open(segment.described())


def test_a_write_that_is_cut_short_goes_on(tmp_path, monkeypatch):
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, parts, at: whole(fd, [parts[0][:7]], at))
    value = [bytes(range(200)), np.arange(50), b"z" * 65]
    got, _ = carried(value, tmp_path)
    assert got[0] == value[0] and (got[1] == value[1]).all() and got[2] == value[2]


def test_a_class_that_is_not_there_is_said(tmp_path, monkeypatch):
    header, buffers = pack(Mine(1))
    segment = Segment.create([(header, buffers)], str(tmp_path))
    monkeypatch.delattr(sys.modules[__name__], "Mine")
    with pytest.raises(DataError, match=r"class or function of the other side .*Mine.*run the cell that defines it"):
        unpack(header, segment)
    segment.unlink()


def test_without_numpy_bytes_arrive_and_arrays_are_a_sentence(tmp_path):
    code = """
import json, sys
sys.modules["numpy"] = None
from jupyter_hpcctr.guest.mpirun.data import DataError, Segment, pack, unpack
plain, array, described = json.loads(sys.stdin.read())
segment = Segment.open(described)
print(unpack(plain, segment) == {"b": b"bytes"}, pack([1, b"x"])[0]["tree"])
try:
    unpack(array, segment)
except DataError as error:
    print(error)
"""
    packed = [pack({"b": b"bytes"}), pack(np.arange(3))]
    segment = Segment.create(packed, str(tmp_path))
    told = json.dumps([packed[0][0], packed[1][0], segment.described()])
    done = subprocess.run([sys.executable, "-c", code], input=told, capture_output=True, text=True, timeout=30)
    segment.unlink()
    assert done.stderr == ""
    assert done.stdout.startswith("True ['list', [1, ['bytes', 0]]]\nthis is a NumPy array, and ")
    assert "has no NumPy" in done.stdout


def test_nothing_is_imported_that_a_plain_python_lacks():
    code = f"import sys; sys.path[:0] = {sys.path!r}; import {data.__name__}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-E", "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "zmq", "IPython"} & set(done.stdout.split())
