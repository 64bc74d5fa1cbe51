"""What NVIDIA's driver says of the slices of its GPUs (MIG): which there are, and the UUIDs that programs name them by.

Asked through the driver's own library for its management (NVML), which is there wherever the driver is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_UUID_BYTES = 96  # NVML_DEVICE_UUID_V2_BUFFER_SIZE
_MOST = 64
_OK = 0


@dataclass(frozen=True)
class Slice:
    """A slice of a GPU.

    Attributes
    ----------
    minor : int
        The number of the GPU's device file.
    index : int
        Its own number among the GPU's slices.
    uuid : str
        Its UUID; an empty string where it is not known.
    gpu_instance, compute_instance : int
        Its place in the GPU, as ``/proc/driver/nvidia/capabilities`` has it.
    """

    minor: int
    index: int
    uuid: str
    gpu_instance: int
    compute_instance: int


def slices(library: str = "libnvidia-ml.so.1") -> tuple[Slice, ...]:
    """Return the slices of all GPUs; none where the library is not there, or has no answer.

    Parameters
    ----------
    library : str
        NVML, as a name for the linker or as a path.
    """
    import ctypes  # here: it takes milliseconds, and few nodes have slices

    try:
        nvml = ctypes.CDLL(library)
        if nvml.nvmlInit_v2() != _OK:
            return ()
        try:
            return tuple(_all(nvml, ctypes))
        finally:
            nvml.nvmlShutdown()
    except (OSError, AttributeError):  # AttributeError: a driver from before there were slices
        return ()


def _all(nvml: Any, ctypes: Any) -> list[Slice]:
    found = []
    for index in range(min(_number(nvml.nvmlDeviceGetCount_v2, ctypes) or 0, _MOST)):
        gpu = ctypes.c_void_p()
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(gpu)) != _OK:
            continue
        minor = _number(nvml.nvmlDeviceGetMinorNumber, ctypes, gpu)
        count = _number(nvml.nvmlDeviceGetMaxMigDeviceCount, ctypes, gpu) or 0
        for place in range(min(count, _MOST) if minor is not None else 0):
            cut = ctypes.c_void_p()
            if nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, place, ctypes.byref(cut)) != _OK:
                continue
            uuid = ctypes.create_string_buffer(_UUID_BYTES)
            known = nvml.nvmlDeviceGetUUID(cut, uuid, _UUID_BYTES) == _OK
            instance = _number(nvml.nvmlDeviceGetGpuInstanceId, ctypes, cut)
            part = _number(nvml.nvmlDeviceGetComputeInstanceId, ctypes, cut)
            if instance is not None and part is not None and minor is not None:
                text = uuid.value.decode("ascii", "replace") if known else ""
                found.append(Slice(minor, place, text, instance, part))
    return found


def _number(function: Any, ctypes: Any, *of: Any) -> int | None:
    value = ctypes.c_uint()
    return int(value.value) if function(*of, ctypes.byref(value)) == _OK else None
