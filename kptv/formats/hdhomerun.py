"""What HDHomeRuns and the applications that look for them say, and the ids of devices.

Only what it takes to be found: requests for devices and for a device's variables, and the answers.
A request that is not well formed is none, whatever it holds. (libhdhomerun)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from kptv.formats.hdhomerun_frames import Frame, read_fields, write_field, write_frame

PORT = 65001  # UDP and TCP; applications know no other
MODEL_NUMBER = "HDHR5-4US"  # not of the HDTC ones: applications would ask those for other formats
FIRMWARE_NAME = "hdhomerun5_atsc"
FIRMWARE_VERSION = "20250815"  # a date; for an old one some applications propose an update

ANY = 0xFFFFFFFF  # of types and ids
TUNER = 1  # the type of a device
_U32 = struct.Struct(">I")

# Types of frames.
_DISCOVER, _DISCOVER_REPLY, _GET_SET, _GET_SET_REPLY = 2, 3, 4, 5
# Tags of fields.
_TYPE, _ID, _NAME, _VALUE, _ERROR = 0x01, 0x02, 0x03, 0x04, 0x05
_TUNERS, _LINEUP_URL, _BASE_URL, _TYPES = 0x10, 0x27, 0x2A, 0x2D

# An id's nibbles in even places, from the top, stand for these.
_TABLE = (0xA, 0x5, 0xF, 0x6, 0x7, 0xC, 0x1, 0xB, 0x9, 0x2, 0x8, 0xD, 0x4, 0x3, 0xE, 0x0)
_FIRST_DIGIT = 0x10000000  # of a device with tuners


# --- ids ---


def device_id(number: int) -> int:
    """A valid id, made of the lowest 24 bits of ``number``; its first digit is 1."""
    begun = _FIRST_DIGIT | (number & 0xFFFFFF) << 4
    return begun | _check(begun)


def is_valid_device_id(device: int | str) -> bool:
    """Whether this may be the id of a device; as a text, it has 8 hexadecimal digits."""
    if isinstance(device, str):
        if len(device) != 8 or not set(device) <= set("0123456789abcdefABCDEF"):
            return False
        device = int(device, 16)
    return 0 < device < ANY and _check(device) == 0


def device_id_text(device: int) -> str:
    """An id as it is written."""
    return f"{device:08X}"


def _check(device: int) -> int:
    """What the last nibble must be changed by to make the id valid: 0 if it is."""
    check = 0
    for place in range(8):
        nibble = device >> 4 * (7 - place) & 0xF
        check ^= nibble if place % 2 else _TABLE[nibble]
    return check


# --- discovery ---


@dataclass(frozen=True, slots=True)
class Device:
    """What is told of a device to those who look for one."""

    id: int
    tuners: int
    base_url: str  # without a slash at the end

    @property
    def lineup_url(self) -> str:
        """Where its channels are listed."""
        return f"{self.base_url}/lineup.json"


@dataclass(frozen=True, slots=True)
class DiscoverRequest:
    """Somebody looks for devices."""

    types: tuple[int, ...] = (ANY,)
    id: int = ANY

    def is_for(self, device: int) -> bool:
        """Whether the device of this id, which has tuners, is to answer."""
        return (TUNER in self.types or ANY in self.types) and self.id in (device, ANY)


def read_discover_request(frame: Frame | None) -> DiscoverRequest | None:
    """The request that a frame is; None if it is none."""
    fields = _fields(frame, _DISCOVER)
    if fields is None:
        return None
    any_ = _U32.pack(ANY)
    types = _numbers(fields.get(_TYPES, fields.get(_TYPE, any_)))
    ids = _numbers(fields.get(_ID, any_))
    return DiscoverRequest(types, ids[0]) if types and len(ids) == 1 else None


def discover_reply(device: Device) -> bytes | None:
    """The frame that tells of a device; None if its address is too long for one."""
    fields = (
        (_TYPE, _U32.pack(TUNER)),
        (_ID, _U32.pack(device.id)),
        (_BASE_URL, device.base_url.encode()),
        (_TUNERS, bytes((min(device.tuners, 0xFF),))),
        (_LINEUP_URL, device.lineup_url.encode()),
    )
    return write_frame(_DISCOVER_REPLY, b"".join(write_field(*field) for field in fields))


# --- variables ---


@dataclass(frozen=True, slots=True)
class VariableRequest:
    """Somebody asks for a variable of the device, or wants it to be another."""

    name: str
    is_set: bool = False


def read_variable_request(frame: Frame | None) -> VariableRequest | None:
    """The request that a frame is; None if it is none."""
    fields = _fields(frame, _GET_SET)
    if fields is None or not fields.get(_NAME):
        return None
    return VariableRequest(fields[_NAME].rstrip(b"\0").decode("latin-1"), _VALUE in fields)


def variable_reply(name: str, value: str) -> bytes | None:
    """The frame that tells what a variable is."""
    fields = write_field(_NAME, _ended(name)) + write_field(_VALUE, _ended(value))
    return write_frame(_GET_SET_REPLY, fields)


def error_reply(text: str) -> bytes | None:
    """The frame that says why there is no answer."""
    return write_frame(_GET_SET_REPLY, write_field(_ERROR, _ended(text)))


def _ended(text: str) -> bytes:
    return text.encode("latin-1", "replace") + b"\0"


def _fields(frame: Frame | None, type_: int) -> Mapping[int, bytes] | None:
    """The fields of a frame of this type; of two with one tag the last."""
    if frame is None or frame.type != type_:
        return None
    fields = read_fields(frame.payload)
    return None if fields is None else dict(fields)


def _numbers(value: bytes) -> tuple[int, ...]:
    """The numbers of 32 bits that a value is; none if it has another length."""
    if len(value) % _U32.size:
        return ()
    return tuple(number for (number,) in _U32.iter_unpack(value))
