"""Lines out of bytes: encodings told apart, pieces cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.text import MAX_LINE, Lines, guess_encoding


def lines_of(data: bytes, step: int = 0) -> list[str]:
    """All lines that are not empty, of ``data`` fed in pieces of ``step`` bytes."""
    lines = Lines()
    pieces = [data[i : i + step] for i in range(0, len(data), step)] if step else [data]
    found = [line for piece in pieces for line in lines.feed(piece)]
    return [line for line in found + lines.finish() if line]


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gbk"]
)
def test_every_encoding_and_line_end_gives_the_same_lines(
    encoding: str, end: str, step: int
) -> None:
    lines = [
        "#EXTM3U",
        "#EXTINF:-1,中央电视台综合频道",
        "http://a.example/1",
        "#EXTINF:-1,北京卫视",
    ]
    found = lines_of(end.join(lines).encode(encoding), step)
    assert [line.lstrip("\ufeff") for line in found] == lines


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Télé Réunion", "latin-1"),
        ("München", "latin-1"),
        ("Kanal 5 Å", "latin-1"),
        ("Россия 1", "cp1251"),
        ("湖南卫视", "gbk"),
    ],
)
def test_one_short_name_is_enough_to_tell_its_encoding(text: str, encoding: str) -> None:
    list_text = f"#EXTM3U\n#EXTINF:-1,{text}\nhttp://a.example/1"
    assert lines_of(list_text.encode(encoding))[1] == f"#EXTINF:-1,{text}"


def test_a_line_in_another_encoding_costs_no_other_line_its_letters() -> None:
    lines = [f"#EXTINF:-1,Télé {n}".encode() for n in range(10)]
    lines[4] = "#EXTINF:-1,Télé 4".encode("latin-1")
    assert lines_of(b"\n".join(lines)) == [f"#EXTINF:-1,Télé {n}" for n in range(10)]


def test_a_list_of_older_encoding_keeps_the_lines_that_are_utf8() -> None:
    lines = [f"#EXTINF:-1,湖南卫视{n}".encode("gbk") for n in range(10)]
    lines[4] = "#EXTINF:-1,中央一".encode()  # nine bytes: no whole pairs
    assert lines_of(b"\n".join(lines))[3:6] == [
        "#EXTINF:-1,湖南卫视3",
        "#EXTINF:-1,中央一",
        "#EXTINF:-1,湖南卫视5",
    ]


def test_unicode_line_separators_end_no_line() -> None:
    assert lines_of("a\u2028b\u0085c\vd\n".encode()) == ["a\u2028b\u0085c\vd"]


@pytest.mark.parametrize("step", [0, 1000])
def test_a_line_without_end_costs_itself_only_and_is_counted(step: int) -> None:
    data = b"first\n" + b"x" * (3 * MAX_LINE) + b"\nlast\n"
    lines = Lines()
    pieces = [data[i : i + step] for i in range(0, len(data), step)] if step else [data]
    found = [line for piece in pieces for line in lines.feed(piece) if line]
    assert found == ["first", "last"]
    assert lines.skipped == 1


@given(st.binary(), st.integers(1, 50))
def test_no_bytes_raise(data: bytes, step: int) -> None:
    lines_of(data, step)
    guess_encoding(data)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff\0")))
def test_utf8_comes_out_as_it_went_in(text: str) -> None:
    expected = [line for line in text.replace("\r", "\n").split("\n") if line]
    assert lines_of(text.encode(), 3) == lines_of(text.encode()) == expected
