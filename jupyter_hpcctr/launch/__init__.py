"""The spine: gather → resolve → plan → submit → dial back, and the life of a kernel after that."""

from .gather import draw, gather
from .hub import Hub
from .kernel import Launch
from .listed import Listed
from .preview import Preview
from .view import LaunchView

__all__ = ["Hub", "Launch", "LaunchView", "Listed", "Preview", "draw", "gather"]
