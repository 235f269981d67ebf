"""The elements of a guide as they come: slices of bytes, bounded, wherever pieces are cut.

Theory of operation. Nobody parses what is not kept, and that is most of a guide. So elements are
found by where they begin and end; an element that has no end costs itself, since the next one
begins anew. What is kept is checked by a parser (see ``reading``), each as if it were alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 64 * 1024  # bytes of one element
STEP = 32 * 1024  # bytes that are waited for before they are looked at
_BEGIN = re.compile(
    rb"<(?:(programme|channel)(?=[\s/>])|(!--)|(/tv\s{0,8}>)|([A-Za-z]{1,16})(?=[\s/>]))"
)
_LONGEST_BEGIN = 32  # bytes that tell one
_NEXT = re.compile(rb"<(?:(?:programme|channel)(?=[\s/>])|/tv(?=[\s>]))")  # what no element holds
_ENDS = {b"programme": b"</programme>", b"channel": b"</channel>"}
_SPACED_ENDS = {
    b"programme": re.compile(rb"</programme\s{1,64}>"),
    b"channel": re.compile(rb"</channel\s{1,64}>"),
}
_COMMENT_END = b"-->"
_SLASH = ord("/")


class Element(NamedTuple):
    """One element, or what there is of it."""

    is_show: bool  # a programme; else a channel
    data: bytes  # empty: it was longer than LONGEST
    is_whole: bool


class Elements:
    """Feed a guide's text, get its elements."""

    def __init__(self) -> None:
        self.root = ""  # the first element of all
        self.is_closed = False  # </tv> came, and nothing behind it
        self._buffer = b""
        self._fresh = bytearray()  # what nobody has looked at
        self._in_comment = False

    def __repr__(self) -> str:
        return f"<Elements root={self.root!r}>"

    def feed(self, data: bytes) -> Iterator[Element]:
        """The elements that are complete with ``data``."""
        self._fresh += data
        if len(self._fresh) >= STEP:
            yield from self._found(final=False)

    def finish(self) -> Iterator[Element]:
        """The rest; an element that is cut off is not whole."""
        yield from self._found(final=True)

    def _found(self, *, final: bool) -> Iterator[Element]:
        buffer, at = self._buffer + self._fresh, 0
        self._fresh.clear()
        while True:
            if self._in_comment:
                end = buffer.find(_COMMENT_END, at)
                if end < 0:
                    at = max(len(buffer) - len(_COMMENT_END) + 1, at)
                    break
                self._in_comment, at = False, end + len(_COMMENT_END)
            begin = _BEGIN.search(buffer, at)
            if begin is None or (begin.end() > len(buffer) - 1 and not final):
                at = max(len(buffer) - _LONGEST_BEGIN, at) if begin is None else begin.start()
                break
            kind, comment, close, other = begin.groups()
            at = begin.end()
            if kind is None:
                self._note(comment, close, other)
                continue
            self._note(None, None, kind)
            element, end = _one(buffer, begin.start(), kind, final=final)
            if element is None:
                at = begin.start()
                break
            at = end
            yield element
        self._buffer = buffer[at:]

    def _note(self, comment: bytes | None, close: bytes | None, other: bytes | None) -> None:
        if comment:
            self._in_comment = True
        elif close:
            self.is_closed = True
        elif other:
            self.is_closed = False
            self.root = self.root or other.decode().lower()


def _one(buffer: bytes, start: int, kind: bytes, *, final: bool) -> tuple[Element | None, int]:
    """The element that begins at ``start``, and where to go on; None: more must come."""
    is_show = kind == b"programme"
    limit = start + LONGEST
    tag_end = start + 1 + len(kind)
    closing = buffer.find(b">", tag_end, limit)
    if closing >= 0 and buffer[closing - 1] == _SLASH:
        return Element(is_show, buffer[start : closing + 1], True), closing + 1
    end = buffer.find(_ENDS[kind], tag_end, limit)
    following = _NEXT.search(buffer, tag_end, end if end >= 0 else limit + _LONGEST_BEGIN)
    if following is None and end >= 0:
        end += len(_ENDS[kind])
        return Element(is_show, buffer[start:end], True), end
    if following is None:
        if len(buffer) > limit + _LONGEST_BEGIN:
            return Element(is_show, b"", False), limit - _LONGEST_BEGIN
        if not final:
            return None, start
    end = following.start() if following else len(buffer)
    if end > limit:
        return Element(is_show, b"", False), end
    data = buffer[start:end]
    spaced = _SPACED_ENDS[kind].search(data)
    return Element(is_show, data[: spaced.end()] if spaced else data, spaced is not None), end
