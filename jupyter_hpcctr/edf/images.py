"""How a file names images, as enroot does: ``HOST#PATH:TAG``, where this package and Podman write ``HOST/PATH:TAG``."""

from __future__ import annotations

import re

from ..core.request import ImageRef
from ..errors import RequestError

_USER = re.compile(r"(?:docker://)?([^@/#:]+)@(?!sha256:)")


def is_host(text: str) -> bool:
    """Return whether the first part of a reference names a registry, as distribution/reference decides it."""
    return "." in text or ":" in text or text == "localhost"


def read(text: str) -> ImageRef:
    """Read the value of ``image``.

    Raises
    ------
    RequestError
        It is no image that this package can fetch.
    """
    if text.startswith((".", "/")):
        raise RequestError(
            f"{text} is a file, and images are kept by their digests here",
            hint="name the image in its registry, or a file as oci-archive:FILE in [x-hpcctr]",
            field="image",
        )
    if user := _USER.match(text):
        raise RequestError(
            f"the image names the user {user[1]!r} of its registry",
            hint=f"leave '{user[1]}@' out, and log in with skopeo login",
            field="image",
        )
    name = text.removeprefix("docker://")
    host, sharp, path = name.partition("#")
    if not sharp:
        return ImageRef(name)
    if not is_host(host):
        hint = "write its name with a domain or a port, or leave it out for Docker Hub"
        raise RequestError(f"{host!r} before '#' is not a registry", hint=hint, field="image")
    return ImageRef(f"{host}/{path}")


def written(image: ImageRef) -> str | None:
    """Return an image as a file names it, None for one that only this package knows how to get."""
    if image.is_local:
        return None
    host, slash, path = image.text.partition("/")
    return f"{host}#{path}" if slash and is_host(host) else image.text
