"""Programme tables, read and written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.mpegts.psi import (
    ElementaryStream,
    Pat,
    Pmt,
    SectionReader,
    Tables,
    crc32,
    packets_of,
    parse_pat,
    parse_pmt,
    read_descriptors,
)

# The PAT that every ffmpeg writes: stream 1, programme 1 on PID 0x1000.
PAT = bytes.fromhex("00b00d0001c100000001f0002ab104b2")


def bitwise_crc(data: bytes) -> int:
    """ISO/IEC 13818-1, annex A, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def test_a_pat_is_read_and_written_as_the_field_writes_it() -> None:
    pat = parse_pat(PAT)
    assert pat == Pat(1, 0, ((1, 0x1000),))
    assert pat.section == PAT


def test_the_network_pid_is_no_programme() -> None:
    section = Pat(7, 3, ((0, 0x10), (5, 0x20))).section
    pat = parse_pat(section)
    assert pat is not None
    assert pat.programs == ((5, 0x20),)


def test_a_damaged_table_is_no_table() -> None:
    assert parse_pat(PAT[:9] + b"\x09" + PAT[10:]) is None
    assert parse_pmt(PAT) is None
    assert parse_pat(b"") is None


def test_a_table_that_does_not_apply_yet_is_not_taken() -> None:
    body = PAT[:5] + b"\xc0" + PAT[6:-4]
    assert parse_pat(body + crc32(body).to_bytes(4, "big")) is None


@given(st.binary(max_size=300))
def test_the_crc_is_that_of_the_standard(data: bytes) -> None:
    assert crc32(data) == bitwise_crc(data)


STREAMS = st.builds(
    ElementaryStream, st.integers(16, 8190), st.integers(0, 255), st.binary(max_size=30)
)


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 31),
    st.integers(0, 8191),
    st.lists(STREAMS, max_size=20),
    st.binary(max_size=40),
)
def test_a_pmt_survives_packets(
    number: int, version: int, pcr_pid: int, streams: list[ElementaryStream], descriptors: bytes
) -> None:
    pmt = Pmt(number, version, pcr_pid, tuple(streams), descriptors)
    packets = packets_of(pmt.section, 0x123, 5)
    assert packets[-185] & 15 == 5
    reader = SectionReader()
    sections: list[bytes] = []
    for at in range(0, len(packets), 188):
        start = bool(packets[at + 1] & 0x40)
        assert start == (at == 0)
        sections += reader.feed(packets[at + 4 : at + 188], unit_start=start)
    assert [parse_pmt(section) for section in sections] == [pmt]


@given(st.lists(st.tuples(st.binary(max_size=184), st.booleans()), max_size=20))
def test_any_payload_is_survived(payloads: list[tuple[bytes, bool]]) -> None:
    reader = SectionReader()
    for payload, start in payloads:
        for section in reader.feed(payload, unit_start=start):
            parse_pat(section)
            parse_pmt(section)


def test_two_sections_in_one_packet_are_both_read() -> None:
    payload = (b"\x00" + PAT + PAT).ljust(184, b"\xff")
    assert SectionReader().feed(payload, unit_start=True) == [PAT, PAT]


def test_a_section_may_start_where_another_ends() -> None:
    reader = SectionReader()
    assert reader.feed(b"\x00" + PAT[:9], unit_start=True) == []
    rest = bytes((len(PAT) - 9,)) + PAT[9:] + PAT
    assert reader.feed(rest, unit_start=True) == [PAT, PAT]


def test_tables_carry_the_counters_they_are_given() -> None:
    tables = Tables(PAT, Pmt(1, 0, 0x100, (ElementaryStream(0x100, 27),)).section, 0x1000)
    packets = tables.packets(3, 9)
    assert (packets[3], packets[188 + 3]) == (0x13, 0x19)
    assert packets[188 + 1 : 188 + 3] == b"\x50\x00"


def test_descriptors_end_where_their_bytes_do() -> None:
    assert read_descriptors(b"\x0a\x04eng\x00\x05\x09AC") == [(0x0A, b"eng\x00")]
