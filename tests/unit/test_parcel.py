"""Messages as few frames: what is wrapped comes out as it was, and what is no message is refused."""

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcctr.delivery.parcel import JOINED_BYTES, PIECE_BYTES, opened, sealed, unwrapped, wrapped
from jupyter_hpcctr.delivery.session import HEAD_BYTES

LENGTHS = st.sampled_from((0, 1, 100, JOINED_BYTES, JOINED_BYTES + 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES))


HEAD = b"h" * HEAD_BYTES


def received(parcel):
    head, found = opened([zmq.Frame(bytes(frame)) for frame in sealed([HEAD, *parcel])])
    assert head == HEAD
    return found


@given(st.lists(LENGTHS, min_size=1, max_size=8))
def test_a_message_comes_out_as_it_was(lengths):
    message = [bytes([number]) * length for number, length in enumerate(lengths)]
    assert unwrapped(received(wrapped(message))) == message


def test_what_a_kernel_has_sent_is_wrapped_without_being_copied_whole():
    message = [zmq.Frame(b"topic"), zmq.Frame(b"x" * 10 * PIECE_BYTES)]
    assert unwrapped(received(wrapped(message))) == [b"topic", b"x" * 10 * PIECE_BYTES]


def test_a_message_of_small_frames_is_one_frame_and_a_large_one_is_in_pieces():
    assert len(wrapped([b"iopub", b"topic", b"x" * 1000])) == 1
    parcel = wrapped([b"iopub", b"x" * (2 * PIECE_BYTES + 1)])
    assert [len(piece) for piece in parcel[1:]] == [PIECE_BYTES, PIECE_BYTES, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda parcel: [],
        lambda parcel: [b"", *parcel[1:]],
        lambda parcel: [parcel[0][:10], *parcel[1:]],
        lambda parcel: [parcel[0][:-1], *parcel[1:]],
        lambda parcel: [b"\xff" * len(parcel[0]), *parcel[1:]],
        lambda parcel: parcel[:-1],
        lambda parcel: [*parcel[:-1], b"short"],
    ],
)
def test_what_is_not_whole_is_refused(change):
    parcel = wrapped([b"iopub", b"x" * (2 * PIECE_BYTES + 100), b"topic"])
    with pytest.raises(ValueError):
        unwrapped(received(change(parcel)))
