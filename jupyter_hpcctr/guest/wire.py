"""The frames of a Jupyter message, by the standard library alone (Jupyter messaging, "The wire protocol").

Shared by the agent, which must start fast, the front, and what runs in the container.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

DELIMITER = b"<IDS|MSG>"
PROTOCOL = "5.4"


class Message(NamedTuple):  # no dataclass: that import would be a fifth of the agent's start
    """One message: routing identities and the four dictionaries."""

    idents: tuple[bytes, ...]
    header: Mapping[str, Any]
    parent: Mapping[str, Any]
    metadata: Mapping[str, Any]
    content: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The ``msg_type``."""
        return str(self.header.get("msg_type", ""))

    def is_older(self, moment: datetime) -> bool:
        """Whether it was made before ``moment``; False where its header does not say that with a time zone."""
        try:
            return datetime.fromisoformat(str(self.header.get("date")).replace("Z", "+00:00")) < moment
        except (ValueError, TypeError):
            return False


@functools.lru_cache(maxsize=16)
def header_of(text: bytes) -> Mapping[str, Any]:
    """Read a header, also one that many messages repeat; empty where it cannot be read. Do not change it."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def sign(key: bytes, parts: Iterable[bytes]) -> bytes:
    """Return the hexadecimal HMAC-SHA256 of a message's four dictionaries; empty without a key."""
    if not key:
        return b""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(part)
    return mac.hexdigest().encode()


def pack(
    key: bytes,
    kind: str,
    content: Mapping[str, Any],
    *,
    session: str,
    parent: Mapping[str, Any] | None = None,
    idents: Sequence[bytes] = (),
) -> list[bytes]:
    """Make the frames of a new message."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": session,
        "username": "hpcctr",
        "date": datetime.now(timezone.utc).isoformat(),
        "version": PROTOCOL,
    }
    parts = [json.dumps(part, ensure_ascii=False).encode() for part in (header, parent or {}, {}, content)]
    return [*idents, DELIMITER, sign(key, parts), *parts]


def unpack(key: bytes, frames: Sequence[bytes]) -> Message | None:
    """Read a message's frames; None where they are none or the signature is wrong."""
    try:
        at = list(frames).index(DELIMITER)
    except ValueError:
        return None
    parts = frames[at + 2 : at + 6]
    if len(parts) < 4 or not hmac.compare_digest(sign(key, parts), frames[at + 1]):
        return None
    try:
        header, parent, metadata, content = (json.loads(part) for part in parts)
    except ValueError:
        return None
    return Message(tuple(frames[:at]), header, parent, metadata, content)
