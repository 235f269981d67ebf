"""Lists, playlists and transport streams made at random: what must hold for any of them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz import probes
from tests.fuzz.inputs import CHANNEL_LISTS, CUTS, GUIDES, PLAYLISTS, TRANSPORT_STREAMS, examples


@examples(60)
@given(CHANNEL_LISTS, CUTS)
@example(b'#EXTINF:-1 tvg-id="\' tvg-name=",\nhttp://a.example/', [20])  # a mark in a value
def test_any_list_is_read_within_its_bounds_and_served_as_it_reads_again(
    data: bytes, sizes: Sequence[int]
) -> None:
    probes.channel_list(data, sizes)


@examples(150)
@given(PLAYLISTS)
def test_any_playlist_is_read_to_values_that_make_sense_or_refused(data: bytes) -> None:
    probes.playlist(data)


@examples(50)
@given(st.lists(PLAYLISTS, max_size=5))
def test_whatever_a_playlist_becomes_no_segment_is_due_twice(answers: list[bytes]) -> None:
    probes.followed(answers)


@examples(25)
@given(TRANSPORT_STREAMS, CUTS)
def test_any_bytes_become_whole_packets_with_tables_first_however_they_are_cut(
    data: bytes, sizes: Sequence[int]
) -> None:
    probes.transport_stream(data, sizes)


@examples(80)
@given(GUIDES, CUTS)
def test_any_guide_is_read_the_same_however_it_is_cut_and_written_well_formed(
    data: bytes, sizes: Sequence[int]
) -> None:
    probes.guide(data, sizes)
