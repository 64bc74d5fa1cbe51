"""Values on their way between the notebook and the ranks: what they are as JSON, and their bytes apart.

NumPy arrays, bytes, numbers, text, and lists, tuples and dicts (with keys that are str) of those travel without
pickle. Anything else is pickled with protocol 5, whose large buffers travel like those of arrays.

The bytes of a message are in one file in memory, a ``Segment``. Whoever writes one copies each byte once, and
who reads it maps the file and copies none of an array's. Pickles are read: segments are files of one's own,
and both sides run the user's code anyway.
"""

from __future__ import annotations

import json
import math
import pickle
import sys

from .dtypes import describe, dtype_of
from .segment import DataError, Segment, new_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .segment import Buffer

    Header = dict[str, Any]
    """``tree``: the value; ``buffers``: place and length of each of its buffers in the segment (place: None
    before there is one); ``pickle``: [first buffer, number of buffers], where something is pickled."""

__all__ = ["DataError", "Segment", "new_name", "pack", "unpack"]
_TEXT_MOST = 4096  # characters; longer ones are no part of the JSON
_NODES_MOST = 2000
_SMALL_INT = 2**63


class _Cycle(Exception):  # noqa: N818  (a signal to pack, never seen by others)
    pass


def pack(value: object) -> tuple[Header, list[Buffer]]:
    """Describe a value, without a copy of its large parts.

    Returns
    -------
    tuple
        The header, which is JSON, and the buffers for ``Segment.create``.

    Raises
    ------
    DataError
        The value, or a part of it, cannot be pickled.
    """
    packer = _Packer()
    try:
        tree = packer.node(value)
    except (_Cycle, RecursionError):  # pickle knows how to refer to what came before
        packer = _Packer()
        tree = packer.foreign(value)
    if packer.nodes > _NODES_MOST:
        tree = ["json", packer.buffer(memoryview(json.dumps(tree).encode()))]
    header: Header = {"tree": tree}
    if packer.foreigners:
        first = len(packer.buffers)
        packer.pickle()
        header["pickle"] = [first, len(packer.buffers) - first]
    header["buffers"] = [[None, buffer.nbytes] for buffer in packer.buffers]
    return header, packer.buffers


class _Packer:
    """One value on its way to JSON. A node is a JSON scalar for itself, or a list that begins with its kind."""

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []
        self.foreigners: list[object] = []
        self.nodes = 0
        self._inside: set[int] = set()

    def node(self, value: Any) -> Any:
        self.nodes += 1
        kind = type(value)
        if kind is list or kind is tuple or kind is dict:
            return self._container(kind.__name__, value)
        if value is None or kind is bool or (kind is int and -_SMALL_INT < value < _SMALL_INT):
            return value
        if kind is int:
            return ["int", hex(value)]
        if kind is float:
            return value if math.isfinite(value) else ["float", repr(value)]
        if kind is str:
            return self._text(value)
        if kind is bytes or kind is bytearray:
            return [kind.__name__, self.buffer(memoryview(value))]
        return self._array(value)

    def _container(self, kind: str, value: Any) -> Any:
        if id(value) in self._inside:
            raise _Cycle
        self._inside.add(id(value))
        items: Any
        if kind == "dict":
            named = all(type(key) is str and _is_unicode(key) for key in value)
            items = {key: self.node(item) for key, item in value.items()} if named else None
        elif _are_numbers(value):
            items = list(value)
            self.nodes += len(items)
        else:
            items = [self.node(item) for item in value]
        self._inside.discard(id(value))
        return self.foreign(value) if items is None else [kind, items]

    def _text(self, value: str) -> Any:
        if len(value) <= _TEXT_MOST and _is_unicode(value):
            return value
        return ["str", self.buffer(memoryview(value.encode("utf-8", "surrogatepass")))]

    def _array(self, value: Any) -> Any:
        np = sys.modules.get("numpy")  # what was never imported has no arrays
        if np is None or not isinstance(value, (np.ndarray, np.generic)):
            return self.foreign(value)
        dtype = describe(np, value.dtype)
        if dtype is None:
            return self.foreign(value)
        if isinstance(value, np.generic):
            return ["scalar", dtype, value.tobytes().hex()] if value.itemsize else self.foreign(value)
        if type(value) not in (np.ndarray, np.memmap):
            return self.foreign(value)
        order, buffer = _bytes_of(np, value)
        return ["array", dtype, list(value.shape), order, None if buffer is None else self.buffer(buffer)]

    def foreign(self, value: object) -> Any:
        self.foreigners.append(value)
        return ["object", len(self.foreigners) - 1]

    def buffer(self, buffer: Buffer) -> int | None:
        if not buffer.nbytes:
            return None
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def pickle(self) -> None:
        """Add the pickle of all that is foreign, in one so that they may share things, and its buffers."""
        apart: list[pickle.PickleBuffer] = []
        try:
            pickled = pickle.dumps(self.foreigners, protocol=5, buffer_callback=apart.append)
        except Exception as error:  # whatever __reduce__ of the user's classes raises
            raise DataError(f"this cannot be pickled, and so not be sent: {_said(error)}") from error
        self.buffers.append(memoryview(pickled))
        self.buffers += [each.raw() for each in apart]


def unpack(header: Header, segment: Segment | None) -> Any:
    """Return the value. Its arrays lie in the segment's mapping and may be written to (copy on write).

    Raises
    ------
    DataError
        Something is missing on this side: NumPy, a module, a class.
    """
    return _Unpacker(header, segment).value()


class _Unpacker:
    def __init__(self, header: Header, segment: Segment | None) -> None:
        self._tree, self._places = header["tree"], header["buffers"]
        self._pickle = header.get("pickle")
        self._view = memoryview(b"") if segment is None else segment.view
        self._foreigners: list[Any] = []

    def value(self) -> Any:
        if self._pickle is not None:
            first, number = self._pickle
            self._foreigners = _unpickle([self._raw(first + each) for each in range(number)])
        tree = self._tree
        if type(tree) is list and tree[0] == "json":
            tree = json.loads(bytes(self._raw(tree[1])))
        return self._value(tree)

    def _raw(self, number: int | None) -> memoryview:
        if number is None:
            return memoryview(b"")
        at, length = self._places[number]
        return self._view[at : at + length]

    def _value(self, node: Any) -> Any:
        if type(node) is not list:
            return node
        kind, *rest = node
        value: Any = getattr(self, f"_{kind}")(*rest)
        return value

    def _list(self, items: list[Any]) -> list[Any]:
        return [self._value(item) if type(item) is list else item for item in items]

    def _tuple(self, items: list[Any]) -> tuple[Any, ...]:
        return tuple(self._list(items))

    def _dict(self, items: dict[str, Any]) -> dict[str, Any]:
        return {key: self._value(item) for key, item in items.items()}

    def _int(self, digits: str) -> int:
        return int(digits, 16)

    def _float(self, text: str) -> float:
        return float(text)

    def _str(self, number: int) -> str:
        return bytes(self._raw(number)).decode("utf-8", "surrogatepass")

    def _bytes(self, number: int | None) -> bytes:
        return bytes(self._raw(number))

    def _bytearray(self, number: int | None) -> bytearray:
        return bytearray(self._raw(number))

    def _object(self, number: int) -> Any:
        return self._foreigners[number]

    def _scalar(self, dtype: Any, digits: str) -> Any:
        np = _numpy()
        return np.frombuffer(bytes.fromhex(digits), dtype=dtype_of(np, dtype))[0]

    def _array(self, dtype: Any, shape: list[int], order: str, number: int | None) -> Any:
        np = _numpy()
        if number is None:
            return np.empty(shape, dtype=dtype_of(np, dtype), order=order)
        return np.ndarray(shape, dtype=dtype_of(np, dtype), buffer=self._raw(number), order=order)


def _are_numbers(values: Any) -> bool:
    """Whether all are finite floats and ints that every JSON reader knows: most long lists are nothing else."""
    if not values or not set(map(type, values)) <= {int, float}:
        return False
    try:
        return math.isfinite(sum(values)) and min(values) > -_SMALL_INT and max(values) < _SMALL_INT
    except OverflowError:
        return False


def _is_unicode(text: str) -> bool:
    """Whether the text can be encoded: lone surrogates, as of file names, cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _bytes_of(np: Any, array: Any) -> tuple[str, Buffer | None]:
    """Return the order in which the array is to lie in memory, and its bytes in that order."""
    array = np.asarray(array)  # a memmap is an array like others from here on
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    if not array.nbytes:
        return order, None
    if not array.flags.c_contiguous and order == "C":
        return order, array
    flat = (array.T if order == "F" else array).reshape(-1)
    return order, flat.view(np.uint8).data


def _numpy() -> Any:
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        python = f"{sys.executable} ({'.'.join(map(str, sys.version_info[:3]))})"
        message = f"this is a NumPy array, and {python} has no NumPy: add it to the image with 'pip install numpy'"
        raise DataError(message) from error
    return np


def _unpickle(buffers: list[memoryview]) -> list[Any]:
    try:
        values: list[Any] = pickle.loads(buffers[0], buffers=buffers[1:])  # noqa: S301  (see the module's text)
    except ModuleNotFoundError as error:
        raise DataError(f"this needs the module {error.name!r}, which is not there on this side") from error
    except AttributeError as error:
        message = f"this needs a class or function of the other side ({error}): run the cell that defines it here too"
        raise DataError(message) from error
    except Exception as error:  # whatever __setstate__ of the user's classes raises
        raise DataError(f"this cannot be read from its pickle: {_said(error)}") from error
    return values


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
