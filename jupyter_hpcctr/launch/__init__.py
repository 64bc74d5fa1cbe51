"""The spine: gather → resolve → plan → submit → dial back, and the life of a kernel after that."""

from .gather import draw, gather
from .hub import Hub
from .kernel import Launch

__all__ = ["Hub", "Launch", "draw", "gather"]
