"""Values that a kernel and its ranks have in common: devices, an image's file, an environment's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from .container import ImageKind


@dataclass(frozen=True)
class Devices:
    """What the node looks up in its descriptions (CDI 1.1.0), and where the container sees it.

    Of each of the ``kinds`` (``nvidia.com/gpu``) the job gets those that its scheduler has given to it, where the node
    has that kind, and of those that are asked for by ``names`` each. ``directories`` have the site's descriptions,
    beside the standard ones and the user's. ``inside`` is a directory in the kernel's own.
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    directories: tuple[str, ...]
    inside: str


@dataclass(frozen=True)
class ImageFile:
    """An image's file as it was when a launch was planned: a node compares it before it runs the image.

    ``size_bytes`` is 0, and ``owner`` (a user id) None, where they are not known.
    """

    path: str
    kind: ImageKind
    size_bytes: int
    owner: Optional[int]


@dataclass(frozen=True)
class Rules:
    """How the environment of a container's programs is composed (``guest.environment``).

    ``env`` wins over the job's own variables, of which those are passed on that match ``pass_env`` and not
    ``drop_env``; ``image_env`` gives way to both.
    """

    env: Mapping[str, str]
    image_env: Mapping[str, str]
    pass_env: tuple[str, ...]
    drop_env: tuple[str, ...]
