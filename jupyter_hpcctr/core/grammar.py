"""How the values of a request are written: the one owner of every pattern and every bound.

Each pattern means the same to Python, to ECMAScript and to JSON Schema, and matches the whole value. ``request``
parses by these, the REST document (``server/openapi.yaml``) holds them, and the form hands them to the page. So what
one of them takes, all of them take. Bounds are those of digits, so that a pattern alone decides; what a
value can become stays within the pattern that reads it again.
"""

from __future__ import annotations

import re
from typing import Any

MOST_COUNT, MOST_MB, MOST_MINUTES = 10**7 - 1, 10**10 - 1, 10**8 - 1
MOST_DAYS, MOST_GB = 9999, 999_999
"""The most days and GiB that can be written as such; what is more is written in minutes and MiB."""
MOST_MOUNTS, MOST_VARIABLES, MOST_WORDS, LONGEST_PATH = 100, 200, 200, 4096


def _positive(digits: int) -> str:
    return f"0{{0,9}}[1-9][0-9]{{0,{digits - 1}}}"


# OCI distribution-spec 1.1, "Pulling manifests": name, tag and digest grammars; the host part as
# in the reference grammar of distribution/reference.
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
LOCAL = r"(?:oci|oci-archive|docker-archive):[^\x00\n]+"
"""skopeo's names of images in files."""
REFERENCE = (
    rf"{LOCAL}|(?:{_HOST}/)?{_NAME}(?:/{_NAME})*(?::[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
WORD = r"[^\x00-\x20\x7f-\xa0-][^\x00-\x20\x7f-\xa0]{0,199}"
"""A name in the scheduler's sense, or an expression of such (sbatch(1), ``--constraint``); no option."""
COUNT = _positive(7)
_AMOUNT = f"{_positive(10)}[Mm]|{_positive(13)}[Kk]|{_positive(6)}[Gg]|{_positive(3)}[Tt]"
MEMORY = rf"[ \t]*(?:{_positive(10)}|(?:{_AMOUNT})[Bb]?)[ \t]*"
"""sbatch(1) ``--mem``."""
_TWO, _ABOVE, _NONE = "[0-9]{1,2}", "(?:0?[1-9]|[1-9][0-9])", "0{1,10}"  # of each form, one part is above zero
_CLOCK = (
    f"{_positive(7)}:{_TWO}|{_NONE}:{_ABOVE}|{_positive(6)}:{_TWO}:{_TWO}|{_NONE}:{_ABOVE}:{_TWO}|{_NONE}:00?:{_ABOVE}"
)
_DAYS = (
    f"{_positive(4)}-{_TWO}(?::{_TWO}){{0,2}}|{_NONE}-{_ABOVE}(?::{_TWO}){{0,2}}"
    f"|{_NONE}-00?:{_ABOVE}(?::{_TWO})?|{_NONE}-00?:00?:{_ABOVE}"
)
TIME = rf"[ \t]*(?:{_positive(8)}|{_CLOCK}|{_DAYS})[ \t]*"
"""sbatch(1) ``--time``: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]]."""
GPUS = rf"(?:{WORD}:)?0{{0,9}}[0-9]{{1,6}}"
_COMPONENT = r"(?:[^/:.\x00][^/:\x00]*|\.[^/:.\x00][^/:\x00]*|\.\.[^/:\x00]+|\.)"
PATH = rf"(?:/{_COMPONENT}?)+"
"""An absolute path without ``..`` and without colons."""
MOUNT = rf"{PATH}(?::(?:{PATH})?(?::(?:ro|rw)?)?)?"
DEVICE = "[A-Za-z][A-Za-z0-9_.-]{0,252}/[A-Za-z][A-Za-z0-9_.-]{0,62}=[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}"
"""A device's qualified name (CDI 1.1.0, "kind" and "devices"): ``nvidia.com/gpu=0``, ``hpe.com/cxi=all``."""
VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
ANNOTATION = r"[^\x00-\x20\x7f-\xa0=]{1,200}"
"""An annotation's key (OCI image-spec, "Annotations"): ``com.hooks.cxi.enabled``."""
LINE = r"[^\x00\n]*"
TEXT = r"[^\x00]*"


def fits(pattern: str, text: str) -> bool:
    """Return whether a text is wholly what a pattern says."""
    return re.fullmatch(pattern, text) is not None


def anchored(pattern: str) -> str:
    """Return a pattern as JSON Schema wants it, which searches."""
    return f"^(?:{pattern})$"


def _number(pattern: str, least: int, most: int) -> dict[str, Any]:
    return {"type": ["integer", "string", "null"], "pattern": anchored(pattern), "minimum": least, "maximum": most}


def properties() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each of a request's fields (draft 2020-12), without descriptions."""
    word = {"type": ["string", "null"], "pattern": anchored(WORD)}
    count = _number(COUNT, 1, MOST_COUNT)
    mem, time = _number(MEMORY, 1, MOST_MB), _number(TIME, 1, MOST_MINUTES)
    words = ("engine", "scheduler", "gpu_type", "partition", "account", "qos", "constraint", "reservation")
    return {
        "image": {"type": ["string", "null"], "pattern": anchored(REFERENCE)},
        **dict.fromkeys(words, word),
        **dict.fromkeys(("nodes", "ntasks", "ntasks_per_node", "cpus_per_task"), count),
        **dict.fromkeys(("mem", "mem_mb"), mem),
        **dict.fromkeys(("time", "time_minutes"), time),
        "gpus_per_node": _number(GPUS, 0, 10**6 - 1),
        "mounts": _list(MOUNT, MOST_MOUNTS),
        "devices": _list(DEVICE, MOST_MOUNTS),
        "env": {
            "type": ["object", "null"],
            "maxProperties": MOST_VARIABLES,
            "propertyNames": {"pattern": anchored(VARIABLE)},
            "additionalProperties": {"type": "string", "pattern": anchored(LINE)},
        },
        "annotations": {
            "type": ["object", "null"],
            "maxProperties": MOST_VARIABLES,
            "propertyNames": {"pattern": anchored(ANNOTATION)},
            "additionalProperties": {"type": "string", "pattern": anchored(LINE)},
        },
        "workdir": {"type": ["string", "null"], "maxLength": LONGEST_PATH, "pattern": anchored(PATH)},
        "argv": _list(TEXT, MOST_WORDS),
        "python": {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_PATH, "pattern": anchored(LINE)},
    }


def _list(pattern: str, most: int) -> dict[str, Any]:
    item = {"type": "string", "pattern": anchored(pattern)}
    return {"type": ["array", "null"], "maxItems": most, "items": item}
