"""Whole packets out of bytes cut anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.formats.mpegts import NULL_PID, PACKET_SIZE
from kptv.formats.mpegts.aligner import PROBE_SIZE, SEARCH_WINDOW, Aligner, find_sync, sniff


def packet(number: int, fill: bytes = b"\xff") -> bytes:
    pid = 0x100 + number % 0x100
    return bytes((0x47, pid >> 8, pid & 0xFF, 0x10 | number % 16)) + fill * 184


def packets(count: int) -> bytes:
    return b"".join(packet(number) for number in range(count))


def align(aligner: Aligner, *reads: bytes) -> bytes:
    return b"".join(aligner.feed(read) for read in reads) + aligner.flush()


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def test_an_aligned_stream_passes_through() -> None:
    assert align(Aligner(), packets(50)) == packets(50)


def test_a_packet_is_handed_on_with_the_first_byte_of_the_next() -> None:
    aligner = Aligner()
    aligner.feed(packets(10))
    assert aligner.feed(b"\x47") == packet(9)
    assert aligner.feed(packet(10)[1:]) == b""
    assert aligner.flush() == packet(10)


def test_a_stream_that_starts_inside_a_packet_starts_with_the_next() -> None:
    aligner = Aligner()
    assert align(aligner, packets(20)[100:]) == packets(20)[188:]
    assert aligner.bytes_dropped == 88
    assert aligner.sync_losses == 0


def test_the_partial_packet_at_the_end_is_dropped() -> None:
    aligner = Aligner()
    assert align(aligner, packets(20)[:-1]) == packets(19)
    assert aligner.bytes_dropped == 187


def test_a_packet_cut_short_in_mid_stream_costs_only_itself() -> None:
    aligner = Aligner()
    assert align(aligner, packets(20)[:-60] + packets(20)) == packets(19) + packets(20)
    assert aligner.sync_losses == 1
    assert aligner.bytes_dropped == 128


def test_sync_is_regained_after_garbage() -> None:
    aligner = Aligner()
    data = packets(20) + b"<html>GGG</html>\r\n\n" * 99 + packets(20)
    assert align(aligner, data) == packets(19) + packets(20)  # the 20th has no head behind it
    assert aligner.sync_losses == 1


@pytest.mark.parametrize(
    ("before", "after"), [(b"\x00\x01\x02\x03", b""), (b"", b"p" * 16)], ids=["192", "204"]
)
def test_longer_packets_are_reduced_to_188_bytes(before: bytes, after: bytes) -> None:
    data = b"".join(before + packet(number) + after for number in range(30))
    aligner = Aligner()
    assert align(aligner, data) == packets(30)
    assert aligner.sync_losses == 0


def test_a_payload_full_of_sync_bytes_keeps_the_stream_in_sync() -> None:
    data = b"".join(packet(number, b"\x47") for number in range(30))
    assert align(Aligner(), data) == data


def test_after_a_flush_the_next_stream_may_have_longer_packets() -> None:
    aligner = Aligner()
    assert align(aligner, packets(5)) == packets(5)
    assert align(aligner, b"".join(packet(n) + b"p" * 16 for n in range(5))) == packets(5)


@settings(deadline=None)
@given(st.binary(max_size=4000), st.lists(st.integers(0, 5000), max_size=20))
def test_any_bytes_in_whole_packets_out(data: bytes, cuts: list[int]) -> None:
    aligner = Aligner()
    out = align(aligner, *split(data, cuts))
    assert len(out) % PACKET_SIZE == 0
    assert set(out[::PACKET_SIZE]) <= {0x47}
    assert aligner.bytes_dropped <= len(data)


PIECES = st.one_of(
    st.integers(1, 12).map(packets),
    st.integers(1, 187).map(lambda size: packet(1)[:size]),
    st.binary(max_size=400),
    st.integers(1, 700).map(lambda size: b"\x47" * size),
    st.integers(3, 8).map(lambda count: b"".join(packet(n) + b"G" * 16 for n in range(count))),
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=8).map(b"".join), st.lists(st.integers(0, 20000), max_size=30))
def test_any_split_into_reads_gives_the_same_packets(data: bytes, cuts: list[int]) -> None:
    whole, parts = Aligner(), Aligner()
    assert align(whole, data) == align(parts, *split(data, cuts))
    assert (whole.bytes_dropped, whole.sync_losses) == (parts.bytes_dropped, parts.sync_losses)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=4).map(b"".join))
def test_fed_byte_by_byte_it_gives_the_same_packets(data: bytes) -> None:
    assert align(Aligner(), data) == align(Aligner(), *(bytes((byte,)) for byte in data))


@settings(deadline=None)
@given(st.binary(max_size=SEARCH_WINDOW - 200).map(lambda garbage: garbage.replace(b"G", b"g")))
def test_a_stream_is_found_behind_garbage(garbage: bytes) -> None:
    sync = find_sync(garbage + packets(5))
    assert sync is not None
    assert (sync.offset, sync.stride) == (len(garbage), PACKET_SIZE)
    assert sniff(garbage + packets(5)) is True


def test_a_page_is_no_transport_stream() -> None:
    page = b"<!DOCTYPE html><title>GATEWAY GONE</title>" * 100
    assert sniff(page) is False
    assert sniff(page[:PROBE_SIZE]) is False
    assert sniff(page[:300], final=True) is False
    assert sniff(b"", final=True) is False


def test_too_few_bytes_cannot_tell() -> None:
    assert sniff(b"") is None
    assert sniff(packets(3)) is None
    assert sniff(b"x" * (PROBE_SIZE - 1)) is None


def test_two_packets_are_enough_when_nothing_more_comes() -> None:
    assert sniff(packets(2), final=True) is True
    assert align(Aligner(), packets(2)) == packets(2)


def test_null_packets_are_packets() -> None:
    null = bytes((0x47, NULL_PID >> 8, NULL_PID & 0xFF, 0x10)) + b"\xff" * 184
    assert align(Aligner(), null * 9) == null * 9
