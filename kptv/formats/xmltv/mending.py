"""Bytes of a guide made into text that a parser takes, and elements into XML that it takes.

Theory of operation. ``Decoded`` makes UTF-8 of a whole guide as it comes, without characters that
XML forbids (2.2). What is wrong with single characters of an element is mended where the element
is known (``mended``, ``mended_harder``): nothing is then cut by the end of a piece. No entity but
the five of XML is left after that, so none can expand.
"""

from __future__ import annotations

import codecs
import re
from html.entities import name2codepoint

from kptv.formats.labels import codec_of, unicode_of

HEAD = 64 * 1024  # bytes that tell the encoding
_CONTROLS = bytes({*range(0x20)} - {0x09, 0x0A, 0x0D})
_TO_BLANKS = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
_NO_CHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")  # U+FFFE, U+FFFF
_REPLACEMENT = "\ufffd".encode()
_DECLARED = re.compile(rb"""<\?xml\s[^<>]{0,200}?encoding\s{0,8}=\s{0,8}["']([\w.:-]{1,40})["']""")
_LONGEST_DECLARATION = 1024  # bytes, with the blank lines before it
_BOM = codecs.BOM_UTF8
_HIGH_WORD = re.compile(rb"[^\x00-@\[-`{-\x7f]+")  # letters, among them those beyond ASCII

# A reference that is none of XML's own five.
_AMPERSAND = re.compile(
    rb"&(?!amp;|lt;|gt;|quot;|apos;)"
    rb"(?:([A-Za-z][A-Za-z0-9]{0,31});|#([0-9]{1,7});|#[xX]([0-9A-Fa-f]{1,6});)?"
)
_BARE_LESS = re.compile(rb"<(?![A-Za-z_:/!?\x80-\xff])")
# HTML that stands unescaped in a text: its tags say nothing that players show.
_MARKUP = re.compile(
    rb"</?(?:br|p|b|i|u|em|strong|font|span|div|a|hr|li|ul|wbr)(?:\s[^<>]*)?/?>", re.I
)
_PREFIXED = re.compile(rb"(</?[A-Za-z_][\w.-]{0,40}):(?=[A-Za-z_])")
_PREFIXED_VALUE = re.compile(
    rb"(\s(?!xml:)[A-Za-z_][\w.-]{0,40}):(?=[A-Za-z_][\w.-]{0,40}\s{0,8}=\s{0,8}[\"'])"
)
_CDATA = b"<![CDATA["
_CDATA_END = b"]]>"


class Decoded:
    """Feed the bytes of a guide, get them in UTF-8 without characters that XML forbids."""

    def __init__(self) -> None:
        self.encoding = ""  # once it is known
        self._head: bytearray | None = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None  # none for UTF-8
        self._rest = b""  # the beginning of a character

    def __repr__(self) -> str:
        return f"<Decoded {self.encoding}>"

    def feed(self, data: bytes) -> bytes:
        """What is there of the text with ``data``."""
        if self._head is not None:
            self._head += data
            if len(self._head) < HEAD:
                return b""
            data = self._begin()
        return self._decode(data, final=False)

    def finish(self) -> bytes:
        """The rest."""
        data = self._begin() if self._head is not None else b""
        return self._decode(data, final=True)

    def _begin(self) -> bytes:
        head, self._head = bytes(self._head or b""), None
        self.encoding = encoding_of(head[:HEAD])
        if self.encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        return head

    def _decode(self, data: bytes, *, final: bool) -> bytes:
        if self._decoder is not None:
            data = self._decoder.decode(data, final).encode("utf-8", "replace")
        else:
            data = self._as_utf_8(self._rest + data, final=final)
        data = data.translate(_TO_BLANKS)
        for character in _NO_CHARACTERS:
            if character in data:
                data = data.replace(character, _REPLACEMENT)
        return data

    def _as_utf_8(self, data: bytes, *, final: bool) -> bytes:
        """``data`` with each byte that is no UTF-8 read as Windows-1252."""
        kept = 0 if final else _unfinished(data)
        self._rest = data[len(data) - kept :]
        data = data[: len(data) - kept]
        if data.isascii():
            return data
        try:
            data.decode()
        except UnicodeDecodeError:
            return data.decode("utf-8", _AS_WINDOWS_1252).encode()
        return data


def encoding_of(head: bytes) -> str:
    """The codec of a guide that begins so: by its marks, what its words say, what it declares."""
    if encoding := ("" if head.startswith(_BOM) else unicode_of(head)):
        return encoding
    found = _DECLARED.search(head[:_LONGEST_DECLARATION])
    declared = codec_of(found[1].decode()) if found else ""
    if head.isascii():
        return declared or "utf-8"
    good = bad = 0
    for word in _HIGH_WORD.findall(head[: len(head) - _unfinished(head)]):
        if not word.isascii():
            is_good = _is_utf_8(word)
            good += is_good
            bad += not is_good
    if good > bad or not good + bad:
        return "utf-8"
    return declared or _guessed(head)


def _guessed(head: bytes) -> str:
    # Not at the top: few guides need it, and it costs a child 10 MB.
    from kptv.formats.charsets import guess_encoding

    return guess_encoding(head)


def _is_utf_8(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unfinished(data: bytes) -> int:
    """How many bytes at the end are the beginning of one character of UTF-8."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length and byte < 0xF5 else 0
        if byte < 0x80:
            return 0
    return 0


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", "replace"), error.end


_AS_WINDOWS_1252 = "kptv-windows-1252"
codecs.register_error(_AS_WINDOWS_1252, _windows_1252)


def mended(element: bytes) -> bytes:
    """``element`` with its text escaped as XML wants it, references of HTML as characters."""
    if b"<![" in element:
        element = _without_cdata(element)
    if b"]]>" in element:
        element = element.replace(_CDATA_END, b"]]&gt;")
    return _AMPERSAND.sub(_reference, element) if b"&" in element else element


def mended_harder(element: bytes) -> bytes:
    """An element that no parser took, without what is often wrong: ``<1>``, ``<br>``, ``<a:b>``.

    The root of a guide may explain a prefix; ours does not, and for Jellyfin nothing is left then.
    """
    element = _BARE_LESS.sub(b"&lt;", _MARKUP.sub(b" ", element))
    return _PREFIXED_VALUE.sub(rb"\1-", _PREFIXED.sub(rb"\1-", element))


def _without_cdata(element: bytes) -> bytes:
    parts = element.split(_CDATA)
    done = [parts[0]]
    for part in parts[1:]:
        text, end, rest = part.partition(_CDATA_END)
        if not end:  # it never ends: no CDATA
            return element
        text = text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        done += (text, rest)
    return b"".join(done)


def _reference(found: re.Match[bytes]) -> bytes:
    name, decimal, hexadecimal = found.groups()
    if name is not None:
        code = name2codepoint.get(name.decode(), 0)
    elif decimal or hexadecimal:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        if not _is_character(code):
            return b" "
    else:
        return b"&amp;"
    if not code:
        return b"&amp;" + found[0][1:]
    return found[0] if name is None else chr(code).encode()


def _is_character(code: int) -> bool:
    """Whether XML knows it (2.2)."""
    return (
        code in (0x09, 0x0A, 0x0D)
        or 0x20 <= code < 0xD800
        or (0xE000 <= code <= 0x10FFFF and code not in (0xFFFE, 0xFFFF))
    )
