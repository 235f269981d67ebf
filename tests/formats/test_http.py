"""Heads of HTTP answers as providers write them, right and wrong."""

from __future__ import annotations

from time import process_time

import pytest

from kptv.formats.http import Head, chunk_size, is_whole, read_head


def head(text: bytes) -> Head:
    first, *lines = text.split(b"\n")
    found = read_head(first, lines)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "status", "version"),
    [
        (b"HTTP/1.1 200 OK", 200, 11),
        (b"HTTP/1.1 404", 404, 11),
        (b"HTTP/1.0 200 OK", 200, 10),
        (b"HTTP/2.0 200 OK", 200, 11),
        (b"HTTP/2 200", 200, 11),
        (b"HTTP/3 206 Partial", 206, 11),
        (b"http/1.1  200  fine", 200, 11),
        (b"HTTP 200 OK", 200, 10),
        (b"ICY 200 OK", 200, 10),
        (b"ICY 401 Service Unavailable", 401, 10),
        (b"HTTP/1.1 200OK", 200, 11),
        (b"HTTP/1.1 200 \xd0\xb4\xd0\xb0", 200, 11),
    ],
)
def test_a_status_line_of_any_version_tells_its_status(
    line: bytes, status: int, version: int
) -> None:
    found = read_head(line + b"\r\n", [])
    assert found is not None
    assert (found.status, found.version) == (status, version)


@pytest.mark.parametrize(
    "line", [b"", b"<html>", b"HTTP/1.1 OK", b"HTTP/1.1 2000 OK", b"SSH-2.0-x", b"HTTP/1.1200 OK"]
)
def test_what_is_no_status_line_is_none(line: bytes) -> None:
    assert read_head(line, []) is None


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("lines", "skipped"),
    [
        (CHUNKED, 0),
        (b"X; y\r\n" + CHUNKED, 1),
        (b"X y: z\r\n" + CHUNKED, 1),
        (b": nothing\r\n" + CHUNKED, 1),
        (b"caf\xc3\xa9: au lait\r\n" + CHUNKED, 1),
        (b"HTTP/1.1 200 OK\r\n" + CHUNKED, 1),
        (b"From x to y\r\n" + CHUNKED, 1),
        (b"X: a\0b\rc\r\n" + CHUNKED, 0),
        (b"X: \xff\xfe\x85\x0b\x0c\x1c\r\n" + CHUNKED, 0),
        (b"X: a\x85Y; b\r\n" + CHUNKED, 0),
        (CHUNKED.replace(b":", b" :"), 0),
        (CHUNKED.replace(b":", b"\t: "), 0),
        (CHUNKED.replace(b": ", b":"), 0),
        (CHUNKED.replace(b"\r\n", b" \t\r\n"), 0),
        (CHUNKED.replace(b"\r\n", b"\n"), 0),
        (b"X: y\n" + CHUNKED, 0),
        (b"X: y\r\n  goes on: here\r\n" + CHUNKED, 0),
        (b"X; y\r\n  goes on: here\r\n" + CHUNKED, 1),
        (b"  X: y\r\n" + CHUNKED, 0),
        (b"Transfer-Encoding:\r\n\tchunked\r\n", 0),
        (b"transfer-encoding: Chunked\r\n", 0),
        (b"Transfer-Encoding: identity\r\n" + CHUNKED, 0),
        (CHUNKED + CHUNKED, 0),
        (b"Transfer-Encoding: chunked, chunked\r\n", 0),
        (b"Content-Length: 5\r\n" + CHUNKED, 0),
        (b"X: y\r\n" * 120 + CHUNKED, 0),
        (b"X: " + b"y" * 70_000 + b"\r\n" + CHUNKED, 0),
    ],
    ids=str,
)
def test_no_line_hides_the_framing_behind_it(lines: bytes, skipped: int) -> None:
    found = head(b"HTTP/1.1 200 OK\r\n" + lines)
    assert found.chunked
    assert found.skipped == skipped
    assert found.length is None
    assert ("Transfer-Encoding", "chunked") in found.fields
    assert "content-length" not in {name.lower() for name, _ in found.fields}


def test_a_line_that_begins_with_a_space_goes_on_with_the_value_before_it() -> None:
    found = head(b"HTTP/1.1 200 OK\r\nLocation: /a\r\n \r\n\t/b  \r\nX: y\r\n")
    assert found.fields == (("Location", "/a /b"), ("X", "y"))


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"Content-Length: 5\r\n", 5),
        (b"Content-Length : 5\r\n", 5),
        (b"Content-Length: 5\r\nContent-Length: 5\r\n", 5),
        (b"Content-Length: 5, 5\r\n", 5),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", None),
        (b"Content-Length: +5\r\n", None),
        (b"Content-Length: -5\r\n", None),
        (b"Content-Length: 1_0\r\n", None),
        (b"Content-Length: \r\n", None),
        (b"Content-Length: 99999999999999999999\r\n", None),
        (b"", None),
    ],
    ids=str,
)
def test_a_length_is_one_number_or_none(lines: bytes, length: int | None) -> None:
    found = head(b"HTTP/1.1 200 OK\r\n" + lines)
    assert found.length == length
    told = [value for name, value in found.fields if name == "Content-Length"]
    assert told == ([] if length is None else [str(length)])


def test_a_coding_of_the_way_is_unpacked_like_one_of_the_thing() -> None:
    found = head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n")
    assert found.chunked
    assert ("Content-Encoding", "gzip") in found.fields


def test_of_fields_that_stand_once_the_first_counts_and_of_others_all_do() -> None:
    lines = b"Location: /a\r\nlocation: /b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    assert head(b"HTTP/1.1 302 Found\r\n" + lines).fields == (
        ("Location", "/a"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    )


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"1f\r\n", 31),
        (b"1F\n", 31),
        (b" 0001 \r\n", 1),
        (b"5;name=value\r\n", 5),
        (b'5;"\0\xff\r\n', 5),
        (b"5 name\r\n", 5),
        (b"0\r\n", 0),
        (b"-5\r\n", None),
        (b"+5\r\n", None),
        (b"\r\n", None),
        (b"x\r\n", None),
        (b"f" * 16 + b"\r\n", None),
    ],
)
def test_a_chunks_size_is_read_whatever_follows_it(line: bytes, size: int | None) -> None:
    assert chunk_size(line) == size


@pytest.mark.parametrize(
    ("status", "content_range", "whole"),
    [
        (200, None, True),
        (200, "bytes 5-9/10", True),  # which says nothing there
        (201, None, True),
        (202, None, True),
        (203, None, True),
        (226, None, True),
        (299, None, True),
        (206, None, True),
        (206, "bytes 0-9/10", True),
        (206, "bytes 0-9/*", True),
        (206, "bytes 0-", True),
        (206, "Bytes=0-9/10", True),
        (206, "bytes 0-8/10", False),
        (206, "bytes 1-9/10", False),
        (206, "bytes */10", False),
        (206, "lines 0-9/10", False),
        (204, None, False),
        (205, None, False),
        (304, None, False),
        (404, None, False),
        (101, None, False),
    ],
)
def test_a_whole_body_is_told_by_kind_of_status_and_by_what_it_is_a_part_of(
    status: int, content_range: str | None, whole: bool
) -> None:
    assert is_whole(status, content_range) is whole


@pytest.mark.parametrize(
    "line", [b" ", b"\t", b":", b"a", b"0", b"X:", b"HTTP/", b"HTTP/1.1 200 ", b", ", b"bytes 0 "]
)
def test_a_head_made_to_be_slow_is_read_at_once(line: bytes) -> None:
    text = line * (60_000 // len(line))
    begun = process_time()
    read_head(text, [])
    for name in (b"", b"Content-Length: ", b"Transfer-Encoding: "):
        read_head(b"HTTP/1.1 200 OK", [name + text])
    read_head(b"HTTP/1.1 200 OK", [b"X: y", *[line] * 5000])
    chunk_size(text)
    is_whole(206, text.decode())
    assert process_time() - begun < 1.0
