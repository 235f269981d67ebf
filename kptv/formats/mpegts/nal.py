"""NAL units and the bits in them (ITU-T H.264, 7.2 to 7.4 and annex B; H.265 has the same)."""

from __future__ import annotations

import re

_ESCAPED = b"\x00\x00\x03"
_TO_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def units(stream: bytes) -> list[tuple[int, int]]:
    """(first byte, end) of the unit behind each start code; the last may lack its end."""
    starts: list[int] = []
    at = stream.find(b"\x00\x00\x01")
    while 0 <= at < len(stream) - 3:
        starts.append(at + 3)
        at = stream.find(b"\x00\x00\x01", at + 3)
    ends = [start - 3 for start in starts[1:]] + [len(stream)]
    return list(zip(starts, ends, strict=False))


def unescape(data: bytes) -> bytes:
    """A NAL unit's content without emulation prevention (ITU-T H.264, 7.4.1)."""
    return data.replace(_ESCAPED, b"\x00\x00")


def escape(data: bytes) -> bytes:
    """The content with emulation prevention, so that nothing in it looks like a start code."""
    return _TO_ESCAPE.sub(_ESCAPED, data)


class Bits:
    """A bit reader. Past the end it reads zeros: broken input ends in odd sizes, not errors."""

    __slots__ = ("_size", "_value", "at")

    def __init__(self, data: bytes) -> None:
        """``data``: without emulation prevention."""
        self.at = 0  # bits read so far
        self._value = int.from_bytes(data, "big")
        self._size = len(data) * 8

    @property
    def overrun(self) -> bool:
        """Whether more was read than is there."""
        return self.at > self._size

    def read(self, count: int) -> int:
        self.at += count
        over = self._size - self.at
        value = self._value >> over if over >= 0 else self._value << -over
        return value & ((1 << count) - 1)

    def golomb(self) -> int:
        """ue(v), 9.1."""
        zeros = 0
        while zeros < 32 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.read(zeros) if zeros else 0)

    def signed(self) -> int:
        """se(v), 9.1.1."""
        code = self.golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)
