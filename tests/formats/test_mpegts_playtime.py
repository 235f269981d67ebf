"""How long media lasts is told by its own clock, however it runs and wherever it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.formats.mpegts.playtime import Playtime
from tests.numbered_ts import PACKET, NumberedStream, restamped

SECONDS = 2.0
PACKETS = 200
BITRATE = PACKETS * PACKET * 8 / SECONDS


def segments(count: int, **options: int) -> list[bytes]:
    """Segments of SECONDS each, one after the other."""
    stream = NumberedStream("one", "News", 0, bitrate=BITRATE, **options)  # type: ignore[arg-type]
    return [stream.packets(PACKETS, 0.0) for _ in range(count)]


def measured(playtime: Playtime, media: bytes, size: int = 10_000) -> float | None:
    playtime.begin()
    for at in range(0, len(media), size):
        playtime.feed(media[at : at + size])
    return playtime.end()


def test_a_segment_lasts_as_long_as_its_pcrs_say_up_to_the_next_one() -> None:
    playtime = Playtime()
    first, *rest = [measured(playtime, media) for media in segments(4)]
    assert first == pytest.approx(SECONDS, abs=0.1)  # from its first time stamp to its last
    assert rest == [pytest.approx(SECONDS, abs=0.001)] * 3


def test_without_pcrs_the_time_stamps_of_its_pictures_tell() -> None:
    playtime = Playtime()
    got = [measured(playtime, restamped(media, 0.0, pcr=False)) for media in segments(3)]
    assert got[1:] == [pytest.approx(SECONDS, abs=0.001)] * 2


def test_what_has_no_clock_tells_nothing() -> None:
    playtime = Playtime()
    null = b"\x47\x1f\xff\x10" + b"\xff" * 184
    playtime.begin()
    assert playtime.feed(null * 100) is None
    assert playtime.end() is None
    assert measured(playtime, segments(1)[0]) == pytest.approx(SECONDS, abs=0.1)


def test_a_clock_that_stands_still_is_none() -> None:
    playtime = Playtime()
    (media,) = segments(1)
    at = next(at for at in range(0, len(media), PACKET) if media[at + 3] & 0x20)
    assert measured(playtime, media[at : at + PACKET] * 100) is None


@pytest.mark.parametrize("jump", [-3600.0, -3.5, 40.0, 3600.0, 95_000.0])
def test_a_clock_that_jumps_at_a_segments_start_or_in_its_middle_costs_no_time(
    jump: float,
) -> None:
    playtime = Playtime()
    one, two, three = segments(3)
    measured(playtime, one)
    assert measured(playtime, restamped(two, jump)) == pytest.approx(SECONDS, abs=0.05)
    middle = PACKET * (PACKETS // 2)
    three = restamped(three[:middle], jump) + restamped(three[middle:], 0.0)
    assert measured(playtime, three) == pytest.approx(SECONDS, abs=0.1)


def test_segments_that_were_skipped_do_not_count() -> None:
    playtime = Playtime()
    one, _, three = segments(3)
    measured(playtime, one)
    playtime.splice()
    assert measured(playtime, three) == pytest.approx(SECONDS, abs=0.1)


def test_a_clock_that_wraps_goes_on() -> None:
    playtime = Playtime()
    got = [measured(playtime, media) for media in segments(3, clock_base=2**33 - 90_000)]
    assert got[1:] == [pytest.approx(SECONDS, abs=0.001)] * 2


def test_of_two_programmes_the_clock_of_one_counts() -> None:
    playtime = Playtime()
    other = segments(2, pid=0x200, clock_base=90_000 * 5000)
    for mine, theirs in zip(segments(2), other, strict=True):
        mixed = b"".join(
            mine[at : at + PACKET] + theirs[at : at + PACKET] for at in range(0, len(mine), PACKET)
        )
        assert measured(playtime, mixed) == pytest.approx(SECONDS, abs=0.1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 30_000), min_size=1), st.binary(max_size=1500))
def test_it_does_not_matter_where_the_bytes_are_cut(sizes: list[int], junk: bytes) -> None:
    playtime, (media,) = Playtime(), segments(1)
    whole = measured(playtime, media)
    playtime = Playtime()
    playtime.begin()
    body, total = junk.replace(b"\x47", b"") + media, 0.0
    for size in [*sizes, len(body)]:
        total += playtime.feed(body[:size]) or 0.0
        body = body[size:]
    assert playtime.end() == pytest.approx(whole)
    assert total <= (whole or 0.0) + 0.001


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(min_size=188, max_size=188), max_size=30))
def test_no_bytes_make_it_raise(packets: list[bytes]) -> None:
    playtime = Playtime()
    measured(playtime, b"".join(b"\x47" + packet[1:] for packet in packets) + b"\x47")
