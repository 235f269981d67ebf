"""The clocks in a stream: PCR, PTS and DTS, which wrap after 26.5 hours.

Ticks are those of 90 kHz. In this code times are unwrapped: whole numbers that go on past 2**33, so
that they can be compared and subtracted. They wrap again when they are written.
"""

from __future__ import annotations

TICKS = 90_000  # a second (ISO/IEC 13818-1, 2.4.2.2)
WRAP = 1 << 33
_HALF = WRAP // 2


def unwrap(value: int, near: int) -> int:
    """The time that ``value`` (33 bits) stands for, in the 26.5 hours around ``near``."""
    return near + (value - near + _HALF) % WRAP - _HALF


class StreamClock:
    """What time it is in a stream: its last PCR, or its last DTS if it has none."""

    __slots__ = ("near", "pcr")

    def __init__(self, near: int) -> None:
        """``near``: a time that the clock is thought to go on with."""
        self.near = near
        self.pcr: int | None = None  # the last one, unwrapped

    def unwrap(self, value: int) -> int:
        """The time that a PCR, PTS or DTS of this stream stands for."""
        return unwrap(value, self.near if self.pcr is None else self.pcr)

    def take_pcr(self, value: int) -> None:
        self.pcr = self.unwrap(value)

    def take_dts(self, dts: int) -> None:
        """``dts`` is unwrapped."""
        self.near = dts


def read_timestamp(data: bytes | bytearray, at: int) -> int:
    """A PTS or DTS (2.4.3.7)."""
    return (
        (data[at] & 0x0E) << 29
        | data[at + 1] << 22
        | (data[at + 2] & 0xFE) << 14
        | data[at + 3] << 7
        | data[at + 4] >> 1
    )


def write_timestamp(data: bytearray, at: int, ticks: int) -> None:
    """Overwrite a PTS or DTS; the four bits that say which one it is stay."""
    ticks %= WRAP
    data[at] = data[at] & 0xF0 | ticks >> 29 & 0x0E | 1
    data[at + 1] = ticks >> 22 & 0xFF
    data[at + 2] = ticks >> 14 & 0xFE | 1
    data[at + 3] = ticks >> 7 & 0xFF
    data[at + 4] = ticks << 1 & 0xFE | 1


def read_pcr(data: bytes | bytearray, at: int) -> int:
    """The base of a PCR or OPCR in ticks; its 27 MHz extension is left out (2.4.3.5)."""
    return int.from_bytes(data[at : at + 5], "big") >> 7


def write_pcr(data: bytearray, at: int, ticks: int) -> None:
    """Overwrite the base of a PCR or OPCR; its extension stays."""
    low = int.from_bytes(data[at : at + 5], "big") & 0x7F
    data[at : at + 5] = ((ticks % WRAP) << 7 | low).to_bytes(5, "big")
