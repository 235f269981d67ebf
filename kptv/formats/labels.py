"""What is told of a text's encoding: by a label, or by its first bytes."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

LONGEST_MARK = 4  # bytes
_UNICODE = (  # a byte order mark, or how "#" or a line's end stands in a text without one
    (re.compile(rb"\xff\xfe\0\0|[\n\r -~]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\xfe\xff|\0\0\0[\n\r -~]"), "utf-32-be"),
    (re.compile(rb"\xff\xfe|[\n\r -~]\0"), "utf-16-le"),
    (re.compile(rb"\xfe\xff|\0[\n\r -~]"), "utf-16-be"),
)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{1,39}")
# What is told is often a part of what is meant (WHATWG Encoding, 4.2).
_WIDER = {
    **dict.fromkeys(("ascii", "iso8859-1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("euc_kr",), "cp949"),
    **dict.fromkeys(("shift_jis",), "cp932"),
    **dict.fromkeys(("big5", "cp950"), "big5hkscs"),
    **dict.fromkeys(("iso8859-9",), "cp1254"),
    **dict.fromkeys(("tis-620", "iso8859-11"), "cp874"),
    **dict.fromkeys(("koi8-r", "koi8-u"), "koi8_u"),
}
_NO_CHARSET = re.compile(r"utf|unicode|raw_|idna|punycode|undefined|mbcs|oem|charmap")
_ASCII = bytes(range(0x20, 0x7F))


@lru_cache(maxsize=64)
def codec_of(label: str) -> str:
    """The codec that a ``charset=`` or ``#EXTENC:`` means; empty for none, and for Unicode's.

    Unicode's tell themselves. An encoding without ASCII in it is not one of a list.
    """
    if not _LABEL.fullmatch(label):
        return ""
    try:
        name = codecs.lookup(label).name
        if _NO_CHARSET.match(name) or _ASCII.decode(name) != _ASCII.decode():
            return ""
    except (LookupError, ValueError):  # of bytes to bytes, unknown, or none for these bytes
        return ""
    return _WIDER.get(name, name)


def unicode_of(head: bytes) -> str:
    """The codec of UTF-16 or UTF-32 that a text's first LONGEST_MARK bytes tell; empty for none."""
    return next((encoding for mark, encoding in _UNICODE if mark.match(head)), "")
