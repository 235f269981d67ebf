"""What is no playlist and no list: stations, manifests, sound, and what some bytes begin."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.dash import is_dash, is_dash_film
from kptv.formats.frames import frames_in
from kptv.formats.icy import metadata_interval, without_metadata
from kptv.formats.identify import ENOUGH, What, identify
from tests.fuzz.inputs import CHANNEL_LISTS, CUTS, MADE, NUMBER, PLAYLISTS, cut, examples

_STARTS = st.sampled_from(
    [
        *(b"", b"ID3\4\0\0\0\0\0\2", b"\x1a\x45\xdf\xa3webm\x18\x53\x80\x67\xff", b"....ftypmvex"),
        *(
            b"RIFF....WAVE",
            b"FLV\1",
            b"OggS\0\x01vorbis",
            b"fLaC",
            b"\0\0\0\1\x67",
            b"\0\0\1\xba\x44",
        ),
        *(
            b"<?xml?><!-- -->",
            b"<MPD type='dynamic'>",
            b"<html>",
            b"{",
            b"#EXTM3U\n",
            MADE[0][:1200],
        ),
        *(
            b"\xff\xfb\x90\x00" * 300,
            b"\xff\xf1\x50\x80\x01\x1f\xfc.." * 90,
            b"\x56\xe0\x01\0" * 90,
        ),
        *(b"\x0b\x77\0\0\x00\x40" + bytes(122), b"\x0b\x77\0\x01\x40\x80" * 200),
    ]
)
_BODIES = st.one_of(
    st.builds(b"".join, st.tuples(_STARTS, st.one_of(_STARTS, st.binary(max_size=60)), _STARTS)),
    st.builds(lambda start, n, junk: start * n + junk, _STARTS, st.integers(1, 9), st.binary()),
    CHANNEL_LISTS,
    PLAYLISTS,
)


@examples(150)
@given(_BODIES)
def test_any_body_is_told_for_what_it_is_by_its_first_bytes(body: bytes) -> None:
    found = identify(body, final=True)
    assert found is not None
    for size in (1, 8, 200, len(body)):
        identify(body[:size])
    padded = identify(body.ljust(ENOUGH, b"\0"))
    assert padded is not None
    assert identify(body.ljust(2 * ENOUGH, b"\0")[:ENOUGH]) == padded
    if is_dash(body):
        assert found.what in (What.DASH, What.HLS, What.CHANNEL_LIST)
        is_dash_film(body)
    frames_in(body)


@examples(100)
@given(st.binary(max_size=2000), st.lists(st.binary(max_size=40)), st.integers(256, 700), CUTS)
def test_a_station_comes_out_without_its_titles_however_it_is_cut(
    station: bytes, titles: list[bytes], interval: int, sizes: Sequence[int]
) -> None:
    sent = b""
    for number, at in enumerate(range(0, len(station), interval)):
        part = station[at : at + interval]
        title = titles[number % len(titles)] if titles else b""
        title = title.ljust(-(-len(title) // 16) * 16, b"\0")
        sent += part + (bytes((len(title) // 16,)) + title) * (len(part) == interval)
    out = list(without_metadata(cut(sent, sizes), interval))
    assert b"".join(out) == station
    assert all(out)


@examples(60)
@given(NUMBER)
def test_any_interval_is_a_sane_number_or_none(told: str) -> None:
    interval = metadata_interval(told)
    assert interval == 0 or 256 <= interval < 10**9
