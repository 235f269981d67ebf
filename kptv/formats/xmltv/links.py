"""The children of a show without links that tell a secret; what is left is well-formed still.

Theory of operation. In well-formed XML each ``<`` begins a tag, but for comments, which are left
out. So it is split there: a piece is a tag and the text behind it. Few shows have a link that
tells, so pieces with links are looked at first, and elements are found only if one does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kptv.formats.xmltv.reading import text_of

_LINKS = (b"icon", b"url", b"image")  # elements whose links may be relative
_COMMENT, _COMMENT_END = b"<!--", b"-->"
_SIGN = re.compile(rb"[\"'>]")
_TO_BLANKS = bytes.maketrans(b'<>"', b"   ")


@dataclass(slots=True)
class _Open:
    """An element that has begun."""

    name: bytes
    start: int  # its first part, of those that are kept
    tells: bool


def without_links(xml: bytes, tells: Callable[[str], bool]) -> bytes:
    """``xml`` without the elements whose links ``tells`` says to tell a secret."""
    if not any(_tells(piece, piece, tells) for piece in xml.split(b"<")):
        return xml
    head, *pieces = _without_comments(xml).split(b"<")
    kept, opened = [head], [_Open(b"", 0, False)]
    for piece in pieces:
        end = _tag_end(piece)
        tag, text = piece[:end], piece[end + 1 :]
        if tag.startswith(b"/"):
            closed = opened.pop()
            kept.append(b"<%b>" % tag)
            if closed.tells:
                del kept[closed.start :]
        elif not tag.endswith(b"/"):
            opened.append(_Open(tag, len(kept), _tells(tag, tag, tells)))
            kept.append(b"<%b>" % tag)
        elif not _tells(tag, tag, tells):
            kept.append(b"<%b>" % tag)
        if not _tells(opened[-1].name, text, tells):
            kept.append(text)
        else:
            opened[-1].tells = True
    return b"".join(kept)


def _tells(element: bytes, text: bytes, tells: Callable[[str], bool]) -> bool:
    """Whether a part of an element is a link, and tells."""
    if not element.startswith(_LINKS) and b"://" not in text:
        return False
    text = text.translate(_TO_BLANKS)
    return tells(text_of(text)) or (b"='" in text and tells(text_of(text.replace(b"'", b" "))))


def _tag_end(piece: bytes) -> int:
    """Where its tag ends; a value may hold a ``>``."""
    at = 0
    while (sign := _SIGN.search(piece, at)) and sign[0] != b">":
        at = piece.find(sign[0], sign.end()) + 1
        if not at:
            break
    return sign.start() if sign else len(piece)


def _without_comments(xml: bytes) -> bytes:
    head, *others = xml.split(_COMMENT)
    return b"".join([head, *(part.partition(_COMMENT_END)[2] for part in others)])
