"""Any bytes on HDHomeRun's port: a frame or none, and never an exception."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.hdhomerun import read_discover_request, read_variable_request
from kptv.formats.hdhomerun_frames import (
    LONGEST_PAYLOAD,
    Frame,
    FrameReader,
    read_fields,
    read_frame,
    write_field,
    write_frame,
)
from tests.fuzz.inputs import CUTS, cut, examples

FIELDS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=200)), max_size=6)
FRAMES = st.builds(
    write_frame,
    st.integers(0, 7),
    st.one_of(
        st.binary(max_size=60),
        FIELDS.map(lambda fields: b"".join(write_field(*field) for field in fields)),
    ),
).map(bytes)


@examples(150)
@given(st.one_of(st.binary(max_size=1500), FRAMES), st.integers(0, 7))
def test_any_bytes_are_a_frame_and_a_request_or_none(data: bytes, type_: int) -> None:
    frame = read_frame(data)
    assert frame is None or write_frame(frame.type, frame.payload) == data
    for each in (frame, Frame(type_, data)):
        read_discover_request(each)
        read_variable_request(each)
    for _, value in read_fields(data) or ():
        assert len(value) <= len(data)


@examples(60)
@given(st.lists(FRAMES, max_size=5), st.binary(max_size=100), CUTS)
def test_the_frames_of_a_connection_are_the_same_however_it_is_cut(
    frames: list[bytes], behind: bytes, sizes: Sequence[int]
) -> None:
    reader = FrameReader()
    data = b"".join(frames) + behind
    read = [frame for piece in cut(data, sizes) for frame in reader.feed(piece)]
    assert [write_frame(frame.type, frame.payload) for frame in read[: len(frames)]] == frames
    assert len(reader._rest) <= LONGEST_PAYLOAD + 8
