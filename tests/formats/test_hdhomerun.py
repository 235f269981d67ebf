"""What is said on HDHomeRun's port, byte for byte, and the rule of the ids."""

from __future__ import annotations

from zlib import crc32

import pytest

from kptv.formats.hdhomerun import (
    ANY,
    Device,
    DiscoverRequest,
    VariableRequest,
    device_id,
    device_id_text,
    discover_reply,
    error_reply,
    is_valid_device_id,
    read_discover_request,
    read_variable_request,
    variable_reply,
)
from kptv.formats.hdhomerun_frames import (
    LONGEST_FRAME,
    LONGEST_PAYLOAD,
    Frame,
    FrameReader,
    read_fields,
    read_frame,
    write_field,
    write_frame,
)

# As hdhomerun_config and Jellyfin, and as Kodi and Home Assistant send them.
ANY_DEVICE = bytes.fromhex("0002000c0104ffffffff0204ffffffff73cc7d8f")
ANY_TUNER = bytes.fromhex("0002000c0104000000010204ffffffff4e507f35")
VALID = ["10AA5474", "10500009", "1010C032", "12345674"]
NOT_VALID = ["12345678", "ABCD1234", "DEADBEEF", "10500000"]
ODD_TEXTS = ["", "1050000", "105000099", "0x500009", " 1050009", "1050_009", "１0500009"]
OURS = 0x12345674


def written(type_: int, *fields: tuple[int, bytes]) -> bytes:
    frame = write_frame(type_, b"".join(write_field(*field) for field in fields))
    assert frame is not None
    return frame


# --- ids ---


@pytest.mark.parametrize("device", VALID)
def test_an_id_is_valid_as_a_text_and_as_a_number(device: str) -> None:
    assert is_valid_device_id(device)
    assert is_valid_device_id(device.lower())
    assert is_valid_device_id(int(device, 16))
    assert device_id_text(int(device, 16)) == device


@pytest.mark.parametrize("device", NOT_VALID)
def test_an_id_with_a_wrong_digit_is_not_valid(device: str) -> None:
    assert not is_valid_device_id(device)
    assert not is_valid_device_id(int(device, 16))


@pytest.mark.parametrize("device", ODD_TEXTS)
def test_what_is_no_number_of_eight_digits_is_no_id(device: str) -> None:
    assert not is_valid_device_id(device)


@pytest.mark.parametrize("device", [-1, 0, ANY, ANY + 1, 1 << 64])
def test_nothing_and_any_are_ids_of_no_device(device: int) -> None:
    assert not is_valid_device_id(device)


def test_each_id_that_is_made_is_valid_and_begins_with_1() -> None:
    made = [device_id(number) for number in (0, 1, 0xFFFFFF, 1 << 24, -1, *range(1000, 5000, 7))]
    assert all(is_valid_device_id(device) for device in made)
    assert {device_id_text(device)[0] for device in made} == {"1"}
    assert device_id(0x050000) == 0x10500009
    assert len({device_id(number) for number in range(4096)}) == 4096


# --- frames ---


def test_real_requests_are_read() -> None:
    assert read_discover_request(read_frame(ANY_DEVICE)) == DiscoverRequest((ANY,), ANY)
    assert read_discover_request(read_frame(ANY_TUNER)) == DiscoverRequest((1,), ANY)


def test_a_frame_is_written_as_others_write_it() -> None:
    assert written(2, (1, b"\0\0\0\1"), (2, b"\xff\xff\xff\xff")) == ANY_TUNER


@pytest.mark.parametrize("at", range(len(ANY_TUNER)))
def test_a_frame_with_a_wrong_bit_is_none(at: int) -> None:
    wrong = bytearray(ANY_TUNER)
    wrong[at] ^= 0x10
    assert read_frame(bytes(wrong)) is None


def test_a_frame_that_is_cut_or_has_more_behind_it_is_none() -> None:
    for length in range(len(ANY_TUNER)):
        assert read_frame(ANY_TUNER[:length]) is None
    assert read_frame(ANY_TUNER + b"\0") is None
    assert read_frame(ANY_TUNER * 2) is None
    assert read_frame(ANY_TUNER[:-4] + ANY_TUNER[-4:][::-1]) is None, "the CRC is little-endian"


def test_no_frame_is_longer_than_a_packet() -> None:
    longest = write_frame(2, bytes(LONGEST_PAYLOAD))
    assert longest is not None
    assert len(longest) == LONGEST_FRAME == 1460
    assert read_frame(longest) == Frame(2, bytes(LONGEST_PAYLOAD))
    assert write_frame(2, bytes(LONGEST_PAYLOAD + 1)) is None
    assert FrameReader().feed(longest) == [Frame(2, bytes(LONGEST_PAYLOAD))]
    reader = FrameReader()
    assert reader.feed((2).to_bytes(2) + (LONGEST_PAYLOAD + 1).to_bytes(2)) == []
    assert reader.is_broken


@pytest.mark.parametrize("length", [0, 11, 13, 0xFFFF])
def test_a_frame_that_tells_another_length_than_it_has_is_none(length: int) -> None:
    told = b"\0\2" + length.to_bytes(2) + ANY_TUNER[4:-4]
    assert read_frame(told + crc32(told).to_bytes(4, "little")) is None


@pytest.mark.parametrize("size", [1, 3, 20, 27, 1000])
def test_frames_of_a_connection_come_in_any_pieces(size: int) -> None:
    data, reader = ANY_TUNER + ANY_DEVICE + written(4), FrameReader()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    assert frames == [read_frame(ANY_TUNER), read_frame(ANY_DEVICE), Frame(4, b"")]
    assert not reader.is_broken


def test_behind_a_broken_frame_nothing_is_read() -> None:
    reader = FrameReader()
    wrong = ANY_TUNER[:-1] + b"\0"
    assert reader.feed(ANY_DEVICE + wrong + ANY_DEVICE) == [read_frame(ANY_DEVICE)]
    assert reader.is_broken
    assert reader.feed(ANY_DEVICE) == []


# --- fields ---


@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 255, 256, 1000, 1400])
def test_a_field_of_any_length_is_read_as_it_was_written(length: int) -> None:
    value = b"\x81" * length
    row = write_field(5, value) + write_field(0xFF, b"x")
    assert read_fields(row) == [(5, value), (0xFF, b"x")]
    assert len(row) == length + (2 if length < 128 else 3) + 3


def test_a_long_length_begins_with_its_low_bits() -> None:
    assert write_field(5, bytes(300))[:3] == bytes((5, 300 & 0x7F | 0x80, 300 >> 7))


@pytest.mark.parametrize(
    "payload", ["01", "0104", "01040000", "0180", "018001", "0105ff", "ff8101"]
)
def test_a_row_of_fields_that_is_cut_short_is_none(payload: str) -> None:
    assert read_fields(bytes.fromhex("030141") + bytes.fromhex(payload)) is None


# --- discovery ---

ASKED = [  # fields of a request, whether we answer
    ([], True),
    ([(1, b"\0\0\0\1")], True),
    ([(1, b"\0\0\0\5")], False),
    ([(1, b"\xff" * 4), (2, OURS.to_bytes(4))], True),
    ([(1, b"\0\0\0\1"), (2, (OURS + 1).to_bytes(4))], False),
    ([(0x2D, b"\0\0\0\5\0\0\0\1")], True),
    ([(0x2D, b"\0\0\0\5\0\0\0\6")], False),
    ([(1, b"\0\0\0\1"), (0x99, b"unknown"), (0x2B, b"")], True),
]


@pytest.mark.parametrize(("fields", "ours"), ASKED, ids=range(len(ASKED)))
def test_a_request_is_for_those_whom_it_names(fields: list[tuple[int, bytes]], ours: bool) -> None:
    request = read_discover_request(read_frame(written(2, *fields)))
    assert request is not None
    assert request.is_for(OURS) == ours


@pytest.mark.parametrize(
    "payload", ["0103000001", "0100", "2d00", "0200", "020100", "2d03000000", "0104000000", "0204"]
)
def test_a_request_with_a_field_of_another_size_is_none(payload: str) -> None:
    assert read_discover_request(Frame(2, bytes.fromhex(payload))) is None


@pytest.mark.parametrize("type_", [0, 1, 3, 4, 5, 6, 7, 0xFFFF])
def test_other_frames_are_no_requests_for_devices(type_: int) -> None:
    assert read_discover_request(Frame(type_, b"\1\4\0\0\0\1")) is None
    assert read_discover_request(None) is None


def test_a_reply_byte_for_byte() -> None:
    reply = discover_reply(Device(OURS, 6, "http://10.0.0.1:8080"))
    told = (
        "00030047"
        "010400000001"
        "020412345674"
        "2a14687474703a2f2f31302e302e302e313a38303830"
        "100106"
        "2720687474703a2f2f31302e302e302e313a383038302f6c696e6575702e6a736f6e"
    )
    assert reply is not None
    assert reply[:-4].hex() == told
    assert read_frame(reply) is not None


def test_a_reply_has_no_room_for_any_address() -> None:
    longest = Device(OURS, 999, "http://a/" + "b" * 690)
    reply = read_frame(discover_reply(longest) or b"")
    assert reply is not None
    assert dict(read_fields(reply.payload) or ())[0x10] == b"\xff"
    assert discover_reply(Device(OURS, 2, "http://a/" + "b" * 720)) is None


# --- variables ---


def test_a_variable_is_asked_for_and_told() -> None:
    asked = read_frame(written(4, (3, b"/sys/model\0")))
    assert read_variable_request(asked) == VariableRequest("/sys/model")
    assert variable_reply("/sys/model", "x") == written(5, (3, b"/sys/model\0"), (4, b"x\0"))
    assert error_reply("ERROR: no") == written(5, (5, b"ERROR: no\0"))


def test_a_variable_is_set_with_a_value_and_maybe_a_key() -> None:
    frame = read_frame(written(4, (3, b"/tuner0/channel\0"), (4, b"auto:7\0"), (0x15, bytes(4))))
    assert read_variable_request(frame) == VariableRequest("/tuner0/channel", is_set=True)


@pytest.mark.parametrize("payload", ["", "0300", "0401", "04026100", "030a2f7379732f"])
def test_a_request_without_a_name_is_none(payload: str) -> None:
    assert read_variable_request(Frame(4, bytes.fromhex(payload))) is None
    assert read_variable_request(None) is None
