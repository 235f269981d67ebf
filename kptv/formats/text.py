"""Lines out of the bytes of a text whose encoding nobody told: fed in pieces, never raises.

Theory of operation. A text is UTF-8 until it is seen not to be. Each piece is decoded whole, which
is fast; only a piece that is not UTF-8 is looked at line by line. Then the bad lines tell, once,
which older encoding it may be, and if they are more than the good lines so far, all of the text is
taken for that; otherwise just they are. UTF-16 is told by its first bytes.
"""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

MAX_LINE = 64 * 1024  # bytes; the longest line of real channel lists has 8,369
_SAMPLE = 4096  # bytes that an encoding is guessed from: 1 ms; a whole list would take seconds
# What lists are written in besides UTF; Latin-1 is a part of cp1252, GBK one of gb18030.
_WESTERN, _CYRILLIC, _CHINESE = "cp1252", "cp1251", "gb18030"
_RUN = re.compile(rb"[\x80-\xff]+")
_NOT_CYRILLIC = re.compile(rb"[\x80-\x95\x98-\xa7\xa9\xaa\xac-\xb7\xba\xbc-\xbf]")
_UTF16 = {  # a byte order mark, or "#" and a line's end of a text without one
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
    b"#\x00": "utf-16-le",
    b"\x00#": "utf-16-be",
}
_BREAK = re.compile(rb"[\r\n]")


class Lines:
    """Feed bytes, get lines without their ends (LF, CRLF or CR; an empty line may be added).

    ``skipped`` counts lines longer than MAX_LINE, which are left out.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._head: bytes | None = b""  # until the first two bytes are there
        self._utf16: codecs.IncrementalDecoder | None = None
        self._tail = bytearray()  # a line whose end has not come
        self._overlong = False  # the tail's line is to be left out
        self._good = self._bad = 0  # lines, that hold more than ASCII, in UTF-8 and not
        self._legacy = ""  # what lines are in that are not UTF-8

    def feed(self, data: bytes) -> list[str]:
        """The lines that ``data`` completes."""
        if self._head is not None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return []
            self._head = None
            if data[:2] in _UTF16:
                self._utf16 = codecs.getincrementaldecoder(_UTF16[data[:2]])("replace")
        if self._utf16:
            data = self._utf16.decode(data).encode("utf-8", "replace")
        return self._complete(data)

    def finish(self) -> list[str]:
        """The last line, if it has no end."""
        rest, self._head = self._head or b"", None
        if self._utf16:
            rest = self._utf16.decode(b"", final=True).encode("utf-8", "replace")
        return self._complete(rest + b"\n")

    def _complete(self, data: bytes) -> list[str]:
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not cut:
            self._keep(data)
            return []
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

    def _decode(self, block: bytes) -> list[str]:
        try:
            if self._bad <= self._good:
                return _split(block.decode())
        except UnicodeDecodeError:
            pass
        lines = _BREAK.split(block)
        bad = [line for line in lines if not line.isascii() and not _is_utf8(line)]
        self._bad += len(bad)
        self._good += sum(not line.isascii() for line in lines) - len(bad)
        if bad and not self._legacy:
            self._legacy = guess_encoding(b"\n".join(bad))
        order = ("utf-8", self._legacy or "utf-8")
        if self._bad > self._good:
            order = (self._legacy, "utf-8")
        return [_decode_line(line, order) for line in lines]


def guess_encoding(sample: bytes) -> str:
    """The name of the encoding, none of Unicode's, that ``sample`` is most likely in.

    A detector errs on the few words that a list holds (it takes one accent for Chinese), so it
    is only asked to choose between what the bytes leave possible.
    """
    sample = sample[:_SAMPLE]
    runs = _RUN.findall(sample)
    if sum(len(run) == 1 for run in runs) * 2 > len(runs):  # accents stand among ASCII letters
        return _WESTERN
    others = [_WESTERN] if _NOT_CYRILLIC.search(sample) else [_CYRILLIC]
    best = from_bytes(sample, cp_isolation=[_CHINESE, *others]).best()
    return best.encoding if best else others[0]


def _split(text: str) -> list[str]:
    # Not splitlines: it also breaks at U+2028, U+0085 and others, which stand in names.
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


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
