"""Text of a guide becomes UTF-8 that XML allows, the same wherever its pieces are cut."""

from __future__ import annotations

import pytest

from kptv.formats.xmltv import mending
from kptv.formats.xmltv.mending import HEAD, Decoded, encoding_of, mended, mended_harder

WORDS = "é中😀 Новости \x01 a\ufffeb "


def decoded(data: bytes, size: int) -> bytes:
    made = Decoded()
    parts = [made.feed(data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join(parts) + made.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 4096])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32", "gb18030"])
def test_characters_may_be_cut_anywhere(
    encoding: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "HEAD", 100)
    declared = "utf-8" if encoding == "utf-8" else "gb18030"
    text = f'<?xml version="1.0" encoding="{declared}"?>' + WORDS * 30
    expected = text.replace("\x01", " ").replace("\ufffe", "\ufffd")
    assert decoded(text.encode(encoding), size).decode().lstrip("\ufeff") == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_single_bytes_of_another_encoding_are_read_as_windows_1252(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "HEAD", 100)
    data = ("Новости é " * 20).encode() + b"caf\xe9 \xe4\xb8 \x93x\x94 \xf0\x9f\x98" + "é".encode()
    assert decoded(data, size).decode().endswith("café ä¸ “x” ðŸ˜é")


def test_what_is_ascii_so_far_is_in_what_is_declared() -> None:
    text = b"<?xml version='1.0' encoding='windows-1251'?>" + b" " * HEAD + "Мир".encode("cp1251")
    assert decoded(text, 5000).decode().endswith(" Мир")


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"", "utf-8"),
        ("é".encode()[:1], "utf-8"),
        (b"<?xml encoding='utf-16'?>", "utf-8"),  # it would not be readable
        (b"\n<?xml version='1.0' encoding = \"ISO-8859-2\" ?>", "iso8859-2"),
        ("\ufeff<tv>é".encode(), "utf-8"),
    ],
)
def test_the_encoding_is_told_by_the_beginning(head: bytes, encoding: str) -> None:
    assert encoding_of(head) == encoding


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a && b &amp; &#38; &x &; &lt", b"a &amp;&amp; b &amp; &#38; &amp;x &amp;; &amp;lt"),
        (b"&Auml;&AMP;&nbsp;", "Ä&amp;AMP;\xa0".encode()),
        (b"&#x1F600;&#X41;&#99999999;", b"&#x1F600;&#X41;&amp;#99999999;"),
        (b"<![CDATA[a]]><![CDATA[<&>]]>", b"a&lt;&amp;&gt;"),
        (b"<![CDATA[never ends & so on", b"<![CDATA[never ends &amp; so on"),
    ],
)
def test_an_element_is_mended_and_again_changes_nothing(before: bytes, after: bytes) -> None:
    assert mended(before) == after
    assert mended(after) == after


def test_signs_and_markup_that_stand_unescaped_are_taken_for_text() -> None:
    text = b"<desc>1 < 2<br/><B class='x'>bold</B> <3></desc>"
    assert mended_harder(text) == b"<desc>1 &lt; 2  bold  &lt;3></desc>"
