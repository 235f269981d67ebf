"""Bodies in chunks (RFC 9112, 7.1), taken out of their frames as they come.

The frames may be cut anywhere, even between the two characters behind a chunk. What they frame is
given as soon as it is there: no byte of it waits for the frame that follows.
"""

from __future__ import annotations

from enum import Enum, auto

from kptv.formats.http import MAX_HEAD, chunk_size

_LONGEST_LINE = 64 * 1024  # bytes, with which a chunk begins
_LINE_ENDS = (b"\r\n", b"\n")  # lenient: some servers leave the CR out


class _Next(Enum):
    """What the next line is."""

    SIZE = auto()
    LINE_END = auto()  # behind a chunk's bytes
    TRAILER = auto()
    NOTHING = auto()  # the body is over: what follows is none of it


class Chunks:
    """The body in the chunks that are fed; ``over`` once it has come to its end."""

    __slots__ = ("_left", "_line", "_next", "_trailers", "broken")

    def __init__(self) -> None:
        self._next = _Next.SIZE
        self._left = 0  # bytes of a chunk that have not come
        self._line = bytearray()  # the beginning of one whose end has not come
        self._trailers = 0  # bytes
        self.broken = False  # what came is no chunk: nothing behind it can be told

    def __repr__(self) -> str:
        return f"<Chunks next={self._next.name} left={self._left} broken={self.broken}>"

    @property
    def over(self) -> bool:
        """Whether all of the body has come, with what may follow its last chunk."""
        return self._next is _Next.NOTHING

    @property
    def may_end(self) -> bool:
        """Whether it is whole if nothing more comes: some servers leave the last line out."""
        return self._next in (_Next.NOTHING, _Next.TRAILER)

    def feed(self, data: bytes) -> bytes:
        """What ``data`` has of the body; it may be nothing, also at the end (see ``over``).

        What is behind an error (see ``broken``), or behind the end, is dropped.
        """
        parts: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.broken and self._next is not _Next.NOTHING:
            if self._left:
                end = at + self._left
                parts.append(data[at:end])
                self._left = max(end - size, 0)
            else:
                end = self._read_line(data, at)
            at = end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_line(self, data: bytes, at: int) -> int:
        """Read a line from ``at``, or the part of it that is there; gives where it ends."""
        if data.startswith(b"\r\n", at) and self._next is _Next.LINE_END and not self._line:
            self._next = _Next.SIZE  # so it is nearly always
            return at + 2
        most = 2 if self._next is _Next.LINE_END else _LONGEST_LINE
        most -= len(self._line)
        end = data.find(b"\n", at, at + most) + 1
        if end:
            line = bytes(self._line + data[at:end]) if self._line else data[at:end]
            self._line.clear()
            self._take(line)
            return end
        self._line += data[at : at + most]
        self.broken = len(data) - at >= most
        return len(data)

    def _take(self, line: bytes) -> None:
        """Go on behind a whole line."""
        if self._next is _Next.SIZE:
            size = chunk_size(line)
            if size is None:
                self.broken = True
                return
            self._left = size
            self._next = _Next.LINE_END if size else _Next.TRAILER
        elif self._next is _Next.LINE_END:
            self.broken = line not in _LINE_ENDS
            self._next = _Next.SIZE
        else:
            self._trailers += len(line)
            self.broken = self._trailers > MAX_HEAD
            if line in _LINE_ENDS:
                self._next = _Next.NOTHING
