"""What a request works with: the conversation, the nodes, the worlds on them, and the way of values between them."""

from __future__ import annotations

from typing import Protocol

from .segments import Traffic
from .site import Nodes, Site


class Work(Nodes, Protocol):
    """The hub, as the flows of its requests see it."""

    site: Site
    traffic: Traffic
