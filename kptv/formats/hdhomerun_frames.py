"""Frames and fields of what is said to an HDHomeRun on port 65001, by UDP and by TCP.

A frame is its type and the length of its payload (16 bits each, big-endian), the payload, and a
CRC-32 of all this (little-endian). A payload is a row of fields: a tag (one byte), a length (one
byte up to 127, else two), a value. (libhdhomerun)

Anybody in the network may send anything: what is not exactly a frame is none, and raises nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

LONGEST_FRAME = 1460  # bytes: what one packet holds
_HEADER = struct.Struct(">HH")
_CRC = struct.Struct("<I")
_AROUND = _HEADER.size + _CRC.size
LONGEST_PAYLOAD = LONGEST_FRAME - _AROUND

Field = tuple[int, bytes]  # a tag, and its value


@dataclass(frozen=True, slots=True)
class Frame:
    """What is said: its type says which fields its payload may have."""

    type: int
    payload: bytes


def write_frame(type_: int, payload: bytes) -> bytes | None:
    """A frame; None if it would be longer than any may be."""
    if len(payload) > LONGEST_PAYLOAD:
        return None
    told = _HEADER.pack(type_, len(payload)) + payload
    return told + _CRC.pack(crc32(told))


def read_frame(data: bytes) -> Frame | None:
    """The frame that ``data`` is, from its first byte to its last; None if it is none."""
    if not _AROUND <= len(data) <= LONGEST_FRAME or _length(data) != len(data):
        return None
    told, (crc,) = data[: -_CRC.size], _CRC.unpack(data[-_CRC.size :])
    return Frame(_HEADER.unpack_from(told)[0], told[_HEADER.size :]) if crc32(told) == crc else None


class FrameReader:
    """The frames of a connection, whose data comes in any pieces."""

    def __init__(self) -> None:
        self.is_broken = False  # something was no frame; nobody knows where the next one begins
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now, until one is broken."""
        self._rest += data
        frames: list[Frame] = []
        while not self.is_broken and len(self._rest) >= _HEADER.size:
            length = _length(self._rest)
            if length <= LONGEST_FRAME and length > len(self._rest):
                break
            frame = read_frame(self._rest[:length])
            self._rest = self._rest[length:]
            if frame is None:
                self.is_broken, self._rest = True, b""
            else:
                frames.append(frame)
        return frames


def _length(data: bytes) -> int:
    """Bytes of the whole frame that begins here, as its header tells."""
    length: int = _HEADER.unpack_from(data)[1]
    return length + _AROUND


def write_field(tag: int, value: bytes) -> bytes:
    """A field; its value is at most LONGEST_PAYLOAD long."""
    length = len(value)
    short = length < 0x80
    told = bytes((tag, length)) if short else bytes((tag, length & 0x7F | 0x80, length >> 7))
    return told + value


def read_fields(payload: bytes) -> list[Field] | None:
    """The fields of a payload in their order; None if one is cut short."""
    fields: list[Field] = []
    at = 0
    while at < len(payload):
        head = payload[at : at + 3] + b"\0\0"  # what is missing shows below
        is_long = head[1] >= 0x80
        begin = at + (3 if is_long else 2)
        end = begin + (head[1] & 0x7F | head[2] << 7 if is_long else head[1])
        if end > len(payload):
            return None
        fields.append((head[0], payload[begin:end]))
        at = end
    return fields
