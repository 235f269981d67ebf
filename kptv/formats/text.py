"""Lines out of the bytes of a text in whatever encoding: fed in pieces, never raises.

Theory of operation. A text is UTF-8 until it is seen not to be. Each piece is decoded whole, which
is fast; only a piece that is not UTF-8 is looked at line by line. Then lines are held back until
the bad ones tell, once, which older encoding they are in (see ``charsets``): the one that was told,
if it fits, or else a guess. If there are more bad lines than good ones so far, all of the text is
read in that encoding; otherwise only the bad lines are. The first bytes tell UTF-16 and UTF-32.
"""

from __future__ import annotations

import codecs
import re

from kptv.formats.charsets import SAMPLE, guess_encoding, words_of
from kptv.formats.labels import LONGEST_MARK, codec_of, unicode_of

MAX_LINE = 64 * 1024  # bytes; the longest line of real channel lists has 8,369
_HELD = 32 * 1024  # bytes that are held back at most, to know more of an encoding
_BREAK = re.compile(rb"[\r\n]")
_TOLD = re.compile(rb"#EXTENC\s*+[:=]?+\s*+\"?([A-Za-z0-9][\w.:-]*+)", re.I)


class Lines:
    """Feed bytes, get lines without their ends (LF, CRLF or CR; an empty line may be added).

    ``skipped`` counts lines longer than MAX_LINE, which are left out.
    """

    def __init__(self, charset: str = "") -> None:
        """``charset``: the encoding that was told, if one was."""
        self.skipped = 0
        self._head: bytes | None = b""  # until the bytes are there that tell UTF-16
        self._unicode: codecs.IncrementalDecoder | None = None
        self._tail = bytearray()  # a line whose end has not come
        self._overlong = False  # the tail's line is to be left out
        self._good = self._bad = 0  # lines, that hold more than ASCII, in UTF-8 and not
        self._told = [codec_of(charset)]  # by the answer, then by the text itself
        self._legacy = ""  # the encoding of lines that are not UTF-8
        self._held: list[bytes] = []  # lines that wait until that is known
        self._held_size = 0
        self._words: list[bytes] = []  # that are to tell it

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete with ``data``, or some pieces later."""
        text = self.feed_text(data)
        return text.split("\n") if text else []

    def finish(self) -> list[str]:
        """The last lines: those held back, and the one that has no end."""
        return self.finish_text().split("\n")

    def feed_text(self, data: bytes) -> str:
        """As ``feed``, in one text. Each line ends with LF."""
        if self._head is not None:
            data = self._head + data
            if len(data) < LONGEST_MARK:
                self._head = data
                return ""
            self._begin(data)
        if self._unicode:
            data = self._unicode.decode(data).encode("utf-8", "replace")
        return self._complete(data)

    def finish_text(self) -> str:
        """As ``finish``, in one text."""
        rest = self._head or b""
        if self._head is not None:
            self._begin(rest)
        if self._unicode:
            rest = self._unicode.decode(rest, final=True).encode("utf-8", "replace")
        return self._complete(rest + b"\n") + self._release()

    def _begin(self, head: bytes) -> None:
        self._head = None
        if encoding := unicode_of(head):
            self._unicode = codecs.getincrementaldecoder(encoding)("replace")

    def _complete(self, data: bytes) -> str:
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not cut:
            self._keep(data)
            return ""
        block = bytes(self._tail) + data[:cut]
        if self._overlong:
            first = _BREAK.search(block)
            block = block[first.start() :] if first else b""
        self._tail.clear()
        self._overlong = False
        self._keep(data[cut:])
        return self._decode(self._without_overlong(block))

    def _keep(self, data: bytes) -> None:
        if not self._overlong:
            self._tail += data
        if len(self._tail) > MAX_LINE:
            self._tail.clear()
            self._overlong = True
            self.skipped += 1

    def _without_overlong(self, block: bytes) -> bytes:
        if len(block) <= MAX_LINE:
            return block
        lines = _BREAK.split(block)
        short = [line for line in lines if len(line) <= MAX_LINE]
        self.skipped += len(lines) - len(short)
        return b"\n".join(short)

    def _decode(self, block: bytes) -> str:
        if b"#EXTENC" in block and len(self._told) == 1 and (told := _TOLD.search(block)):
            self._told.append(codec_of(told[1].decode()))
        try:
            if self._bad <= self._good and not self._held:
                return _with_line_feeds(block.decode())
        except UnicodeDecodeError:
            pass
        lines = _BREAK.split(block)
        bad = [line for line in lines if not line.isascii() and not _is_utf8(line)]
        self._bad += len(bad)
        self._good += sum(not line.isascii() for line in lines) - len(bad)
        if self._legacy or not (bad or self._held):
            return self._decode_lines(lines)
        self._held += lines
        self._held_size += len(block)
        self._words += words_of(b"\n".join(bad))
        if sum(map(len, self._words)) < SAMPLE and self._held_size < _HELD:
            return ""
        return self._release()

    def _release(self) -> str:
        """The lines that were held back."""
        if not self._held:
            return ""
        self._legacy = guess_encoding(b"\n".join(self._words), self._told)
        lines, self._held, self._words = self._held, [], []
        return self._decode_lines(lines)

    def _decode_lines(self, lines: list[bytes]) -> str:
        order = ("utf-8", self._legacy or "utf-8")
        if self._bad > self._good:
            order = (self._legacy, "utf-8")
        return "\n".join([_decode_line(line, order) for line in lines])


def _with_line_feeds(text: str) -> str:
    # Not splitlines: it also breaks at U+2028, U+0085 and others, which stand in names.
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode_line(line: bytes, order: tuple[str, str]) -> str:
    for encoding in order:
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode(order[0], "replace")
