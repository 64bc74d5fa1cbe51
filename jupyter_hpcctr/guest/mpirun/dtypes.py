"""NumPy's dtypes as JSON, structured ones with their offsets. ``np`` is NumPy, where there is one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def describe(np: Any, dtype: Any) -> Any:
    """Return a dtype as JSON for ``dtype_of``; None for one that holds objects or is not NumPy's own."""
    if dtype.hasobject or dtype.metadata:
        return None
    if dtype.subdtype is not None:
        base = describe(np, dtype.subdtype[0])
        return None if base is None else [base, list(dtype.subdtype[1])]
    if dtype.names is None:
        return dtype.str if np.dtype(dtype.str) == dtype else None
    formats = [describe(np, dtype.fields[name][0]) for name in dtype.names]
    if None in formats or dtype.type is not np.void or any(len(field) > 2 for field in dtype.fields.values()):
        return None
    return {
        "names": list(dtype.names),
        "formats": formats,
        "offsets": [dtype.fields[name][1] for name in dtype.names],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def dtype_of(np: Any, described: Any) -> Any:
    """Return the dtype that was described."""
    if isinstance(described, str):
        return np.dtype(described)
    if isinstance(described, list):
        return np.dtype((dtype_of(np, described[0]), tuple(described[1])))
    fields = {key: described[key] for key in ("names", "offsets", "itemsize")}
    fields["formats"] = [dtype_of(np, each) for each in described["formats"]]
    return np.dtype(fields, align=described["aligned"])
