"""A launch's life as one pure state machine: ``advance(life, event)`` returns the life after it and what is to be done.

No clock, no I/O, no tasks: times, answers and news come as events, what follows goes out as effects, in order. Whoever
carries those out is the edge, and nothing that it does can be in the way of the next event.
"""

from .machine import advance
from .state import Life

__all__ = ["Life", "advance"]
