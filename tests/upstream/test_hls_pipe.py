"""What lies between two pieces of media is told where it is, however much is taken at once."""

from __future__ import annotations

import pytest

from kptv.formats.mpegts.seam import BORDER, BROKEN_OFF, SPLICE, TORN
from kptv.ports import Seam
from kptv.upstream.hls.pipe import Pipe


def taken(pipe: Pipe, seconds: float) -> list[tuple[bytes, Seam | None]]:
    pipe.finish(None)
    pieces = iter(lambda: pipe.take(seconds), None)
    return [(bytes(piece.data), piece.seam) for piece in pieces if piece is not None]


@pytest.mark.parametrize("seconds", [0.1, 1.0, 100.0])
@pytest.mark.parametrize(
    ("whole", "splice", "seam"),
    [
        (True, False, BORDER),
        (False, False, BROKEN_OFF),
        (True, True, SPLICE),
        (False, True, TORN),
    ],
)
def test_a_seam_is_told_before_the_first_piece_behind_it(
    whole: bool, splice: bool, seam: Seam, seconds: float
) -> None:
    pipe = Pipe()
    pipe.put(b"a" * 9000, 1.0)
    if whole:
        pipe.end_segment()
    else:
        pipe.break_off()
    if splice:
        pipe.splice()
    pipe.put(b"b" * 9000, 1.0)
    pieces = taken(pipe, seconds)
    (found,) = [piece for piece in pieces if piece[1] is not None]
    assert found[1] is seam
    assert set(found[0]) == {ord("b")}
    assert b"".join(data for data, _ in pieces) == b"a" * 9000 + b"b" * 9000
    assert all(len(set(data)) == 1 for data, _ in pieces)


def test_between_pieces_of_one_segment_there_is_none() -> None:
    pipe = Pipe()
    for _ in range(3):
        pipe.put(b"a" * 9000, 1.0)
    assert {seam for _, seam in taken(pipe, 0.5)} == {None}
