"""A body in chunks is the same wherever its frames are cut, and never waits for one of them."""

from __future__ import annotations

import pytest

from kptv.formats.chunked import Chunks
from kptv.formats.http import MAX_HEAD

WHOLE = (
    b"5\r\nhello\r\n"
    b'00A;name=value;other="a b"\r\n0123456789\r\n'
    b"1 \n\n\n"  # lines that end in LF alone; the byte is one as well
    b"0;last\r\nExpires: never\r\nX: y\r\n\r\n"
)
BODY = b"hello0123456789\n"


def fed(*pieces: bytes) -> tuple[Chunks, bytes]:
    chunks = Chunks()
    return chunks, b"".join([chunks.feed(piece) for piece in pieces])


@pytest.mark.parametrize("size", range(1, len(WHOLE) + 1))
def test_a_body_is_the_same_in_pieces_of_any_size(size: int) -> None:
    chunks, body = fed(*(WHOLE[at : at + size] for at in range(0, len(WHOLE), size)))
    assert body == BODY
    assert chunks.over
    assert not chunks.broken


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_a_body_is_given_as_far_as_it_came_and_is_over_only_with_its_last_line(cut: int) -> None:
    chunks, body = fed(WHOLE[:cut])
    assert not chunks.over
    assert BODY.startswith(body)
    _, rest = fed(WHOLE[:cut], *(WHOLE[at : at + 1] for at in range(cut, len(WHOLE))))
    assert rest == BODY


def test_each_byte_of_a_chunk_is_given_when_it_comes() -> None:
    chunks = Chunks()
    assert chunks.feed(b"4\r\n") == b""
    assert [chunks.feed(b"%c" % byte) for byte in b"data"] == [b"d", b"a", b"t", b"a"]
    assert chunks.feed(b"\r") == b""
    assert chunks.feed(b"\n2") == b""
    assert chunks.feed(b"\r\nab\r\n0") == b"ab"
    assert not chunks.may_end
    assert chunks.feed(b"\r\n") == b""
    assert chunks.may_end
    assert not chunks.over


@pytest.mark.parametrize(
    "wrong",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"1234567890abcdef\r\n",
        b"f" * 70_000,
        b"1;" + b"e" * 70_000 + b"\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\rb",
        b"0\r\n" + b"X: y\r\n" * (MAX_HEAD // 5),
        b"0\r\nX: " + b"y" * 70_000,
    ],
    ids=lambda wrong: f"{wrong[:12]!r}, {len(wrong)}",
)
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_behind_what_is_no_frame_nothing_is_given(wrong: bytes, size: int) -> None:
    sent = b"2\r\nok\r\n" + wrong
    chunks, body = fed(*(sent[at : at + size] for at in range(0, len(sent), size)))
    assert body in (b"ok", b"oka")
    assert chunks.broken
    assert not chunks.over
    assert not (chunks.may_end and wrong[:1] != b"0")
    assert chunks.feed(b"\r\n3\r\nabc\r\n0\r\n\r\n") == b""
    assert len(chunks._line) <= 65536


def test_a_chunk_may_be_larger_than_any_memory() -> None:
    chunks, body = fed(b"fffffffffffffff\r\n", b"some", b"more")
    assert body == b"somemore"
    assert not chunks.broken


def test_what_follows_the_end_is_dropped() -> None:
    assert fed(b"1\r\na\r\n0\r\n\r\n5\r\nother\r\n", b"more")[1] == b"a"
