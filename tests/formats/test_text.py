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
    "encoding",
    [
        *("utf-8", "utf-8-sig", "gbk", "utf-16", "utf-16-le", "utf-16-be"),
        *("utf-32", "utf-32-le", "utf-32-be"),
    ],
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


@pytest.mark.parametrize("step", [0, 1, 1000])
def test_lines_that_wait_for_more_to_tell_their_encoding_come_in_order(step: int) -> None:
    lines = [f"http://a.example/{n}" for n in range(9000)]
    for n in (5, 900, 901, 4000, 8999):
        lines[n] = "#EXTINF:-1,Дождь"
    assert lines_of("\n".join(lines).encode("cp1251"), step) == lines


def test_lines_wait_for_a_bounded_time_only() -> None:
    lines = Lines()
    found = lines.feed("#EXTM3U\n#EXTINF:-1,Дождь\n".encode("cp1251"))
    fed = 0
    while not found and fed < 40_000:
        found = lines.feed(b"http://a.example/1\n" * 10)
        fed += 190
    assert found[:2] == ["#EXTM3U", "#EXTINF:-1,Дождь"]
    assert lines.feed(b"a\n")[:1] == ["a"]


def told(text: bytes, charset: str = "") -> str:
    lines = Lines(charset)
    return "\n".join(filter(None, lines.feed(text) + lines.finish()))


# Two names that could be in several encodings: only what is told makes the difference.
@pytest.mark.parametrize(
    ("name", "encoding", "charset"),
    [
        ("Győr", "cp1250", "windows-1250"),
        ("Győr", "iso8859-2", "ISO-8859-2"),
        ("Yaşam", "cp1254", "iso-8859-9"),
        ("한국", "euc-kr", "EUC-KR"),
        ("Радио", "koi8-r", "koi8-r"),
        ("電視", "big5", "Big5"),
        ("ｱﾆﾒ", "shift_jis", "Shift_JIS"),
        ("臺灣電視", "gbk", "gb2312"),
        ("Đà Nẵng"[:2], "cp1258", "windows-1258"),
    ],
)
def test_what_is_told_of_an_encoding_comes_first(name: str, encoding: str, charset: str) -> None:
    line = f"#EXTINF:-1,{name}"
    assert told(line.encode(encoding), charset) == line
    by_the_list = f"#EXTM3U\n#EXTENC: {charset}\n{line}"
    assert told(by_the_list.encode(encoding)) == by_the_list


@pytest.mark.parametrize(
    ("text", "encoding", "charset"),
    [
        ("München und Köln", "utf-8", "iso-8859-1"),
        ("Первый канал", "cp1251", "iso-8859-1"),
        ("Первый канал", "cp1251", "utf-8"),
        ("湖南卫视，北京卫视", "gbk", "windows-1252"),
        ("München und Köln", "cp1252", "windows-1251"),
        ("München und Köln", "cp1252", "unicode_escape"),
        ("München und Köln", "cp1252", "zlib"),
        ("München und Köln", "cp1252", "no such"),
        ("München und Köln", "utf-16", "koi8-r"),
    ],
)
def test_what_is_told_counts_only_where_the_bytes_agree(
    text: str, encoding: str, charset: str
) -> None:
    assert told(f"#EXTM3U\n{text}".encode(encoding), charset).endswith(text)


def test_what_the_answer_tells_comes_before_what_the_list_tells() -> None:
    text = "#EXTENC: koi8-r\nРадио Маяк"
    assert told(text.encode("cp1251"), "windows-1251") == text
    text = "#EXTENC: windows-1250\nŁódź, Żory, Wiadomości"
    assert told(text.encode("cp1250"), "iso-8859-1") == text


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
