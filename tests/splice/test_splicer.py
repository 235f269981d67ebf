"""One programme that never ends, made of many upstreams that do."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kptv.formats.mpegts.psi import ElementaryStream, Pat, Pmt, packets_of
from kptv.splice.joining import Chunk
from kptv.splice.reserve import MARGIN
from tests.formats.ts_checker import check
from tests.formats.ts_hub import AlignedSplicer, Hub, merge
from tests.formats.ts_maker import AUD, FRAME, I_SLICE, PPS, SPS, Maker, pes, stamp

TICKS = 90_000
CUT = b"\x00\x00\x01\x41"  # what a picture of Maker's that is not a keyframe begins with


def payloads(stream: bytes, pid: int) -> list[bytes]:
    return [
        stream[at + 4 : at + 188]
        for at in range(0, len(stream), 188)
        if (stream[at + 1] & 0x1F) << 8 | stream[at + 2] == pid
    ]


def steps(times: list[int]) -> list[int]:
    return [(after - before) % (1 << 33) for before, after in pairwise(times)]


# Starting


def test_the_first_bytes_are_pat_and_pmt_then_a_keyframe() -> None:
    maker = Maker()
    maker.count = 10  # in mid-GOP
    hub = Hub().play(maker.tables() + maker.pictures(60))
    pids = [(hub.out[at + 1] & 0x1F) << 8 | hub.out[at + 2] for at in (0, 188, 376)]
    assert pids == [0, 0x1000, 0x100]
    assert merge(hub.chunks).starts[0].offset == 376
    assert b"\x00\x00\x01\x65" in hub.out[376:564]
    assert not check(hub.out).errors


def test_of_the_first_upstream_nothing_but_the_tables_is_rewritten() -> None:
    stream = Maker().pictures(100)
    hub = Hub().play(stream, clean=True)
    for pid in (0x100, 0x101):
        assert payloads(hub.out, pid) == payloads(stream, pid)


def test_null_packets_and_other_pids_are_left_out() -> None:
    maker = Maker()
    stream = b"".join(
        maker.pictures(5) + maker.nulls(3) + maker.packets(0x1234, b"x" * 400) for _ in range(20)
    )
    hub = Hub().play(stream)
    assert set(check(hub.out).pids) == {0, 0x1000, 0x100, 0x101}


def test_sound_that_began_before_the_keyframe_is_left_out() -> None:
    maker = Maker()
    maker.count = 25  # a keyframe without sound beside it
    tables = maker.tables()
    torn = maker.packets(0x101, pes(0xC0, b"\xbb" * 500, 890_000, sized=True))
    hub = Hub().play(tables + torn[:188] + maker.picture() + torn[188:] + maker.pictures(40))
    assert b"\xbb" * 50 not in hub.out


def test_without_a_keyframe_it_starts_after_ten_seconds() -> None:
    maker = Maker(key=AUD + CUT + b"\xc0" * 8, random_access=False)
    splicer = AlignedSplicer()
    splicer.open(5.0, same_stream=False)
    assert not splicer.feed(maker.pictures(50), 14.9)
    assert not splicer.sending
    chunk = splicer.feed(maker.pictures(50), 15.0)
    assert chunk.data
    assert [start.offset for start in chunk.starts] == [376]
    assert splicer.sending
    assert CUT in chunk.data[376:564]


def test_every_sound_packet_of_a_radio_channel_is_a_start() -> None:
    hub = Hub().play(Maker(video=None).pictures(40))
    assert hub.starts == 20
    assert not check(hub.out).errors


def test_of_several_programmes_one_goes_out() -> None:
    one, two = Maker(pmt=0x20), Maker(video=0x200, audio=0x201, pmt=0x21, program=2)
    stream = b""
    pat = Pat(1, 0, ((1, 0x20), (2, 0x21))).section
    for n in range(50):
        stream += packets_of(pat, 0, n)
        stream += b"".join(p for p in (one.pictures(1), two.pictures(1)) for p in [_no_pat(p)])
    hub = Hub().play(stream)
    report = check(hub.out)
    assert not report.errors
    assert set(report.pids) == {0, 0x20, 0x100, 0x101}
    assert len(report.dts[0x100]) == 49


def _no_pat(stream: bytes) -> bytes:
    return b"".join(
        stream[at : at + 188]
        for at in range(0, len(stream), 188)
        if stream[at + 1] & 0x1F or stream[at + 2]
    )


# Splicing


def test_a_failover_goes_on_with_the_same_pids_counters_and_clock() -> None:
    hub = Hub().play(Maker().pictures(60)[:-100], 2.4)
    hub.play(Maker(video=0x55, audio=0x66, pmt=0x77, time=5_000_000_000).pictures(60), 2.4)
    report = check(hub.out)
    assert not report.errors
    assert report.pmts == [(1, 0, {0x100: 0x1B, 0x101: 0x0F})]
    assert set(steps(report.dts[0x100])) == {FRAME}
    assert set(report.marked) == {0x100}  # the clock's PID: another time base begins


def test_nothing_partial_goes_out() -> None:
    whole = Maker(size=5000).pictures(60)
    for cut in range(len(whole) - 12_000, len(whole), 777):
        hub = Hub().play(whole[:cut]).play(Maker(time=1).pictures(30))
        assert not check(hub.out).errors


def test_leading_pictures_of_an_open_group_are_dropped() -> None:
    maker = Maker(video_type=0x02, key=b"\x00\x00\x01\xb3\x16\x00\x90\x13\x00\x00\x01\x00\x00\x0f")
    maker.other = b"\x00\x00\x01\x00\x00\x17"
    first = Hub().play(maker.pictures(30))
    lead = Maker(video_type=0x02, key=maker.key, other=maker.other, audio=None, pmt=0x300)
    stream = lead.picture()
    for pts in (-2, -1):  # in the order of decoding they come behind the keyframe
        n, lead.count = lead.count, lead.count + 1
        dts = lead.time + n * FRAME
        data = pes(0xE0, b"\xdd" * 300, lead.time + FRAME + pts * 1200, dts, sized=False)
        stream += lead.packets(0x100, data)
    hub = first.play(stream + lead.pictures(20))
    assert b"\xdd" * 100 not in hub.out
    assert not check(hub.out).errors


def test_an_open_start_of_h265_is_marked_as_a_broken_link() -> None:
    headers = b"\x00\x00\x01\x40\x01\x00\x00\x01\x42\x01\x01\x60\x00\x00\x01\x44\x01"
    slices = (b"\x00\x00\x01\x2a\x01" + b"\x77" * 250) * 3  # CRA, in three slices

    def stream(time: int) -> bytes:
        maker = Maker(video_type=0x24, key=headers + slices, size=900, gop=20, time=time)
        maker.other = b"\x00\x00\x01\x02\x01\x77"
        return maker.pictures(60)

    hub = Hub().play(stream(900_000)).play(stream(7))
    assert not check(hub.out).errors
    video = b"".join(payloads(hub.out, 0x100))
    assert video.count(b"\x00\x00\x01\x24\x01") == 3  # BLA_N_LP: the first one of the second
    assert video.count(b"\x00\x00\x01\x2a\x01") == 3 * 5


def test_a_splice_waits_a_second_for_an_idr() -> None:
    def stream(idr_at: int) -> bytes:
        maker = Maker(key=AUD + SPS + PPS + I_SLICE, gop=10, time=0)
        before = maker.pictures(idr_at)
        maker.key = Maker().key
        return before + maker.pictures(60)

    for idr_at, skipped in ((20, 20), (40, 0)):
        hub = Hub().play(Maker().pictures(60)).play(stream(idr_at))
        sent = len(check(hub.out).dts[0x100])
        assert sent == 59 + (idr_at + 59 - skipped)


def test_another_codec_gets_another_pid_and_the_next_version() -> None:
    hub = Hub()
    for video_type, audio_type in ((0x1B, 0x0F), (0x02, 0x04), (0x1B, 0x0F)):
        key = Maker().key if video_type == 0x1B else b"\x00\x00\x01\xb3\x16\x00\x90\x13"
        if video_type == 0x02:
            key += b"\x00\x00\x01\x00\x00\x0f\xff\xf8"
        maker = Maker(video_type=video_type, audio_type=audio_type, key=key, program=hub.starts + 1)
        hub.play(maker.pictures(50), 2.0)
    report = check(hub.out)
    assert not report.errors
    first, second, third = report.pmts
    assert [pmt[1] for pmt in report.pmts] == [0, 1, 2]
    assert first[0] == second[0] == third[0]  # programme number
    assert first[2] == third[2]
    assert not set(first[2]) & set(second[2])


def test_sound_is_matched_by_language() -> None:
    both = (
        ElementaryStream(0x201, 0x0F, b"\x0a\x04fra\x00"),
        ElementaryStream(0x202, 0x0F, b"\x0a\x04eng\x00"),
    )
    hub = Hub().play(
        Maker(language=b"eng", more=(ElementaryStream(0x102, 0x0F, b"\x0a\x04fra\x00"),)).pictures(
            30
        )
    )
    maker = Maker(audio=None, more=both, pmt=0x300)
    stream = maker.pictures(25)
    for pid, fill in ((0x201, b"\xf0"), (0x202, b"\xe0")):
        stream += maker.packets(pid, pes(0xC0, fill * 150, maker.time + 24 * FRAME, sized=True))
    hub.play(stream)
    assert any(b"\xe0" * 100 in payload for payload in payloads(hub.out, 0x101))
    assert any(b"\xf0" * 100 in payload for payload in payloads(hub.out, 0x102))


def test_television_and_radio_follow_each_other() -> None:
    hub = Hub()
    for number in range(6):
        maker = Maker(video=None if number % 2 else 0x200, time=number * 70_000, pmt=0x300)
        hub.play(maker.pictures(50 + number), 2.0 + number / 25)
    report = check(hub.out)
    assert not report.errors
    assert hub.splices == 5
    sound = report.dts[0x101]
    assert sound[-1] - sound[0] == pytest.approx(12.6 * TICKS, abs=TICKS)


def test_lost_packets_of_an_upstream_stay_visible_after_a_splice() -> None:
    hub = Hub().play(Maker().pictures(40))
    stream = Maker(audio=None, size=2000, time=0).pictures(40)
    hole = len(stream) // 188 // 2 * 188
    hub.play(stream[:hole] + stream[hole + 188 :])
    assert len([text for text in check(hub.out).errors if "counter" in text]) == 1


def test_a_clock_that_wraps_goes_on() -> None:
    hub = Hub().play(Maker(time=(1 << 33) - 40 * FRAME).pictures(80), 3.2)
    hub.play(Maker(time=(1 << 33) - 30 * FRAME, pmt=0x300).pictures(80), 3.2)
    report = check(hub.out)
    assert not report.errors
    assert set(steps(report.dts[0x100])) == {FRAME}


def test_media_goes_on_where_it_ended_however_long_nothing_came() -> None:
    """Players play on from their reserve, and then wait; a jump would be a freeze on top."""
    hub = Hub()
    for n, lost in enumerate((0.3, 2.2, 30.0, 1.0)):
        hub.play(Maker(time=n * 1_000_000).pictures(50), 2.0)
        hub.now += lost
    report = check(hub.out)
    assert not report.errors
    assert set(steps(report.dts[0x100])) == {FRAME}


def test_lost_time_is_skipped_if_that_is_wanted() -> None:
    hub = Hub(skip_beyond=0.0).play(Maker().pictures(50), 2.0)
    hub.now += 7.0
    hub.play(Maker(time=0).pictures(50), 2.0)
    (gap,) = [step for step in steps(check(hub.out).dts[0x100]) if step != FRAME]
    assert 7.0 <= gap / TICKS <= 7.3
    assert gap % FRAME == 0  # pictures stay on their grid
    assert hub.begins[1] == pytest.approx(48 * 0.04 + gap / TICKS, abs=0.001)


def test_all_lost_time_is_skipped_if_that_is_wanted() -> None:
    """Also behind another: tables that go out before the first picture are no sign of delay."""
    hub = Hub(skip_beyond=0.0)
    for n in range(4):
        hub.play(Maker(time=n * 1_000_000, size=30_000).pictures(50), 2.0)
        hub.now += 7.0
    gaps = [step for step in steps(check(hub.out).dts[0x100]) if step != FRAME]
    assert [round(gap / TICKS) for gap in gaps] == [7, 7, 7]


def test_the_last_packet_of_a_silent_upstream_is_no_sign_of_delay() -> None:
    """It waits for the sync byte behind it, until the upstream is given up."""
    hub = Hub(skip_beyond=0.0)
    for n in range(4):
        stream = Maker(time=n * 1_000_000).pictures(51)  # sound is last, whole with this packet
        hub.splicer.open(hub.now, same_stream=False)
        for at in range(0, len(stream) - 188, 752):
            hub.now += 2.0 * 752 / len(stream)
            hub.chunks.append(
                hub.splicer.feed(stream[at : at + 752][: len(stream) - 188 - at], hub.now)
            )
        hub.now += 5.0
        hub.chunks.append(hub.splicer.feed(stream[-188:], hub.now))
        hub.chunks.append(hub.splicer.close(hub.now))
    gaps = [step for step in steps(check(hub.out).dts[0x100]) if step != FRAME]
    assert [round(gap / TICKS) for gap in gaps] == [5, 5, 5]


def test_only_what_is_beyond_is_skipped_if_that_is_wanted() -> None:
    """Two seconds in all, however many gaps they are in."""
    hub = Hub(skip_beyond=2.0)
    for n in range(5):
        hub.play(Maker(time=n * 1_000_000).pictures(50), 2.0)
        hub.now += 0.8
    gaps = [step / TICKS for step in steps(check(hub.out).dts[0x100]) if step != FRAME]
    assert gaps == pytest.approx([0.4, 0.8], abs=0.2)


def test_what_an_upstream_sends_at_once_makes_up_for_lost_time() -> None:
    hub = Hub(skip_beyond=2.0)
    for n in range(5):
        maker = Maker(time=n * 1_000_000)
        hub.splicer.open(hub.now, same_stream=False)
        hub.chunks.append(hub.splicer.feed(maker.pictures(21 if n else 1), hub.now))
        for _ in range(50):
            hub.now += 0.04
            hub.chunks.append(hub.splicer.feed(maker.picture(), hub.now))
        hub.chunks.append(hub.splicer.close(hub.now))
        hub.now += 0.8
    assert set(steps(check(hub.out).dts[0x100])) == {FRAME}


def test_media_that_is_ahead_of_time_fills_no_gap() -> None:
    """What came in a burst is still being played while the upstream is changed."""
    hub = Hub(skip_beyond=0.0)
    hub.splicer.open(hub.now, same_stream=False)
    hub.chunks.append(hub.splicer.feed(Maker().pictures(250), hub.now))  # ten seconds at once
    hub.now += 6.0
    hub.play(Maker(time=0).pictures(50))
    assert set(steps(check(hub.out).dts[0x100])) == {FRAME}


def test_bursts_of_every_upstream_do_not_add_up() -> None:
    hub = Hub()
    for n in range(15):
        hub.splicer.open(hub.now, same_stream=False)
        maker = Maker(time=n * 1_000_000, gop=10)
        hub.chunks.append(hub.splicer.feed(maker.pictures(50), hub.now))  # two seconds at once
        for _ in range(50):
            hub.now += 0.04
            hub.chunks.append(hub.splicer.feed(maker.picture(), hub.now))
        hub.chunks.append(hub.splicer.close(hub.now))
    ahead = hub.chunks[-1].clock - (hub.now - 1000.0)
    assert not check(hub.out).errors
    assert ahead < 2 + MARGIN + 2  # what the first one had stored, what is let pass, the last one's


@pytest.mark.parametrize("burst", [2, 5, 8])
@pytest.mark.parametrize("each", [3, 12])
def test_ten_failovers_between_providers_that_send_their_last_seconds_at_once(
    burst: int, each: int
) -> None:
    """What viewers have to store is what one provider sends at once, and a bit."""
    hub, ahead = Hub(), []
    for n in range(11):
        hub.now += 0.2
        hub.splicer.open(hub.now, same_stream=False)
        maker = Maker(time=n * 1_000_000, gop=25)
        stream = maker.pictures(burst * 25)
        for at in range(0, len(stream), 10_000):
            hub.now += 0.01
            hub.chunks.append(hub.splicer.feed(stream[at : at + 10_000], hub.now))
        for _ in range(each * 25):
            hub.now += 0.04
            hub.chunks.append(hub.splicer.feed(maker.picture(), hub.now))
            ahead.append(hub.chunks[-1].clock - (hub.now - 1000.0))
        hub.chunks.append(hub.splicer.close(hub.now))
    assert not check(hub.out).errors
    assert max(ahead) < burst + MARGIN + 0.1
    assert min(ahead) > burst - 3.5, "nor does it run dry: each one's store is used"


def test_lost_time_makes_no_room_for_bursts() -> None:
    """Players that waited have nothing in reserve, and do not store more later."""
    hub, low = Hub(), 0.0
    for n in range(30):
        maker = Maker(time=n * 1_000_000, gop=10)
        burst = 50 if n >= 15 else 0
        hub.splicer.open(hub.now, same_stream=False)
        hub.chunks.append(hub.splicer.feed(maker.pictures(burst + 1), hub.now))
        for _ in range(50):
            hub.now += 0.04
            hub.chunks.append(hub.splicer.feed(maker.picture(), hub.now))
        hub.chunks.append(hub.splicer.close(hub.now))
        if n < 15:
            hub.now += 5.0
            low = hub.chunks[-1].clock - (hub.now - 1000.0)
    ahead = hub.chunks[-1].clock - (hub.now - 1000.0)
    assert low < -60
    assert ahead - low < 2 + MARGIN + 2


def test_a_store_larger_than_that_of_the_first_upstream_is_let_in_whole() -> None:
    hub = Hub().play(Maker(time=0).pictures(100), 4.0)
    hub.splicer.open(hub.now, same_stream=False)
    hub.chunks.append(hub.splicer.feed(Maker(time=77).pictures(300), hub.now))  # 12 s
    assert len(check(merge(hub.chunks).data).dts[0x100]) == 99 + 299


def test_a_step_of_the_clock_inside_an_upstream_is_spliced() -> None:
    maker = Maker()
    stream = maker.pictures(50)
    maker.time -= 40 * FRAME  # a file that starts over
    stream += maker.pictures(50)
    maker.time += 5_000_000
    hub = Hub().play(stream + maker.pictures(50))
    assert hub.splices == 2
    report = check(hub.out)
    assert not report.errors
    assert set(steps(report.dts[0x100])) == {FRAME}


def test_a_replay_is_cut_where_it_was_already_sent() -> None:
    whole = Maker(gop=25, size=700).pictures(200)
    hub = Hub().play(whole[: len(whole) // 2], 4.0)
    hub.play(whole[len(whole) // 4 :], 4.0, same=True)
    assert hub.splices == 0
    report = check(hub.out)
    assert not report.errors
    assert not report.marked
    assert payloads(hub.out, 0x100) == payloads(whole, 0x100)[: len(payloads(hub.out, 0x100))]
    assert len(report.dts[0x100]) == 199
    assert len(report.dts[0x101]) == 100


def test_another_stream_with_the_same_times_is_no_replay() -> None:
    hub = Hub().play(Maker(size=700).pictures(100), 4.0)
    hub.play(Maker(size=701, key=Maker().key + b"\x01").pictures(100), 4.0, same=True)
    assert hub.splices == 1
    assert len(check(hub.out).dts[0x100]) == 198


def test_a_replay_at_the_pace_of_time_is_not_waited_for() -> None:
    whole = Maker(gop=25).pictures(400)
    hub = Hub().play(whole[: len(whole) // 2], 8.0)
    hub.play(whole, 16.0, same=True)  # it begins at the beginning, and takes as long
    report = check(hub.out)
    assert not report.errors
    assert hub.splices == 1
    assert len(report.dts[0x100]) > 500


def test_a_reconnect_that_lost_a_little_keeps_its_clock() -> None:
    maker = Maker(gop=4)
    hub = Hub().play(maker.pictures(60), 2.4)
    maker.pictures(4)
    hub.now += 0.16
    hub.play(maker.pictures(60), 2.4, same=True)
    report = check(hub.out)
    assert not report.errors
    assert sorted(set(steps(report.dts[0x100]))) == [FRAME, 6 * FRAME]
    assert not report.marked


def test_a_reconnect_that_lost_more_is_spliced() -> None:
    """Its clock would make players wait for what they will never get."""
    maker = Maker(gop=25)
    hub = Hub().play(maker.pictures(60), 2.4)
    maker.pictures(40)
    hub.now += 1.6
    hub.play(maker.pictures(60), 2.4, same=True)
    report = check(hub.out)
    assert not report.errors
    assert set(steps(report.dts[0x100])) == {FRAME}
    assert set(report.marked) == {0x100}


def test_a_pcr_on_a_pid_of_its_own_goes_on() -> None:
    def stream(time: int, pid: int) -> bytes:
        maker = Maker(time=time)
        out = b""
        for _ in range(60):
            out += maker.picture()
        return _with_clock_pid(out, pid)

    hub = Hub().play(stream(900_000, 0x1F0), 2.4).play(stream(50, 0x1F1), 2.4)
    report = check(hub.out)
    assert not report.errors
    assert len(report.pcrs) > 100
    assert report.marked == {0x1F0: 1}


def _with_clock_pid(stream: bytes, pid: int) -> bytes:
    """The PCRs of a stream of Maker's on a PID of their own."""
    pmt = Pmt(1, 0, pid, (ElementaryStream(0x100, 0x1B), ElementaryStream(0x101, 0x0F))).section
    out = b""
    for at in range(0, len(stream), 188):
        packet = bytearray(stream[at : at + 188])
        number = (packet[1] & 0x1F) << 8 | packet[2]
        if number == 0x1000:
            packet[:] = packets_of(pmt, 0x1000, packet[3] & 15)
        if packet[3] & 0x20 and packet[4] and packet[5] & 0x10:
            head = bytes((0x47, pid >> 8, pid & 0xFF, 0x20, 183, 0x10))
            out += (head + packet[6:12]).ljust(188, b"\xff")
            packet[5] &= 0xEF
        out += packet
    return out


# Holding back


def test_what_is_held_back_is_one_picture_on_average() -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    stream = Maker(size=4000).pictures(200)
    given = taken = held = 0
    for at in range(0, len(stream), 1316):
        taken += len(stream[at : at + 1316])
        given += len(splicer.feed(stream[at : at + 1316], 0.0).data)
        held += taken - given
    assert held / (len(stream) / 1316) < 1.3 * len(stream) / 200


def test_a_packet_that_never_becomes_whole_holds_the_rest_up_for_less_than_a_second() -> None:
    maker = Maker(more=(ElementaryStream(0x102, 0x06),), gop=10)
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    endless = maker.packets(0x102, pes(0xBD, b"\x10" * 5000, maker.time, sized=True))[:188]
    given = len(splicer.feed(maker.pictures(50), 0.0).data)
    given += len(splicer.feed(endless + maker.pictures(15), 0.0).data)
    stream = maker.pictures(25)
    assert splicer.feed(stream, 0.0).data
    chunk = splicer.feed(maker.pictures(5), 0.0)
    assert len(chunk.data) < len(stream)  # nothing was left waiting


# Waiting


def test_filler_comes_only_after_the_first_media() -> None:
    splicer = AlignedSplicer()
    assert not splicer.filler()
    hub = Hub().play(Maker().pictures(40))
    hub.chunks += [hub.splicer.filler() for _ in range(3)]
    hub.play(Maker(time=0).pictures(40))
    report = check(hub.out)
    assert not report.errors
    assert report.pids[0x1FFF] == 21


def test_while_a_unit_is_held_filler_is_null_packets_only() -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    stream = Maker().pictures(40)
    chunks = [splicer.feed(stream[:9000], 0.0), splicer.filler(), splicer.feed(stream[9000:], 1.0)]
    assert set(check(chunks[1].data).pids) == {0x1FFF}
    assert not check(merge([*chunks, splicer.close(2.0)]).data).errors


# Any input

PIECES = st.one_of(
    st.builds(
        lambda seed, count: Maker(time=seed * 1000, gop=7, pmt=0x20 + seed).pictures(count),
        st.integers(0, 9),
        st.integers(1, 40),
    ),
    st.binary(max_size=600),
    st.builds(lambda count: Maker().nulls(count), st.integers(1, 9)),
    st.builds(lambda count: Maker(scrambled=True).pictures(count), st.integers(1, 9)),
)


@st.composite
def broken_streams(draw: st.DrawFn) -> bytes:
    stream = bytearray(b"".join(draw(st.lists(PIECES, max_size=4))))
    for _ in range(draw(st.integers(0, 20))):
        if not stream:
            break
        at = draw(st.integers(0, len(stream) - 1))
        if draw(st.booleans()):
            stream[at] = draw(st.integers(0, 255))
        else:
            del stream[at : at + draw(st.integers(1, 400))]
    return bytes(stream)


def play_all(streams: list[bytes], sizes: list[int]) -> Chunk:
    splicer, chunks, now = AlignedSplicer(), [], 0.0
    for number, stream in enumerate(streams):
        now += 3.0
        splicer.open(now, same_stream=number % 3 == 2)
        at, turn = 0, 0
        while at < len(stream):
            size = sizes[turn % len(sizes)]
            chunks.append(splicer.feed(stream[at : at + size], now))
            at, turn = at + size, turn + 1
        splicer.trouble(now)
        chunks.append(splicer.close(now + 1, clean=number % 2 == 1))
        chunks.append(splicer.filler())
    return merge(chunks)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(broken_streams(), min_size=1, max_size=3),
    st.lists(st.integers(1, 4000), min_size=1, max_size=5),
)
def test_any_bytes_in_whole_packets_out_and_any_split_gives_the_same(
    streams: list[bytes], sizes: list[int]
) -> None:
    chunk = play_all(streams, sizes)
    assert len(chunk.data) % 188 == 0
    assert set(chunk.data[::188]) <= {0x47}
    for start in chunk.starts:
        head = chunk.data[start.offset : start.offset + 3]
        assert head[1] & 0x40
        assert (head[1] & 0x1F) << 8 | head[2] in start.essential
    assert play_all(streams, [1_000_000]) == chunk


@settings(deadline=None)
@given(st.integers(0, 60_000), st.integers(1, 3000))
def test_any_cut_of_a_sound_stream_gives_a_sound_programme(cut: int, size: int) -> None:
    stream = Maker(gop=8).pictures(60)
    streams = [stream[:cut], Maker(time=7, gop=5, pmt=0x20).pictures(30)]
    assert not check(play_all(streams, [size]).data).errors


def test_a_stamp_is_written_as_it_is_read() -> None:
    assert stamp(2, 0) == b"\x21\x00\x01\x00\x01"
