"""Pictures are told by their first bytes, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.pictures import ENOUGH, media_type_of, picture_of

BMP = b"BM" + (1234).to_bytes(4, "little") + bytes(4) + b"\x36\0\0\0" + b"\x28\0\0\0"
ICON = b"\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00"
KINDS = {
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR": "image/png",
    b"\xff\xd8\xff\xe0\0\x10JFIF": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"RIFF\x10\0\0\0WEBPVP8 ": "image/webp",
    b"\0\0\0\x1cftypavif\0\0\0\0": "image/avif",
    b"\0\0\0\x1cftypmif1\0\0\0\0miafavif": "image/avif",
    BMP: "image/bmp",
    ICON: "image/x-icon",
}


@pytest.mark.parametrize("begin", KINDS)
def test_each_kind_is_known(begin: bytes) -> None:
    picture = picture_of(begin + bytes(100))
    assert picture is not None
    assert picture.media_type == KINDS[begin]
    assert picture.data == begin + bytes(100)
    assert begin not in repr(picture).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<?xml version='1.0'?><svg/>",
        b"<!DOCTYPE html>",
        b"BMW is a text",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"\0\0\0\x1cftypisom\0\0\0\0iso2mp41",
        b"\0\0\0\x10ftypmif1\0\0\0\0avif",  # behind the box
        b"\x47" + bytes(187),
        b"\0\0\x01\0\0\0",
        b"\x89PNG",
        b"#EXTM3U",
    ],
)
def test_other_things_are_none(data: bytes) -> None:
    assert picture_of(data) is None


@given(st.sampled_from([*KINDS]), st.binary(max_size=100))
def test_the_first_bytes_are_enough(begin: bytes, rest: bytes) -> None:
    data = begin + bytes(ENOUGH) + rest
    assert media_type_of(data[:ENOUGH]) == media_type_of(data) != ""


def test_other_content_has_another_tag() -> None:
    one, two = picture_of(b"GIF89a1"), picture_of(b"GIF89a2")
    assert one is not None
    assert two is not None
    assert one.tag != two.tag
    assert one == picture_of(b"GIF89a1")
