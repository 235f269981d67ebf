"""EXT-X-DEFINE: variables are put in where they are named, data: keys are kept."""

from __future__ import annotations

from time import process_time

import pytest

from kptv.formats.data_url import data_of
from kptv.formats.hls.parse import parse
from kptv.formats.hls.playlist import BadPlaylist, MediaPlaylist, MultivariantPlaylist

URL = "http://h/live/index.m3u8?token=a%2Fb&empty=&user=me"
LIVE = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:10\n"


def media(text: str, imported: dict[str, str] | None = None) -> MediaPlaylist:
    playlist = parse((LIVE + text).encode(), URL, imported)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def test_variables_stand_for_their_values_in_addresses_and_attributes() -> None:
    playlist = media(
        '#EXT-X-DEFINE:NAME="host",VALUE="cdn.example"\n'
        '#EXT-X-DEFINE:NAME="path",VALUE="{$host}/one"\n'
        '#EXT-X-KEY:METHOD=AES-128,URI="http://{$host}/key"\n'
        "#EXTINF:6,\nhttp://{$path}/{$host}.ts\n"
    )
    (segment,) = playlist.segments
    assert segment.uri == "http://cdn.example/one/cdn.example.ts"
    assert segment.key
    assert segment.key.uri == "http://cdn.example/key"


def test_a_variable_may_come_from_the_multivariant_playlist_that_led_here() -> None:
    above = parse(
        b'#EXTM3U\n#EXT-X-DEFINE:NAME="auth",VALUE="x1"\n'
        b"#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8?a={$auth}\n",
        URL,
    )
    assert isinstance(above, MultivariantPlaylist)
    assert above.variants[0].uri == "http://h/live/low.m3u8?a=x1"
    text = '#EXT-X-DEFINE:IMPORT="auth"\n#EXTINF:6,\na.ts?a={$auth}\n'
    assert media(text, dict(above.variables)).segments[0].uri == "http://h/live/a.ts?a=x1"


def test_a_variable_may_come_from_the_query_of_the_playlists_own_address() -> None:
    text = '#EXT-X-DEFINE:QUERYPARAM="token"\n#EXTINF:6,\na.ts?t={$token}&u={$user}\n'
    text += '#EXT-X-DEFINE:QUERYPARAM="user"\n#EXTINF:6,\nb.ts?t={$token}&u={$user}\n'
    first, second = media(text).segments
    assert first.gap  # it names one that is defined behind it only
    assert second.uri == "http://h/live/b.ts?t=a%2Fb&u=me"


def test_what_nobody_defined_costs_those_who_name_it_and_nobody_else() -> None:
    text = '#EXT-X-DEFINE:IMPORT="no"\n#EXT-X-DEFINE:QUERYPARAM="no"\n#EXT-X-DEFINE:X\n'
    text += "#EXTINF:6,\n{$no}/a.ts\n#EXTINF:6,\nb.ts\n"
    assert [(s.media_sequence, s.gap) for s in media(text).segments] == [(10, True), (11, False)]


def test_a_playlist_that_defines_nothing_means_what_it_says() -> None:
    assert media("#EXTINF:6,\na{$b}.ts\n").segments[0].uri == "http://h/live/a{$b}.ts"


def test_variables_cannot_make_a_playlist_of_any_size() -> None:
    text = f'#EXT-X-DEFINE:NAME="a",VALUE="{"x" * 1000}"\n'
    for name, before in zip("bcdef", "abcde", strict=True):
        text += f'#EXT-X-DEFINE:NAME="{name}",VALUE="{("{$" + before + "}") * 100}"\n'
    begun = process_time()
    with pytest.raises(BadPlaylist, match="too large"):
        media(text + "#EXTINF:6,\n{$f}\n")
    assert process_time() - begun < 1.0


def test_references_made_to_be_slow_are_read_at_once() -> None:
    begun = process_time()
    for worst in ("{$" * 30_000, "{$" + "a" * 60_000, "{$a" * 20_000):
        media(f'#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXTINF:6,\n{worst}\n')
    assert process_time() - begun < 1.0


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("data:text/plain;base64,MDEyMzQ1Njc4OWFiY2RlZg==", b"0123456789abcdef"),
        ("DATA:;charset=x;BASE64,MDEyMzQ1Njc4OWFiY2RlZg", b"0123456789abcdef"),
        ("data:;base64,MDEyMzQ1Njc4OWFiY2RlZg%3D%3D", b"0123456789abcdef"),
        ("data:;base64,-_-_", b"\xfb\xff\xbf"),
        ("data:,%00%01ab", b"\0\1ab"),
        ("data:;base64,MDEyMz*", None),
        ("data:nothing", None),
        ("data:," + "a" * 100_000, None),
    ],
)
def test_a_data_address_holds_its_bytes(url: str, data: bytes | None) -> None:
    assert data_of(url) == data


def test_a_key_in_a_data_address_can_be_used() -> None:
    key = media('#EXT-X-KEY:METHOD=AES-128,URI="data:;base64,AA=="\n#EXTINF:6,\na.ts\n')
    assert key.segments[0].key
    assert key.segments[0].key.usable
    assert key.segments[0].key.uri == "data:;base64,AA=="
