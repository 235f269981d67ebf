"""Gzip is known by its bytes, unpacked in bounded pieces, and what is none passes."""

from __future__ import annotations

import gzip
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kptv.formats.gzipped import MAGIC, PIECE, BadGzip, Gunzip, unpacked, whole


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in [*sizes, len(data)]:
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@settings(deadline=None)
@given(st.binary(max_size=3000), st.lists(st.integers(0, 40)), st.booleans())
def test_a_body_comes_out_whole_however_it_is_cut_packed_or_not(
    body: bytes, sizes: list[int], packed: bool
) -> None:
    assume(not body.startswith(MAGIC))  # one that is packed already would be unpacked
    sent = gzip.compress(body[:1000]) + gzip.compress(body[1000:]) + b"\0\0" if packed else body
    assert b"".join(unpacked(iter(cut(sent, sizes)))) == body
    assert whole(sent, 10_000) == body


def test_what_unpacks_to_much_comes_in_bounded_pieces() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    layer = Gunzip()
    assert max(len(piece) for piece in layer.feed(bomb)) <= PIECE
    assert layer.packed
    assert len(whole(bomb, 100_000)) <= 100_000 + PIECE
    assert len(next(Gunzip().feed(bomb))) <= PIECE


@pytest.mark.parametrize("broken", ["short", "spoilt"])
def test_what_is_broken_says_so_and_where_it_may_have_been_no_gzip_stays_as_it_is(
    broken: str,
) -> None:
    data = gzip.compress(b"a playlist" * 100)
    data = data[:-9] if broken == "short" else data[:12] + b"\xff" * 20
    with pytest.raises(BadGzip):
        list(unpacked(iter((data,))))
    assert whole(data, 10_000) == data


@pytest.mark.parametrize("data", [b"", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x07rest", b"\x1f\x8b\x08"])
def test_the_beginning_alone_is_no_gzip(data: bytes) -> None:
    assert whole(data, 100) == data


def test_packed_data_in_parts_without_end_costs_little_and_is_refused() -> None:
    """Each part is 20 bytes that unpack to nothing; what is left is copied with each."""
    parts = gzip.compress(b"") * 100_000
    begun = time.thread_time()
    with pytest.raises(BadGzip):
        list(unpacked(parts[at : at + PIECE] for at in range(0, len(parts), PIECE)))
    assert whole(parts, 5 * 1024**2) == parts
    assert time.thread_time() - begun < 2  # 0.1; minutes where all that is left is copied
