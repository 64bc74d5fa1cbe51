"""Messages of many frames from and to a socket, with fewer turns of Python than pyzmq's own calls take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zmq

if TYPE_CHECKING:
    from .kept import Frames

COPIED_BYTES = 65_536
"""What is smaller is copied by pyzmq: that takes less time than to be told when ZeroMQ needs it no more."""
_IN, _LAST = int(zmq.POLLIN), int(zmq.DONTWAIT)
_MORE = int(zmq.DONTWAIT | zmq.SNDMORE)


def is_there(socket: zmq.Socket[bytes]) -> bool:
    """Whether a message can be received now; asking costs less than being told ``zmq.Again``."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & _IN)


def received(socket: zmq.Socket[bytes]) -> list[zmq.Frame]:
    """Return the frames of the next message; raises zmq.Again where there is none."""
    frame = socket.recv(_LAST, copy=False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(_LAST, copy=False)
        frames.append(frame)
    return frames


def send(socket: zmq.Socket[bytes], frames: Frames) -> None:
    """Send a message without waiting; raises zmq.ZMQError where that is not possible."""
    one: Any = super(zmq.Socket, socket).send  # that of the class itself has options that are not used here
    *before, last = frames
    for frame in before:
        one(frame, _MORE, len(frame) < COPIED_BYTES)
    one(last, _LAST, len(last) < COPIED_BYTES)
