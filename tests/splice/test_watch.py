"""What is wrong with an upstream that still sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kptv.splice.watch import Trouble
from tests.formats.ts_hub import AlignedSplicer
from tests.formats.ts_maker import AUD, P_SLICE, Maker


def troubles(
    read: Callable[[float], bytes], seconds: float, step: float = 0.1
) -> list[tuple[float, Trouble]]:
    """When which trouble began, while ``read(seconds since the start)`` is fed."""
    splicer = AlignedSplicer()
    splicer.open(100.0, same_stream=False)
    found: list[tuple[float, Trouble]] = []
    for n in range(1, round(seconds / step) + 1):
        splicer.feed(read(n * step), 100.0 + n * step)
        trouble = splicer.trouble(100.0 + n * step)
        if trouble and (not found or found[-1][1] != trouble):
            found.append((n * step, trouble))
    return found


def paced(maker: Maker, rate: float = 1.0) -> Callable[[float], bytes]:
    """Pictures at ``rate`` seconds of media a second."""

    def read(time: float) -> bytes:
        return maker.pictures(max(0, int(time * rate * 25) - maker.count))

    return read


def segments(length: float, rate: float = 1.0, ahead: int = 3) -> Callable[[float], bytes]:
    """As HLS comes: ``ahead`` segments at once, then one whenever one has passed."""
    maker = Maker(gop=25)

    def read(time: float) -> bytes:
        wanted = (int(time * rate / length) + ahead) * int(length * 25)
        return maker.pictures(max(0, wanted - maker.count))

    return read


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.5])
def test_a_stream_at_its_pace_is_no_trouble(rate: float) -> None:
    assert troubles(paced(Maker(), rate), 40) == []


@pytest.mark.parametrize("length", [1.0, 2.0, 4.0, 6.0, 9.0])
def test_segments_are_no_trouble(length: float) -> None:
    assert troubles(segments(length), 60) == []


def bursts(
    period: float, before: Callable[[Maker], bytes] = lambda maker: b""
) -> Callable[[float], bytes]:
    """The media of ``period`` seconds within half a second, then a pause; ``before`` comes first"""
    maker, last = Maker(gop=25), [0]

    def read(time: float) -> bytes:
        number, into = divmod(time, period)
        if number > last[0]:
            last[0] = int(number)
            return before(maker)
        wanted = number * period + min(into * 2, 1.0) * period
        return maker.pictures(max(0, int(wanted * 25) - maker.count))

    return read


@pytest.mark.parametrize("period", [3.0, 6.0, 10.0, 12.0, 15.0])
def test_bursts_are_no_trouble_however_long_the_pauses_between_them(period: float) -> None:
    assert troubles(bursts(period), 100) == []


@pytest.mark.parametrize("period", [6.0, 15.0])
def test_tables_that_come_first_behind_a_pause_are_no_lack_of_media(period: float) -> None:
    assert troubles(bursts(period, Maker.tables), 60) == []
    assert troubles(bursts(period, lambda maker: maker.nulls(3)), 60) == []


def test_scrambled_packets_that_come_first_behind_a_pause_are_no_scrambled_stream() -> None:
    scrambled = Maker(audio=None, scrambled=True)
    assert troubles(bursts(8.0, lambda maker: scrambled.pictures(1)[-188:]), 60) == []


def test_tables_now_and_then_are_no_media() -> None:
    maker = Maker()

    def read(time: float) -> bytes:
        if time < 1:
            return maker.pictures(2)
        return maker.tables() if round(time * 10) % 30 == 0 else b""

    ((when, trouble),) = troubles(read, 20)
    assert trouble is Trouble.NO_MEDIA
    assert when <= 12


def test_bursts_that_bring_too_little_are_a_drip() -> None:
    slow = bursts(12.0)
    ((when, trouble),) = troubles(lambda time: slow(time / 2), 150)  # 12 s of media each 24 s
    assert trouble is Trouble.DRIP
    assert when <= 100


@pytest.mark.parametrize("pause", [4.0, 8.0, 14.0])
@pytest.mark.parametrize("rest", [0.0, 2.5], ids=["flows", "comes in segments"])
def test_a_stream_that_paused_once_and_lost_that_time_is_no_drip(pause: float, rest: float) -> None:
    maker = Maker(gop=25)

    def read(time: float) -> bytes:
        media = min(time, 4) + max(0, time - 4 - pause)
        if rest:
            media = media // rest * rest
        return maker.pictures(max(0, int(media * 25) - maker.count))

    assert troubles(read, 80) == []


def test_a_drip_is_noticed_after_ten_seconds() -> None:
    ((when, trouble),) = troubles(paced(Maker(), 0.5), 30)
    assert trouble is Trouble.DRIP
    assert 10 <= when <= 12


def test_a_stream_that_turns_into_a_drip_is_noticed() -> None:
    maker = Maker()

    def read(time: float) -> bytes:
        media = min(time, 20) + max(0, time - 20) * 0.4
        return maker.pictures(max(0, int(media * 25) - maker.count))

    ((when, trouble),) = troubles(read, 60)
    assert trouble is Trouble.DRIP
    assert 24 <= when <= 32


def test_segments_that_come_too_slowly_are_a_drip() -> None:
    ((when, trouble),) = troubles(segments(4.0, rate=0.5), 60)
    assert trouble is Trouble.DRIP
    assert when <= 35


def test_a_clock_that_starts_anew_with_each_segment_is_no_drip_however_seldom_one_looks() -> None:
    maker = Maker(gop=25)

    def read(time: float) -> bytes:
        data = b""
        while maker.count < time * 25:
            maker.time = 900_000 + maker.count % 25 * 3600
            data += maker.pictures(1)
        return data

    assert troubles(read, 40, step=0.45) == []


@pytest.mark.parametrize("jump", [-9_000, 90_000 * 600])
def test_a_clock_that_jumps_now_and_then_hides_no_drip(jump: int) -> None:
    maker = Maker(gop=25)

    def read(time: float) -> bytes:
        if maker.count % 50 == 49:
            maker.time += jump
        return maker.pictures(max(0, int(time * 0.5 * 25) - maker.count))

    assert [trouble for _, trouble in troubles(read, 40)] == [Trouble.DRIP]


def test_silence_is_not_its_business() -> None:
    maker = Maker()
    assert troubles(lambda time: maker.pictures(1) if time < 3 else b"", 30) == []


def test_null_packets_only_are_no_media() -> None:
    maker = Maker()
    ((when, trouble),) = troubles(lambda _: maker.nulls(20), 8)
    assert (round(when), trouble) == (5, Trouble.NO_MEDIA)


def test_tables_only_are_no_media() -> None:
    maker = Maker()
    ((when, trouble),) = troubles(lambda _: maker.tables(), 8)
    assert (round(when), trouble) == (5, Trouble.NO_MEDIA)


def test_rubbish_is_no_media() -> None:
    ((_, trouble),) = troubles(lambda _: b"<html>" * 100, 8)
    assert trouble is Trouble.NO_MEDIA


def test_a_stream_that_turns_scrambled_is_noticed_after_five_seconds() -> None:
    maker = Maker()
    read = paced(maker)

    def scrambling(time: float) -> bytes:
        maker.scrambled = time > 4
        return read(time)

    ((when, trouble),) = troubles(scrambling, 12)
    assert (round(when), trouble) == (9, Trouble.SCRAMBLED)


def test_scrambled_pictures_with_clear_sound_are_noticed() -> None:
    video, sound = Maker(audio=None, scrambled=True), Maker(gop=10**6)

    def read(_: float) -> bytes:
        tables = sound.tables()
        stream = video.pictures(2)[376:] + sound.packets(0x101, b"\x00\x00\x01\xc0" + b"\x00" * 90)
        return tables + stream

    assert [trouble for _, trouble in troubles(read, 8)] == [Trouble.SCRAMBLED]


def test_the_same_seconds_again_and_again_are_a_loop() -> None:
    maker = Maker()

    def read(time: float) -> bytes:
        maker.time = 900_000 - int(time / 10) * 250 * 3600  # ten seconds, then from the start
        return maker.pictures(max(0, int(time * 25) - maker.count))

    ((when, trouble),) = troubles(read, 40)
    assert trouble is Trouble.LOOP
    assert 20 <= when <= 22


@pytest.mark.parametrize("what", ["picture", "sound"])
def test_segments_encoded_one_by_one_from_the_same_time_are_no_loop(what: str) -> None:
    """All begin with the same headers at the same time; only what is in them differs."""
    count = 0

    def read(time: float) -> bytes:
        nonlocal count
        stream = b""
        while count < time / 2:
            count += 1
            differs = b"number %d" % count
            maker = Maker(other=AUD + P_SLICE + differs) if what == "picture" else Maker()
            segment = maker.pictures(50)
            if what == "sound":
                segment = segment.replace(b"\xaa" * len(differs), differs)
            stream += segment
        return stream

    assert troubles(read, 40) == []


def test_segments_of_the_same_content_and_time_are_a_loop() -> None:
    served = 0

    def read(time: float) -> bytes:
        nonlocal served
        fresh = int(time / 2) + 1 - served
        served += fresh
        return Maker().pictures(50) * fresh

    assert [trouble for _, trouble in troubles(read, 20)] == [Trouble.LOOP]


def test_the_same_seconds_on_every_connection_are_a_loop() -> None:
    splicer = AlignedSplicer()
    found = []
    for n in range(4):
        splicer.open(n * 10.0, same_stream=n > 0)
        splicer.feed(Maker().pictures(100), n * 10.0 + 1)
        found.append(splicer.trouble(n * 10.0 + 1))
        splicer.close(n * 10.0 + 4)
    assert found == [None, None, Trouble.LOOP, Trouble.LOOP]


@pytest.mark.parametrize("gop", [25, 250])
@pytest.mark.parametrize("maker", [Maker(), Maker(video=None)], ids=["television", "radio"])
def test_a_provider_that_repeats_its_last_seconds_to_every_connection_is_no_loop(
    maker: Maker, gop: int
) -> None:
    """A connection lasts 3 s and begins 10 s back: all is seen three times, and goes on."""
    splicer = AlignedSplicer()
    for n in range(12):
        again = replace(maker, gop=gop, counters={}, count=0)
        stream = again.pictures(n * 75)  # what was before this connection
        splicer.open(n * 3.0, same_stream=n > 0)
        stream = again.tables() + stream[-250 * 800 :] + again.pictures(75)
        for at in range(0, len(stream), 20_000):
            splicer.feed(stream[at : at + 20_000], n * 3.0 + 1)
            assert splicer.trouble(n * 3.0 + 1) is None
        splicer.close(n * 3.0 + 3)


def test_a_clock_that_starts_anew_and_then_repeats_is_no_loop() -> None:
    splicer, maker = AlignedSplicer(), Maker(time=5_000_000)
    splicer.open(0.0, same_stream=False)
    splicer.feed(maker.pictures(500), 0.0)
    for n in range(8):
        splicer.open(n * 4.0, same_stream=True)
        splicer.feed(Maker(time=900_000).pictures(200 + n * 100), n * 4.0 + 1)
        assert splicer.trouble(n * 4.0 + 1) is None


def test_the_same_seconds_of_radio_again_and_again_are_a_loop() -> None:
    maker = Maker(video=None)

    def read(time: float) -> bytes:
        stream = b""
        while maker.count < int(time * 25):
            maker.time = 900_000 - maker.count // 250 * 250 * 3600
            stream += maker.picture()
        return stream

    ((when, trouble),) = troubles(read, 40)
    assert trouble is Trouble.LOOP
    assert 20 <= when <= 22


def test_nothing_is_wrong_with_what_is_not_open() -> None:
    assert AlignedSplicer().trouble(99.0) is None


def test_the_figures_of_an_upstream() -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    maker, sent = Maker(gop=50, size=1200), 0
    for n in range(250):
        data = maker.picture() + maker.nulls(1)
        splicer.feed(data, n / 25)
        sent += len(data) // 188
    stats = splicer.stats
    assert stats.codecs == ("h264", "aac")
    assert stats.gop_seconds == 2.0
    assert stats.packets == sent - 1  # null packets too; the last packet waits for the next
    assert stats.bit_rate == pytest.approx(25 * 188 * 8 * (7 + 1 + 1), rel=0.05)
    assert stats.pcr_jitter < 0.05
    assert stats.continuity_errors == stats.bytes_dropped == 0
