"""Who joins can decode: parameter sets that were sent once are given again."""

from __future__ import annotations

import re

import pytest

from kptv.formats.mpegts.elementary import RandomAccess, judge
from kptv.formats.mpegts.parameters import ParameterSets, sets_in, with_sets
from kptv.formats.mpegts.psi import ElementaryStream
from kptv.splice.joining import Chunk, ViewerPatch
from tests.formats.test_mpegts_inspector import keys, look, without_random_access
from tests.formats.ts_checker import check
from tests.formats.ts_clips import (
    AC3,
    H264,
    H265,
    MP2,
    MPEG2,
    clip,
    complaints,
    decoding_complaints,
    frames,
    needs_ffmpeg,
)
from tests.formats.ts_hub import AlignedSplicer, Hub, merge
from tests.formats.ts_maker import AUD, I_SLICE, IDR, P_SLICE, PPS, SPS, Maker

NAL = b"\x00\x00\x01"
BARE = AUD + IDR


def play(stream: bytes, read: int = 7000, splicer: AlignedSplicer | None = None) -> Chunk:
    splicer = splicer or AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    reads = [splicer.feed(stream[at : at + read], 0.0) for at in range(0, len(stream), read)]
    return merge([*reads, splicer.close(0.0, clean=True)])


def sent_once(count: int, key: bytes = BARE, *, flag: bool = False) -> bytes:
    maker = Maker(random_access=flag)
    stream = maker.pictures(1)
    maker.key = key
    return stream + maker.pictures(count - 1)


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("read", [188, 1000, 7000, 10**6])
@pytest.mark.parametrize("key", [BARE, IDR, AUD + b"\x00" + IDR, AUD + PPS + IDR])
def test_every_keyframe_is_an_entry_with_the_last_parameter_sets(
    key: bytes, read: int, flag: bool
) -> None:
    chunk = play(sent_once(100, key, flag=flag), read)
    assert len(chunk.starts) == 4
    assert check(chunk.data).errors == []
    for start in chunk.starts:
        data = ViewerPatch(start).start() + chunk.data[start.offset :]
        first = data[376 : 376 + 376]
        assert first.index(SPS) < first.index(PPS) < first.index(IDR[:5])
        assert first.find(AUD) < first.index(SPS)


def test_where_all_keyframes_have_them_nothing_is_touched() -> None:
    stream = Maker().pictures(100)
    assert play(stream).data == stream


def test_where_none_was_ever_seen_there_is_no_entry() -> None:
    assert play(Maker(key=BARE).pictures(100)).starts == ()


def test_an_intra_picture_that_nothing_vouches_for_is_no_entry() -> None:
    assert len(play(sent_once(100, AUD + I_SLICE)).starts) == 1
    assert len(play(sent_once(100, AUD + I_SLICE, flag=True)).starts) == 4


def test_the_last_ones_are_given() -> None:
    other = SPS.replace(b"\x1e", b"\x1f")
    maker = Maker()
    stream = maker.pictures(25)
    maker.key = AUD + other + PPS + IDR
    stream += maker.pictures(25)
    maker.key = BARE
    chunk = play(stream + maker.pictures(25))
    last = chunk.data[chunk.starts[-1].offset :]
    assert other in last
    assert SPS not in last


def test_they_are_kept_for_the_next_connection_of_the_same_stream_only() -> None:
    for same, count in ((True, 2), (False, 0)):
        splicer = AlignedSplicer()
        play(sent_once(50), splicer=splicer)
        splicer.open(3.0, same_stream=same)
        bare = Maker(key=BARE, time=900_000 + 75 * 3600).pictures(50)
        chunk = splicer.feed(bare, 3.0)
        assert len(chunk.starts) == count
        assert (SPS in chunk.data) is same


def test_another_upstream_begins_with_its_own() -> None:
    other = SPS.replace(b"\x1e", b"\x1f")
    hub = Hub().play(Maker().pictures(50), 2.0)
    maker = Maker(key=AUD + other + PPS + P_SLICE)
    stream = maker.pictures(5)
    maker.key, maker.gop, maker.count = BARE, 25, 25
    hub.play(stream + maker.pictures(50), 2.0)
    report = check(hub.out)
    assert report.errors == []
    assert hub.out.count(other) == 2


def test_a_packet_of_sets_alone_is_no_entry_but_is_remembered() -> None:
    maker = Maker(key=AUD + SPS + PPS, random_access=False)
    stream = maker.pictures(25)
    maker.key = BARE
    chunk = play(stream + maker.pictures(50))
    assert len(chunk.starts) == 2
    assert SPS in chunk.data[chunk.starts[0].offset :][:376]


def test_sets_are_bounded() -> None:
    kept = ParameterSets("h264")
    for number in range(1000):
        pps = NAL + b"\x68" + (1 << 15 | number).to_bytes(4, "big") + b"\x80" * 90
        kept.note(sets_in("h264", SPS + pps + IDR))
    assert len(kept.missing({})) < 32 * 1024
    assert kept.known


@pytest.mark.parametrize(
    ("codec", "head", "key"),
    [
        (
            "mpeg4",
            b"\x00\x00\x01\xb0\x01\x00\x00\x01\x20\x08\x86\x00\x00\x01\xb6\x10\x00",
            RandomAccess.OPEN,
        ),
        (
            "mpeg4",
            NAL + b"\x20\x08" + NAL + b"\xb3\x00\x10\x27" + NAL + b"\xb6\x10\x00",
            RandomAccess.CLOSED,
        ),
        ("mpeg4", NAL + b"\x20\x08" + NAL + b"\xb6\x50\x00", RandomAccess.NONE),
        (
            "vc1",
            NAL + b"\x0f\xd0\x00" + NAL + b"\x0e\x48\x00" + NAL + b"\x0d\x80",
            RandomAccess.CLOSED,
        ),
        (
            "vc1",
            NAL + b"\x0f\xd0\x00" + NAL + b"\x0e\x88\x00" + NAL + b"\x0d\x80",
            RandomAccess.OPEN,
        ),
        ("vc1", NAL + b"\x0d\x80\x00", RandomAccess.NONE),
        ("avs", NAL + b"\xb0\x20\x42" + NAL + b"\xb3\x00\x00", RandomAccess.OPEN),
        ("avs2", NAL + b"\xb6\x00\x00", RandomAccess.NONE),
        (
            "vvc",
            NAL + b"\x00\x79\x00" + NAL + b"\x00\x81" + NAL + b"\x00\x39\x80",
            RandomAccess.CLOSED,
        ),
        ("vvc", NAL + b"\x00\x79\x00" + NAL + b"\x00\x49\x80", RandomAccess.OPEN),
        ("vvc", NAL + b"\x00\x01\x80", RandomAccess.NONE),
    ],
)
def test_codecs_have_rules_of_their_own(codec: str, head: bytes, key: RandomAccess) -> None:
    for flag in (False, True):
        assert judge(codec, head, random_access=flag).key is key  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("stream_type", "key", "other"),
    [
        (0x10, NAL + b"\x20\x08\x86" + NAL + b"\xb6\x10", NAL + b"\xb6\x50"),
        (0xEA, NAL + b"\x0f\xd0" + NAL + b"\x0e\x48" + NAL + b"\x0d\x80", NAL + b"\x0d\x80"),
        (0x42, NAL + b"\xb0\x20" + NAL + b"\xb3\x00", NAL + b"\xb6\x00"),
    ],
    ids=["MPEG-4", "VC-1", "AVS"],
)
def test_they_start_at_once_without_a_flag(stream_type: int, key: bytes, other: bytes) -> None:
    maker = Maker(key=key, other=other, random_access=False, video_type=stream_type)
    assert len(play(maker.pictures(100)).starts) == 4


def test_of_a_codec_without_a_rule_a_flag_is_not_waited_for_long_and_later_viewers_start_too() -> (
    None
):
    maker = Maker(video=None, audio=None, more=(ElementaryStream(0x100, 0x06, b"\x05\x04drac"),))
    splicer, chunks = AlignedSplicer(), []
    splicer.open(0.0, same_stream=False)
    maker.video, maker.random_access = 0x100, False
    plain, tables = maker.tables, b""
    maker.video = None
    tables = plain()
    maker.video = 0x100
    for n in range(250):
        data = maker.picture()
        kept = [data[at : at + 188] for at in range(0, len(data), 188)]
        data = b"".join(p for p in kept if (p[1] << 8 | p[2]) & 0x1FFF == 0x100)
        chunks.append(splicer.feed((tables if n == 0 else b"") + data, n / 25))
    starts = merge(chunks).starts
    assert 6 <= len(starts) <= 9


FILLED = {  # units made ones that decoders pass over, but for the first of each
    "h264": (re.compile(rb"\x00\x00\x01([\x67\x68])"), b"\x0c"),
    "hevc": (re.compile(rb"\x00\x00\x01([\x40\x42\x44])\x01"), b"\x4c"),
    "mpeg2video": (re.compile(rb"\x00\x00\x01(\xb3|\xb5(?=[\x10-\x2f]))"), b"\xb2"),
}


def without_later_sets(stream: bytes, codec: str) -> bytes:
    pattern, other = FILLED[codec]
    data = bytearray(stream)
    seen: set[bytes] = set()
    for match in pattern.finditer(stream):
        if match[1] in seen:
            data[match.start(1) : match.end(1)] = other
        seen.add(match[1])
    return bytes(data)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("codec", "video", "audio"),
    [
        ("h264", H264 + " -x264-params open-gop=0:keyint=25:scenecut=0", AC3),
        ("hevc", H265 + "keyint=25:scenecut=0:open-gop=0", AC3),
        ("mpeg2video", MPEG2 + " -g 25 -sc_threshold 1000000000 -flags +cgop", MP2),
    ],
    ids=["h264", "h265", "mpeg2"],
)
def test_a_decoder_starts_at_every_keyframe(codec: str, video: str, audio: str) -> None:
    stream = without_random_access(without_later_sets(clip(video, audio), codec))
    chunk = play(stream)
    assert len(chunk.starts) == 4
    for number, start in enumerate(chunk.starts):
        patch = ViewerPatch(start)
        data = b"".join([patch.start(), *patch.feed(chunk.data, start.offset)])
        assert complaints(data) == ""
        assert decoding_complaints(data) == ""
        assert frames(data) == 100 - 25 * number


@needs_ffmpeg
def test_keyframes_of_mpeg4_are_found_without_a_flag() -> None:
    stream = clip("-c:v mpeg4 -g 25 -b:v 500k -threads 1 -sc_threshold 1000000000")
    assert len(keys(look(without_random_access(stream))[1])) == 4


def test_sets_go_behind_the_delimiter_and_before_all_else() -> None:
    assert with_sets("h264", AUD + IDR, SPS) == AUD + SPS + IDR
    assert with_sets("h264", AUD + b"\x00" + IDR, SPS) == AUD + SPS + b"\x00" + IDR
    assert with_sets("h264", IDR, SPS) == SPS + IDR
    assert with_sets("h264", b"", SPS) == SPS


def test_the_flag_vouches_for_pictures_that_are_encrypted() -> None:
    encrypted = AUD + b"\x00\x00\x01\x65KPTV"
    assert len(play(Maker(key=encrypted).pictures(100)).starts) == 4
    assert play(Maker(key=encrypted, random_access=False).pictures(100)).starts == ()
