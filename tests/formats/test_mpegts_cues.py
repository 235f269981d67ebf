"""Cue messages behind a splice: their time is shifted, however long they are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.formats.mpegts.psi import ElementaryStream, SectionReader, crc32
from tests.formats.ts_checker import check
from tests.formats.ts_hub import AlignedSplicer, merge
from tests.formats.ts_maker import FRAME, Maker, pes

CUES = 0x200
LISTED = (ElementaryStream(CUES, 0x86),)


def cue(size: int, adjustment: int = 0, fill: int = 0x01) -> bytes:
    """A splice_info_section (ANSI/SCTE 35, 9.6) of so many bytes."""
    body = b"\x00" + adjustment.to_bytes(5, "big") + b"\x00\xff\xf0\x00\x00"
    body += bytes((fill,)) * (size - 3 - len(body) - 4)
    section = b"\xfc" + (0x3000 | size - 3).to_bytes(2, "big") + body
    return section + crc32(section).to_bytes(4, "big")


def in_packets(maker: Maker, sections: bytes) -> list[bytes]:
    """Sections that follow each other, from the start of a packet on."""
    payload, out = b"\x00" + sections, list[bytes]()
    while payload:
        part, payload = payload[:184], payload[184:]
        out.append(maker.head(CUES, start=not out) + part.ljust(184, b"\xff"))
    return out


def received(stream: bytes) -> list[bytes]:
    """The sections that a receiver of cue messages gets."""
    reader, found = SectionReader(), []
    for at in range(0, len(stream), 188):
        packet = stream[at : at + 188]
        if (packet[1] & 0x1F) << 8 | packet[2] == CUES:
            payload = packet[5 + packet[4] if packet[3] & 0x20 else 4 :]
            found += reader.feed(payload, unit_start=bool(packet[1] & 0x40))
    return found


def splice(stream: bytes, sizes: list[int]) -> bytes:
    """What goes out of a stream behind another one, which has had 40 pictures."""
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    chunks = [splicer.feed(Maker(more=LISTED).pictures(40), 0.0), splicer.close(0.0)]
    splicer.open(0.0, same_stream=False)
    at = turn = 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        chunks.append(splicer.feed(stream[at : at + size], 0.0))
        at, turn = at + size, turn + 1
    chunks.append(splicer.close(0.0))
    return merge(chunks).data


def shift_of(out: bytes) -> int:
    """The second stream's clock starts at 0, behind 39 pictures that went out."""
    return check(out).dts[0x100][39]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(20, 4096), min_size=1, max_size=4),
    st.lists(st.integers(1, 3000), min_size=1, max_size=4),
)
def test_a_cue_message_is_shifted_whatever_its_length_and_the_reads(
    lengths: list[int], sizes: list[int]
) -> None:
    maker = Maker(more=LISTED, time=0)
    stream = maker.pictures(5)
    for length in lengths:
        for packet in in_packets(maker, cue(length, 5)):
            stream += packet + maker.picture()
    out = splice(stream + maker.pictures(5), sizes)
    expected = cue(20, 5 + shift_of(out))[4:9]
    sections = received(out)
    assert [len(section) for section in sections] == lengths
    assert {crc32(section) for section in sections} == {0}
    assert {section[4:9] for section in sections} == {expected}
    assert not check(out).errors


def test_several_messages_in_one_packet_are_shifted() -> None:
    maker = Maker(more=LISTED, time=0)
    packets = in_packets(maker, cue(40) + cue(50, 7) + cue(300, 9))
    out = splice(maker.pictures(5) + b"".join(packets) + maker.pictures(5), [1000])
    sections = received(out)
    shift = shift_of(out)
    assert [int.from_bytes(s[4:9], "big") - shift for s in sections] == [0, 7, 9]
    assert {crc32(section) for section in sections} == {0}


def test_a_message_that_starts_where_another_ends_is_shifted() -> None:
    maker = Maker(more=LISTED, time=0)
    first, second = cue(250), cue(60, 3)
    end = first[183:]
    packets = maker.head(CUES, start=True) + b"\x00" + first[:183]
    payload = bytes((len(end),)) + end + second
    packets += maker.head(CUES, start=True) + payload.ljust(184, b"\xff")
    out = splice(maker.pictures(5) + packets + maker.pictures(5), [188])
    shift = shift_of(out)
    assert [int.from_bytes(s[4:9], "big") - shift for s in received(out)] == [0, 3]


def test_half_a_message_does_not_go_out() -> None:
    maker = Maker(more=LISTED, time=0)
    whole, half = in_packets(maker, cue(100)), in_packets(maker, cue(900))[:3]
    out = splice(maker.pictures(5) + b"".join(whole) + b"".join(half) + maker.pictures(3), [700])
    out_pids = [(out[at + 1] & 0x1F) << 8 | out[at + 2] for at in range(0, len(out), 188)]
    assert out_pids.count(CUES) == 1
    assert not check(out).errors


def test_a_message_that_never_ends_holds_little_up() -> None:
    maker = Maker(more=LISTED, time=0, size=4000)
    endless = in_packets(maker, cue(900))[0]
    stream = maker.pictures(5) + endless + maker.pictures(100)
    assert len(check(splice(stream, [700])).dts[0x100]) == 39 + 5 + 100 - 1


def test_what_is_damaged_or_no_cue_message_stays_as_it_is() -> None:
    maker = Maker(more=LISTED, time=0)
    damaged = cue(400)[:-1] + b"\x00"
    other = b"\xfd" + cue(30)[1:]
    stream = maker.pictures(5) + b"".join(in_packets(maker, damaged))
    stream += b"".join(in_packets(maker, other)) + maker.pictures(5)
    assert received(splice(stream, [5000])) == [damaged, other]


def test_a_message_is_shifted_right_although_packets_before_it_were_taken_out() -> None:
    """Sound that lacks its end at a border of segments goes, while a message is not yet whole."""
    maker = Maker(more=LISTED, time=0)
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    chunks = [splicer.feed(Maker(more=LISTED).pictures(40), 0.0), splicer.close(0.0)]
    splicer.open(0.0, same_stream=False)
    first, second, third = in_packets(maker, cue(500))
    torn = maker.packets(0x101, pes(0xC0, b"\xbb" * 500, maker.time + 6 * FRAME, sized=True))
    chunks.append(splicer.feed(maker.pictures(6) + torn[: 2 * 188] + first, 0.0))
    chunks.append(splicer.cross(0.0, whole=True))
    maker.counters = {pid: counter + 5 for pid, counter in maker.counters.items()}
    rest = maker.picture() + second + third + maker.pictures(5)
    chunks += [splicer.feed(rest, 0.0), splicer.close(0.0)]
    out = merge(chunks).data
    assert b"\xbb" * 100 not in out
    assert not check(out).errors
    assert received(out) == [cue(500, shift_of(out))]
