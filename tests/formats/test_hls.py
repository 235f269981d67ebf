"""HLS playlists: what is read of them, what is refused, which variant is chosen."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.formats.hls.aes import BadCipher, SegmentDecryptor
from kptv.formats.hls.pacing import Pacer, retry_delay
from kptv.formats.hls.parse import first_link, parse, what_is
from kptv.formats.hls.playlist import (
    BadPlaylist,
    ByteRange,
    MediaPlaylist,
    MultivariantPlaylist,
    PlaylistKind,
)
from kptv.formats.hls.tags import MAX_SEGMENTS
from kptv.formats.hls.variants import By, Selection, is_audio_only, order, parse_selection

URL = "http://edge.example/live/one/index.m3u8"
REAL = Path(__file__).resolve().parents[3] / "shared" / "hls"
LIVE = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:10\n"


def media(text: str, url: str = URL) -> MediaPlaylist:
    playlist = parse(text.encode(), url)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def multivariant(text: str, url: str = URL) -> MultivariantPlaylist:
    playlist = parse(text.encode(), url)
    assert isinstance(playlist, MultivariantPlaylist)
    return playlist


# --- Detection ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n", PlaylistKind.MEDIA),
        (b"\xef\xbb\xbf\r\n  #EXTM3U\r\n#EXT-X-MEDIA-SEQUENCE:1\r\n", PlaylistKind.MEDIA),
        (b"#EXTM3U\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n", PlaylistKind.MEDIA),
        (
            b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
            PlaylistKind.MULTIVARIANT,
        ),
        (b'#EXTM3U x-tvg-url="a"\n#EXTINF:-1,One\nhttp://h/1\n', PlaylistKind.CHANNEL_LIST),
        (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:-1\n#EXTINF:-1,One\nhttp://h/1\n",
            PlaylistKind.CHANNEL_LIST,
        ),
        (b"#EXTM3U\n# see #EXT-X-TARGETDURATION:6\nhttp://h/1\n", PlaylistKind.CHANNEL_LIST),
        (b"# made by hand\n#\n#EXTM3U\n#EXT-X-ENDLIST\n", PlaylistKind.MEDIA),
        (b"#EXTINF:6,\na.ts\n#EXTM3U\n#EXT-X-ENDLIST\n", PlaylistKind.OTHER),
        (b"<html>#EXTM3U #EXT-X-TARGETDURATION:6</html>", PlaylistKind.OTHER),
        (b"", PlaylistKind.OTHER),
        (b"\x47" * 188, PlaylistKind.OTHER),
    ],
)
def test_a_body_is_known_by_its_content(body: bytes, kind: PlaylistKind) -> None:
    assert what_is(body) is kind


def test_the_first_link_of_a_channel_list_is_found_and_resolved() -> None:
    assert first_link(b"#EXTM3U\n#EXTINF:-1,One\n ../two?x=1 \nhttp://h/3\n", URL) == (
        "http://edge.example/live/two?x=1"
    )
    assert first_link(b"#EXTM3U\n", URL) is None


# --- Media playlists ---------------------------------------------------------------------


def test_segments_have_numbers_durations_and_resolved_addresses() -> None:
    playlist = media(
        LIVE + "#EXTINF:5.5,title\na.ts\n#EXTINF:6\n/b.ts?t=1\n#EXTINF:6,\n//c.example/c.ts\n"
    )
    assert [(s.media_sequence, s.duration, s.uri) for s in playlist.segments] == [
        (10, 5.5, "http://edge.example/live/one/a.ts"),
        (11, 6.0, "http://edge.example/b.ts?t=1"),
        (12, 6.0, "http://c.example/c.ts"),
    ]
    assert playlist.target_duration == 6
    assert playlist.end == 13
    assert not playlist.ended


def test_addresses_resolve_against_an_url_with_a_query_that_holds_slashes() -> None:
    playlist = media(LIVE + "#EXTINF:6,\na.ts\n", "http://h/live/i.m3u8?token=a/b")
    assert playlist.segments[0].uri == "http://h/live/a.ts"


def test_addresses_on_the_playlists_server_have_its_user_and_password_and_others_none() -> None:
    key = '#EXT-X-KEY:METHOD=AES-128,URI="http://h:81/k.key"\n'
    text = LIVE + key + "#EXTINF:6,\nhttp://h:81/a.ts\n#EXTINF:6,\nhttp://edge/b.ts\n"
    playlist = media(text, "http://u:p@h:81/i.m3u8")
    assert [s.uri for s in playlist.segments] == ["http://u:p@h:81/a.ts", "http://edge/b.ts"]
    assert playlist.segments[0].key
    assert playlist.segments[0].key.uri == "http://u:p@h:81/k.key"


def test_empty_segments_of_the_playlists_path_stay_in_addresses_beside_it() -> None:
    url = "http://h/live//one//i.m3u8?token=1"
    key = '#EXT-X-KEY:METHOD=AES-128,URI="../k.key"\n'
    playlist = media(LIVE + key + "#EXTINF:6,\na.ts\n#EXTINF:6,\n./b//c.ts\n", url)
    assert [s.uri for s in playlist.segments] == [
        "http://h/live//one//a.ts",
        "http://h/live//one//b//c.ts",
    ]
    assert playlist.segments[0].key
    assert playlist.segments[0].key.uri == "http://h/live//one/k.key"


@pytest.mark.parametrize(
    "bad", ["#EXTINF:abc,", "#EXTINF:-1,", "#EXTINF:", "#EXTINF:inf,", "# none"]
)
def test_a_segment_without_a_usable_duration_gets_the_target_duration(bad: str) -> None:
    playlist = media(f"{LIVE}#EXTINF:5,\na.ts\n{bad}\nb.ts\n#EXTINF:4,\nc.ts\n")
    assert [s.duration for s in playlist.segments] == [5, 6, 4]


def test_a_segment_whose_address_cannot_be_read_is_a_gap_and_still_counts() -> None:
    playlist = media(
        LIVE + "#EXTINF:6,\nhttp://[broken/a.ts\n#EXTINF:6,\nfile:///etc/b.ts\n#EXTINF:6,\nc.ts\n"
    )
    assert [(s.media_sequence, s.gap) for s in playlist.segments] == [
        (10, True),
        (11, True),
        (12, False),
    ]


def test_discontinuities_and_gaps_are_marked_on_their_segments() -> None:
    playlist = media(
        LIVE + "#EXT-X-DISCONTINUITY-SEQUENCE:4\n#EXTINF:6,\na.ts\n#EXT-X-DISCONTINUITY\n"
        "#EXT-X-GAP\n#EXTINF:6,\nb.ts\n#EXTINF:6,\nc.ts\n"
    )
    assert [(s.discontinuity_sequence, s.discontinuity, s.gap) for s in playlist.segments] == [
        (4, False, False),
        (5, True, True),
        (5, False, False),
    ]


def test_byte_ranges_without_a_start_go_on_where_the_last_of_that_resource_ended() -> None:
    playlist = media(
        LIVE + "#EXTINF:6,\n#EXT-X-BYTERANGE:100@50\na.ts\n#EXT-X-BYTERANGE:30\n#EXTINF:6,\na.ts\n"
        "#EXTINF:6,\n#EXT-X-BYTERANGE:7\nb.ts\n#EXTINF:6,\n#EXT-X-BYTERANGE:rubbish\nb.ts\n"
    )
    assert [s.byte_range for s in playlist.segments] == [
        ByteRange(50, 100),
        ByteRange(150, 30),
        ByteRange(0, 7),
        None,
    ]
    assert [s.gap for s in playlist.segments] == [False, False, False, True]


def test_keys_hold_until_the_next_and_the_iv_defaults_to_the_number() -> None:
    playlist = media(
        LIVE + '#EXTINF:6,\na.ts\n#EXT-X-KEY:METHOD=AES-128,URI="k1?a=1,2"\n#EXTINF:6,\nb.ts\n'
        '#EXT-X-KEY:METHOD=AES-128,URI="k2",IV=0xFF\n#EXTINF:6,\nc.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\nd.ts\n'
    )
    keys = [s.key for s in playlist.segments]
    assert keys[0] is None
    assert keys[3] is None
    assert keys[1] is not None
    assert keys[1].uri == "http://edge.example/live/one/k1?a=1,2"
    assert [s.iv for s in playlist.segments[1:3]] == [
        (11).to_bytes(16, "big"),
        (255).to_bytes(16, "big"),
    ]
    assert all(key.usable for key in keys if key)


def test_of_several_keys_the_plain_one_is_taken() -> None:
    playlist = media(
        LIVE + '#EXT-X-KEY:METHOD=AES-128,URI="k"\n'
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"\n'
        "#EXTINF:6,\na.ts\n"
    )
    assert playlist.segments[0].key is not None
    assert playlist.segments[0].key.usable


@pytest.mark.parametrize(
    "tag",
    [
        'METHOD=SAMPLE-AES,URI="k"',
        'METHOD=AES-128,URI="k",KEYFORMAT="com.widevine"',
        "METHOD=AES-128",
        "METHOD=AES-128,URI",
    ],
)
def test_a_key_that_this_proxy_cannot_use_says_so(tag: str) -> None:
    playlist = media(f"{LIVE}#EXT-X-KEY:{tag}\n#EXTINF:6,\na.ts\n")
    assert playlist.segments[0].key is not None
    assert not playlist.segments[0].key.usable


def test_a_map_tells_fmp4_with_attributes_that_nobody_knows() -> None:
    playlist = media(
        LIVE + '#EXT-X-MAP:URI="i.mp4",BYTERANGE="719@0",X=unknown\n#EXTINF:6,\na.m4s\n'
    )
    assert playlist.segments[0].map is not None
    assert playlist.segments[0].map.byte_range == ByteRange(0, 719)


def test_times_go_on_from_the_last_one_told_until_a_discontinuity() -> None:
    playlist = media(
        LIVE
        + "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00.000Z\n#EXTINF:6,\na.ts\n#EXTINF:6,\nb.ts\n"
        "#EXT-X-DISCONTINUITY\n#EXTINF:6,\nc.ts\n#EXT-X-PROGRAM-DATE-TIME:nonsense\n#EXTINF:6,\nd.ts\n"
    )
    assert [s.time for s in playlist.segments] == [1704067200.0, 1704067206.0, None, None]


def test_segments_that_a_delta_update_left_out_are_counted() -> None:
    playlist = media(LIVE + "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:6,\na.ts\n")
    assert playlist.media_sequence == 13


def test_line_ends_of_every_kind_and_odd_characters_in_lines_are_taken() -> None:
    text = LIVE.replace("\n", "\r\n") + "#EXTINF:6,a\u2028b\r\n a.ts \r#EXTINF:6,\rb.ts"
    assert [s.uri.rpartition("/")[2] for s in media(text).segments] == ["a.ts", "b.ts"]


def test_without_a_usable_target_the_longest_segment_stands_in() -> None:
    assert (
        media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:x\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:4,\na\n#EXTINF:5,\nb\n"
        ).target_duration
        == 5
    )


def test_a_target_far_below_what_most_segments_have_is_corrected() -> None:
    assert (
        media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
            + "#EXTINF:10,\na.ts\n#EXTINF:9,\nb.ts\n#EXTINF:10,\nc.ts\n"
        ).target_duration
        == 10
    )


@pytest.mark.parametrize(
    ("told", "first"),
    [("-4", 0), ("1e9", 0), ("9" * 5000, 0), ("x", 0), ("", 0), (' "7" ', 7), ("12.0", 12)],
)
def test_a_number_that_makes_no_sense_costs_itself(told: str, first: int) -> None:
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:{told}\n"
    playlist = media(text + "#EXT-X-DISCONTINUITY-SEQUENCE:many\n#EXTINF:6,\na.ts\n")
    assert [s.media_sequence for s in playlist.segments] == [first]
    assert playlist.numbered == (first > 0 or not told)


def test_where_all_durations_are_0_some_are_assumed() -> None:
    assert media("#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXTINF:0,\na.ts\n").target_duration > 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<html></html>", "not an HLS playlist"),
        ("#EXTM3U\n#EXTINF:-1,x\nhttp://h/1\n", "channel list"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:999999999\n#EXTINF:6,\na\n", "more than a day"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:-1,\na\n", "no target duration"),
        (LIVE + "#EXTINF:6,\nindex.m3u8\n", "refers to itself"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nindex.m3u8\n", "refers to itself"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "no variant"),
        (LIVE + "#EXTINF:6,\na.ts\n" * (MAX_SEGMENTS + 1), "segments"),
        (LIVE + "#" * 6_000_000, "larger than 5 MB"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadPlaylist, match=why) as caught:
        parse(text.encode(), URL)
    assert "example" not in str(caught.value)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "#EXTM3U",
                "#EXT-X-TARGETDURATION:",
                "#EXT-X-MEDIA-SEQUENCE:",
                "#EXTINF:",
                "#EXT-X-KEY:METHOD=AES-128,URI=",
                "#EXT-X-MAP:URI=",
                "#EXT-X-BYTERANGE:",
                "#EXT-X-STREAM-INF:BANDWIDTH=",
                "#EXT-X-MEDIA:TYPE=AUDIO,",
                "#EXT-X-SKIP:",
                "#EXT-X-START:TIME-OFFSET=",
                "#EXT-X-PROGRAM-DATE-TIME:",
                "#EXT-X-DISCONTINUITY",
                "#EXT-X-GAP",
                "#EXT-X-ENDLIST",
                "#EXT-X-DISCONTINUITY-SEQUENCE:",
                "#EXT-X-DATERANGE:ID=",
                "#EXT-X-CUE-OUT",
                "a.ts",
                "http://[x/",
                "\n",
            ]
        )
        | st.text(max_size=12)
        | st.integers().map(str)
        | st.floats().map(str)
    )
)
def test_no_text_makes_it_raise_anything_but_its_own_error(parts: list[str]) -> None:
    try:
        playlist = parse(("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n" + "\n".join(parts)).encode(), URL)
    except BadPlaylist:
        return
    if isinstance(playlist, MediaPlaylist):
        numbers = [s.media_sequence for s in playlist.segments]
        assert numbers == list(range(playlist.media_sequence, playlist.end))
        assert all(0 < s.duration <= 86400 for s in playlist.segments)


# --- Multivariant playlists --------------------------------------------------------------

TV = (
    "#EXTM3U\n"
    '#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1920x1080,CODECS="avc1.640028,mp4a.40.2"\nhigh.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"\naudio.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2"\nlow.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=2500000,RESOLUTION=1280x720,CODECS="avc1.4d401f,mp4a.40.2"\nmid.m3u8\n'
)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ("lowest", ["low", "mid", "high"]),
        ("highest", ["high", "mid", "low"]),
        ("720p", ["mid", "low", "high"]),
        ("240p", ["low", "mid", "high"]),
        ("2500000", ["mid", "low", "high"]),
    ],
)
def test_variants_come_in_the_order_of_the_selection_without_audio_only(
    selection: str, names: list[str]
) -> None:
    ordered = order(multivariant(TV), parse_selection(selection))
    assert [v.uri.rpartition("/")[2].removesuffix(".m3u8") for v in ordered] == names


def test_audio_only_variants_are_played_where_there_is_nothing_else() -> None:
    text = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"\na.m3u8\n'
    (variant,) = order(multivariant(text), Selection())
    assert is_audio_only(variant)


def test_a_variant_with_its_own_sound_comes_before_one_whose_sound_is_apart() -> None:
    text = (
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="L\'un, deux",URI="a.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\napart.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9\nown.m3u8\n'
    )
    ordered = order(multivariant(text), Selection())
    assert [v.uri.rpartition("/")[2] for v in ordered] == ["own.m3u8", "apart.m3u8"]


def test_a_variant_with_a_bad_attribute_is_still_a_variant() -> None:
    playlist = multivariant(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=lots,RESOLUTION=big,FRAME-RATE=x,,=,\na.m3u8\n"
        "#EXT-X-STREAM-INF\nb.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=5\nhttp://[bad\n"
    )
    assert [(v.bandwidth, v.height) for v in playlist.variants] == [(0, 0), (0, 0)]


@pytest.mark.parametrize("text", ["", "best", "0p", "-1", "720i", "1e6", "٣p"])
def test_a_selection_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="lowest, highest"):
        parse_selection(text)


def test_selections_are_read_in_any_case() -> None:
    assert parse_selection(" 720P ") == Selection(By.HEIGHT, 720)
    assert parse_selection("Highest") == Selection(By.HIGHEST)


# --- Real playlists ----------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason="the real playlists are not here")
def test_each_real_playlist_is_read_as_its_tags_say() -> None:
    files = sorted(REAL.glob("*.m3u8"))
    assert len(files) > 90
    for file in files:
        body = file.read_bytes()
        lines = [line.strip() for line in body.decode().splitlines() if line.strip()]
        links = [line for line in lines if not line.startswith("#")]
        kind = what_is(body)
        if kind in (PlaylistKind.OTHER, PlaylistKind.CHANNEL_LIST):
            assert not lines[0].startswith("#EXTM3U") or "negativeDuration" in file.name, file.name
            continue
        playlist = parse(body, URL)
        if isinstance(playlist, MultivariantPlaylist):
            assert len(playlist.variants) == len(links), file.name
            assert len(playlist.renditions) == sum(x.startswith("#EXT-X-MEDIA:") for x in lines)
            assert order(playlist, Selection())
            continue
        assert len(playlist.segments) == len(links), file.name
        assert playlist.ended == ("#EXT-X-ENDLIST" in lines), file.name
        marks = lines.count("#EXT-X-DISCONTINUITY")
        assert sum(s.discontinuity for s in playlist.segments) == marks, file.name
        keys = {s.key.uri for s in playlist.segments if s.key}
        told = {x for x in lines if x.startswith("#EXT-X-KEY:") and "METHOD=NONE" not in x}
        assert bool(keys) == bool(told), file.name
        assert any(s.map for s in playlist.segments) == any("#EXT-X-MAP:" in x for x in lines)
        durations = [
            x.partition(":")[2].partition(",")[0] for x in lines if x.startswith("#EXTINF")
        ]
        if len(durations) == len(links):
            assert [s.duration for s in playlist.segments] == [float(d) for d in durations]


# --- Decryption --------------------------------------------------------------------------


def _encrypted(plain: bytes, key: bytes, iv: bytes, pad: bool = True) -> bytes:
    padder = PKCS7(128).padder()
    data = padder.update(plain) + padder.finalize() if pad else plain
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


@settings(deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(1, 90)), st.binary(min_size=16, max_size=16))
def test_a_segment_decrypted_in_pieces_of_any_size_is_the_segment(
    plain: bytes, sizes: list[int], key: bytes
) -> None:
    body, decryptor, got = _encrypted(plain, key, b"i" * 16), SegmentDecryptor(key, b"i" * 16), b""
    for size in [*sizes, len(body)]:
        got += decryptor.feed(body[:size])
        body = body[size:]
    assert got + decryptor.finish() == plain


def test_a_segment_without_padding_keeps_its_last_block() -> None:
    plain = b"\x47" * 188 * 4
    decryptor = SegmentDecryptor(b"k" * 16, b"i" * 16)
    assert (
        decryptor.feed(_encrypted(plain, b"k" * 16, b"i" * 16, pad=False)) + decryptor.finish()
        == plain
    )


@pytest.mark.parametrize("size", [0, 1, 17])
def test_an_encrypted_body_of_a_broken_length_is_noticed(size: int) -> None:
    decryptor = SegmentDecryptor(b"k" * 16, b"i" * 16)
    decryptor.feed(b"x" * size)
    with pytest.raises(BadCipher):
        decryptor.finish()


def test_a_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(BadCipher, match="20 bytes"):
        SegmentDecryptor(b"k" * 20, b"i" * 16)


# --- Pacing ------------------------------------------------------------------------------


def test_one_target_duration_leaves_at_once_and_the_rest_as_it_plays() -> None:
    pacer = Pacer(6.0, now=100.0)
    pacer.expect(18.0)
    assert pacer.allowance(100.0, 18.0) == 6.0
    pacer.written(6.0)
    assert pacer.allowance(100.0, 12.0) == 0.0
    assert pacer.allowance(101.0, 12.0) == pytest.approx(1.0)


def test_after_a_silence_no_more_than_the_lead_leaves_at_once() -> None:
    pacer = Pacer(6.0, now=0.0)
    pacer.written(6.0)
    assert pacer.allowance(60.0, 6.0) == 6.0


def test_a_backlog_larger_than_at_the_start_is_worked_off_faster_than_it_plays() -> None:
    pacer = Pacer(6.0, now=0.0)
    pacer.expect(18.0)
    pacer.written(6.0)
    assert pacer.allowance(4.0, 30.0) == pytest.approx(5.0)


def test_a_segment_is_asked_for_again_within_one_and_a_half_target_durations() -> None:
    delays, elapsed = [], 0.0
    while (delay := retry_delay(len(delays), elapsed, 6.0)) is not None:
        delays.append(delay)
        elapsed += delay
    assert delays == [0.5, 1.0, 2.0, 4.0]


def test_a_segment_is_asked_for_again_for_two_seconds_at_least_however_short_it_is() -> None:
    delays, elapsed = [], 0.0
    while (delay := retry_delay(len(delays), elapsed, 1.0)) is not None:
        delays.append(delay)
        elapsed += delay + 0.05  # what it takes to ask
    assert sum(delays) >= 1.5


def test_a_segment_is_asked_for_longer_while_there_is_more_in_hand_but_not_without_end() -> None:
    assert retry_delay(3, 7.0, 4.0) is None
    assert retry_delay(3, 7.0, 4.0, in_hand=6.0) == 4.0
    assert retry_delay(3, 7.0, 4.0, in_hand=2.2) is None  # the next one takes time too
    assert retry_delay(9, 11.0, 4.0, in_hand=60.0) is None


def test_segments_shorter_than_thought_leave_on_as_they_play_without_a_burst_or_a_pause() -> None:
    pacer = Pacer(10.0, now=0.0)
    pacer.written(4.0)
    pacer.retime(2.0, 8.0)
    assert pacer.allowance(0.0, 2.0) == 0.0
    assert pacer.allowance(1.0, 2.0) == pytest.approx(1.0)
    assert pacer.allowance(60.0, 2.0) == 2.0


def test_an_attribute_list_made_to_be_slow_is_read_at_once() -> None:
    begun = process_time()
    media(f"{LIVE}#EXT-X-KEY:{'A' * 1_000_000}\n#EXTINF:6,\n1.ts\n")
    assert process_time() - begun < 2.0
