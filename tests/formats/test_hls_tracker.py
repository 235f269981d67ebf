"""LiveTracker: what is due, what was skipped, when to ask again, when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kptv.formats.hls.parse import parse
from kptv.formats.hls.playlist import BadPlaylist, MediaPlaylist
from kptv.formats.hls.tracker import Due, LiveTracker, start_index

URL = "http://edge.example/live/index.m3u8"
REAL = Path(__file__).resolve().parents[3] / "shared" / "hls"
STALL = 5.0


def playlist(
    first: int,
    count: int,
    *,
    target: float = 6,
    name: str = "seg{}.ts",
    tags: str = "",
    marks: dict[int, str] | None = None,
    duration: float | None = None,
) -> MediaPlaylist:
    """A live playlist; ``marks`` are lines before the segment of that number."""
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:{target:g}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    for number in range(first, first + count):
        mark = (marks or {}).get(number, "")
        text += f"{mark}#EXTINF:{duration or target:g},\n{name.format(number)}\n"
    parsed = parse((text + tags).encode(), URL)
    assert isinstance(parsed, MediaPlaylist)
    return parsed


def due(tracker: LiveTracker) -> list[Due]:
    items = []
    while item := tracker.next_due():
        items.append(item)
    return items


def numbers(tracker: LiveTracker) -> list[int]:
    return [item.segment.media_sequence for item in due(tracker)]


def started(first: int = 100, count: int = 6) -> LiveTracker:
    """A tracker that has handed out all of a playlist asked for at 0."""
    tracker = LiveTracker(STALL)
    tracker.update(playlist(first, count), 0.0, 0.1)
    due(tracker)
    return tracker


# --- Start -------------------------------------------------------------------------------


def test_a_live_playlist_starts_three_target_durations_from_its_end() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 10), 0.0, 0.1)
    assert numbers(tracker) == [107, 108, 109]


def test_short_segments_count_by_their_duration_and_not_by_their_number() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 10, duration=4), 0.0, 0.1)
    assert numbers(tracker) == [105, 106, 107, 108, 109]


def test_a_window_shorter_than_three_target_durations_starts_at_its_first() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 2), 0.0, 0.1)
    assert numbers(tracker) == [100, 101]


@pytest.mark.parametrize(
    ("offset", "first"), [("-9", 108), ("-1000", 100), ("13", 102), ("0", 100), ("999", 109)]
)
def test_ext_x_start_says_where_to_start(offset: str, first: int) -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 10, tags=f"#EXT-X-START:TIME-OFFSET={offset}\n"), 0.0, 0.1)
    assert numbers(tracker)[0] == first


def test_a_film_is_handed_out_whole_and_is_finished_then() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(0, 10, tags="#EXT-X-ENDLIST\n"), 0.0, 0.1)
    assert tracker.is_vod
    assert not tracker.finished
    assert numbers(tracker) == list(range(10))
    assert tracker.finished


def test_the_last_window_of_a_channel_that_ended_is_not_played_again() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(500, 6, tags="#EXT-X-ENDLIST\n"), 0.0, 0.1)
    assert tracker.finished
    assert not tracker.is_vod
    assert due(tracker) == []


def test_a_live_channel_that_ends_is_finished_after_its_last_segment_and_is_no_film() -> None:
    tracker = started(0)
    tracker.update(playlist(1, 6, tags="#EXT-X-ENDLIST\n"), 6.0, 6.1)
    assert not tracker.finished
    assert numbers(tracker) == [6]
    assert tracker.finished
    assert not tracker.is_vod


# --- Following ---------------------------------------------------------------------------


def test_only_new_segments_are_due() -> None:
    tracker = started()
    assert tracker.update(playlist(102, 6), 6.0, 6.1).new == 2
    assert numbers(tracker) == [106, 107]
    assert tracker.update(playlist(102, 6), 12.0, 12.1).new == 0
    assert due(tracker) == []


def test_a_window_of_a_hundred_asked_for_often_gives_each_segment_once() -> None:
    tracker = started(0, 100)
    got = []
    for step in range(300):
        tracker.update(playlist(step // 4, 100), float(step), step + 0.1)
        got += numbers(tracker)
    assert got == list(range(100, 100 + 299 // 4))


def test_a_discontinuity_tag_marks_its_segment_and_no_other() -> None:
    tracker = started()
    tracker.update(playlist(101, 8, marks={107: "#EXT-X-DISCONTINUITY\n"}), 6.0, 6.1)
    assert [item.splice for item in due(tracker)] == [False, True, False]


def test_gap_segments_are_left_out_counted_and_leave_a_splice() -> None:
    tracker = started()
    tracker.update(playlist(101, 8, marks={107: "#EXT-X-GAP\n"}), 6.0, 6.1)
    assert [(d.segment.media_sequence, d.splice) for d in due(tracker)] == [
        (106, False),
        (108, True),
    ]
    assert tracker.skipped == 1


def test_falling_behind_the_window_jumps_to_the_live_edge_and_counts_what_was_missed() -> None:
    tracker = started()  # up to 105
    update = tracker.update(playlist(120, 10), 60.0, 60.1)
    assert update.skipped == 127 - 106
    assert not update.reset
    items = due(tracker)
    assert [d.segment.media_sequence for d in items] == [127, 128, 129]
    assert [d.splice for d in items] == [True, False, False]


def test_a_segment_that_just_left_the_window_is_still_tried() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 3), 0.0, 0.1)
    assert tracker.next_due()  # 100
    update = tracker.update(playlist(103, 3), 18.0, 18.1)
    assert update.skipped == 0
    assert numbers(tracker) == [101, 102, 103, 104, 105]


def test_a_segment_that_left_the_window_long_ago_is_given_up_and_counted() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 20), 0.0, 0.1)
    assert tracker.next_due()  # 117
    assert tracker.update(playlist(118, 20), 6.0, 6.1).new == 18
    assert tracker.update(playlist(138, 20), 60.0, 60.1).skipped == 18
    items = due(tracker)
    assert [d.segment.media_sequence for d in items] == list(range(136, 158))
    assert items[0].splice


def test_what_is_pending_gets_the_newest_address() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 3, name="seg{}.ts?t=old"), 0.0, 0.1)
    tracker.moved()
    tracker.update(playlist(101, 3, name="seg{}.ts?t=new"), 1.0, 1.1)
    assert [d.segment.uri.rpartition("=")[2] for d in due(tracker)] == ["new"] * 3
    assert tracker.skipped == 1  # 100: its address is dead


def test_a_segment_that_was_put_back_is_due_again_with_its_mark() -> None:
    tracker = started()
    tracker.update(playlist(101, 6, marks={106: "#EXT-X-DISCONTINUITY\n"}), 6.0, 6.1)
    item = tracker.next_due()
    assert item
    tracker.put_back(item)
    assert tracker.next_due() == item
    tracker.lost()
    tracker.update(playlist(102, 6), 12.0, 12.1)
    again = tracker.next_due()
    assert again
    assert again.splice


def test_another_variant_goes_on_where_the_one_before_stood() -> None:
    first = LiveTracker(STALL)
    first.update(playlist(100, 6), 0.0, 0.1)
    first.next_due()  # 103
    second = LiveTracker(STALL, after=first)
    second.update(playlist(100, 7, name="low{}.ts"), 1.0, 1.1)
    items = due(second)
    assert [d.segment.media_sequence for d in items] == [104, 105, 106]
    assert items[0].splice


def test_another_variant_that_numbers_otherwise_starts_at_its_live_edge() -> None:
    second = LiveTracker(STALL, after=started())
    assert second.update(playlist(7000, 6), 1.0, 1.1).reset
    assert numbers(second) == [7003, 7004, 7005]


# --- Numbers that went back --------------------------------------------------------------


def test_a_server_of_the_pool_one_window_behind_brings_nothing_and_repeats_nothing() -> None:
    tracker = started(100, 6)  # up to 105
    assert tracker.update(playlist(94, 6), 6.0, 6.1).stale
    assert due(tracker) == []
    tracker.update(playlist(101, 6), 9.0, 9.1)
    assert numbers(tracker) == [106]


def test_two_servers_one_window_apart_in_turn_give_each_segment_once() -> None:
    tracker = LiveTracker(STALL)
    got, now = [], 0.0
    for step in range(40):
        behind = 6 if step % 2 else 0
        tracker.update(playlist(100 + step - behind, 6), now, now + 0.1)
        got += numbers(tracker)
        now += 6
    assert got == list(range(103, 100 + 38 + 6))


def uncounted(first: int, count: int, tags: str = "") -> MediaPlaylist:
    """What ffmpeg's single_file says: the window slides, its number does not."""
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n{tags}"
    for number in range(first, first + count):
        text += f"#EXTINF:6,\n#EXT-X-BYTERANGE:1000@{number * 1000}\nall.ts\n"
    parsed = parse(text.encode(), URL)
    assert isinstance(parsed, MediaPlaylist)
    return parsed


def test_a_window_that_slides_without_being_counted_gives_each_segment_once() -> None:
    tracker = LiveTracker(STALL)
    starts, now = [], 0.0
    for step in range(30):
        first = max(0, step - 6) + (step > 20)  # it grows, slides by one, once by two
        tracker.update(uncounted(first, min(step, 6) + 1), now, now + 0.1)
        starts += [d.segment.byte_range.start for d in due(tracker) if d.segment.byte_range]
        now += 6
    assert starts == list(range(0, 1000 * 31, 1000))
    assert tracker.skipped == 0


@pytest.mark.parametrize(
    "name",
    [
        "seg{n}.ts?token={step}a",
        "seg.ts?id={n}&token={step}a",
        "seg.ts?token={step}a{n}&id={n}",
        "seg.ts?place={place}&id={n}&sign={step}-{n}",
        "{step}a/seg{n}.ts?token={n}-{step}",
    ],
)
@pytest.mark.parametrize(
    "sequence", ["", "#EXT-X-MEDIA-SEQUENCE:0\n", "#EXT-X-MEDIA-SEQUENCE:-1\n"]
)
def test_without_numbers_names_tell_segments_apart_whatever_tokens_are_in_them(
    name: str, sequence: str
) -> None:
    tracker, got = LiveTracker(STALL), []
    for step in range(12):
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n{sequence}"
        for place in range(5):
            number = step + place
            link = name.format(n=number, step=step, place=place)
            text += f"#EXTINF:6,\n{link}#{number}\n"
        parsed = parse(text.encode(), URL)
        assert isinstance(parsed, MediaPlaylist)
        tracker.update(parsed, 6.0 * step, 6.0 * step + 0.1)
        got += [int(d.segment.uri.rpartition("#")[2]) for d in due(tracker)]
    assert got == list(range(2, 16))
    assert tracker.skipped == 0


def test_one_number_that_cannot_be_read_among_others_repeats_nothing() -> None:
    tracker, got = LiveTracker(STALL), []
    for step in range(9):
        number = "?" if step == 4 else step
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:{number}\n"
        text += "".join(f"#EXTINF:6,\ns{n}.ts\n" for n in range(step, step + 5))
        parsed = parse(text.encode(), URL)
        assert isinstance(parsed, MediaPlaylist)
        assert not tracker.update(parsed, 6.0 * step, 6.0 * step + 0.1).reset
        got += numbers(tracker)
    assert got == list(range(2, 13))


def test_what_was_not_counted_is_decrypted_with_the_number_it_has() -> None:
    tracker = LiveTracker(STALL)
    key = '#EXT-X-KEY:METHOD=AES-128,URI="key"\n'
    tracker.update(uncounted(0, 6, key), 0.0, 0.1)
    due(tracker)
    tracker.update(uncounted(1, 6, key), 6.0, 6.1)
    (item,) = due(tracker)
    assert (item.segment.media_sequence, item.segment.iv) == (6, (5).to_bytes(16, "big"))


def test_an_encoder_that_started_again_is_recognised_and_loses_nothing() -> None:
    tracker = started(5000, 6)
    update = tracker.update(playlist(0, 2, name="new{}.ts"), 6.0, 6.1)
    assert update.reset
    items = due(tracker)
    assert [(d.segment.media_sequence, d.splice) for d in items] == [(0, True), (1, False)]
    tracker.update(playlist(0, 3, name="new{}.ts"), 12.0, 12.1)
    assert numbers(tracker) == [2]


def test_an_encoder_that_started_again_at_numbers_still_in_the_window_is_known_by_its_names() -> (
    None
):
    tracker = started(0, 6)
    tracker.update(playlist(0, 7), 6.0, 6.1)
    due(tracker)
    update = tracker.update(playlist(0, 2, name="new{}.ts"), 12.0, 12.1)
    assert update.reset
    assert numbers(tracker) == [0, 1]


def test_times_tell_an_encoder_that_started_again_from_a_server_that_is_behind() -> None:
    def timed(first: int, minute: int) -> MediaPlaylist:
        tag = f"#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:{minute:02}:00Z\n"
        return playlist(first, 6, marks={first: tag}, name=f"{minute}-{{}}.ts")

    behind, restarted = LiveTracker(STALL), LiveTracker(STALL)
    for tracker in (behind, restarted):
        tracker.update(timed(100, 10), 0.0, 0.1)
        due(tracker)
    assert behind.update(timed(92, 9), 6.0, 6.1).stale
    assert restarted.update(timed(92, 11), 6.0, 6.1).reset


def test_an_answer_from_before_a_reset_is_known_and_ignored() -> None:
    tracker = started(500, 6)
    assert tracker.update(playlist(0, 2, name="new{}.ts"), 6.0, 6.1).reset
    due(tracker)
    assert tracker.update(playlist(501, 6), 9.0, 9.1).stale
    assert due(tracker) == []


def test_addresses_whose_tokens_change_in_each_answer_are_no_reset() -> None:
    tracker = LiveTracker(STALL)
    got = []
    for step in range(10):
        tracker.update(playlist(step, 6, name=f"{step}aa/{{}}.ts?t={step}"), 6.0 * step, 6.0 * step)
        got += numbers(tracker)
    assert got == list(range(3, 15))


def test_segments_named_by_their_query_are_told_apart() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 6, name="seg.php?id={}"), 0.0, 0.1)
    tracker.update(playlist(101, 6, name="seg.php?id={}"), 6.0, 6.1)
    assert numbers(tracker) == [103, 104, 105, 106]
    assert tracker.update(playlist(102, 6, name="seg.php?id=b{}"), 12.0, 12.1).reset


# --- A stream that was closed and is opened again ----------------------------------------


def paused(first: int = 100, count: int = 6) -> LiveTracker:
    """A tracker whose stream was closed when all of a playlist had been handed out."""
    tracker = started(first, count)
    tracker.update(playlist(first, count), 6.0, 6.1)  # names do not change
    tracker.pause()
    return tracker


def test_a_stream_that_is_opened_again_repeats_nothing_and_fails_where_nothing_is_new() -> None:
    tracker = paused()
    assert tracker.update(playlist(100, 6), 50.0, 50.1).new == 0
    assert due(tracker) == []
    assert tracker.fails_at == pytest.approx(65.1)
    tracker.pause()
    tracker.update(playlist(101, 6), 70.0, 70.1)
    assert [(d.segment.media_sequence, d.splice) for d in due(tracker)] == [(106, True)]


def test_what_was_known_and_not_handed_out_before_is_due_then() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 6), 0.0, 0.1)
    tracker.next_due()  # 103
    tracker.pause()
    tracker.update(playlist(101, 6), 6.0, 6.1)
    assert numbers(tracker) == [104, 105, 106]


def test_nobody_comes_back_further_from_the_live_edge_than_one_who_starts() -> None:
    tracker = paused()
    update = tracker.update(playlist(90, 50), 200.0, 200.1)
    assert numbers(tracker) == [137, 138, 139]
    assert update.skipped == 137 - 106


def test_a_film_goes_on_where_it_stood() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(0, 10, tags="#EXT-X-ENDLIST\n"), 0.0, 0.1)
    for _ in range(4):
        tracker.next_due()
    tracker.pause()
    tracker.update(playlist(0, 10, tags="#EXT-X-ENDLIST\n"), 60.0, 60.1)
    assert tracker.is_vod
    assert numbers(tracker) == [4, 5, 6, 7, 8, 9]
    assert tracker.finished


def test_a_live_channel_that_ended_meanwhile_has_ended() -> None:
    tracker = paused()
    tracker.update(playlist(100, 6, tags="#EXT-X-ENDLIST\n"), 60.0, 60.1)
    assert tracker.finished
    assert not tracker.is_vod


@pytest.mark.parametrize(
    ("first", "name"), [(0, "seg{}.ts"), (0, "new{}.ts"), (99, "new{}.ts"), (9000, "seg{}.ts")]
)
def test_an_encoder_that_started_again_meanwhile_plays_at_once(first: int, name: str) -> None:
    tracker = paused()
    tracker.update(playlist(first, 4, name=name), 60.0, 60.1)
    assert numbers(tracker) == list(range(first + 1, first + 4))


def test_names_that_hold_the_token_of_a_session_repeat_nothing() -> None:
    tracker = started()
    tracker.update(playlist(101, 6), 6.0, 6.1)
    due(tracker)
    tracker.pause()
    tracker.update(playlist(102, 6, name="token-{}.ts"), 12.0, 12.1)
    assert numbers(tracker) == [107]
    tracker.update(playlist(103, 6, name="token-{}.ts"), 18.0, 18.1)
    assert numbers(tracker) == [108]


def test_the_place_is_forgotten_where_the_answers_are_behind_it_and_go_on_from_there() -> None:
    tracker = started(0, 12)
    assert tracker.has_position
    tracker.update(playlist(0, 3), 6.0, 6.1)  # as before, or a server that is behind
    tracker.update(playlist(0, 3), 9.0, 9.1)
    assert tracker.has_position
    assert tracker.update(playlist(0, 4), 12.0, 12.1).stale
    assert not tracker.has_position
    tracker.update(playlist(7, 6), 15.0, 15.1)
    assert tracker.has_position


# --- When to ask, when to give up --------------------------------------------------------


def test_the_next_request_comes_a_target_duration_after_the_one_that_brought_something() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 6), 10.0, 11.0)
    assert tracker.reload_at == 16.0


def test_the_next_request_comes_after_half_of_it_where_nothing_was_new() -> None:
    tracker = started()
    tracker.update(playlist(100, 6), 10.0, 11.0)
    assert tracker.reload_at == 13.0


def test_a_target_far_above_the_window_does_not_let_segments_slip_by() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 5, target=60, duration=2), 0.0, 0.1)
    assert tracker.reload_at == 5.0


def test_a_playlist_that_cannot_be_had_is_asked_for_again_soon_then_less_often() -> None:
    tracker = started()
    delays = []
    for _ in range(5):
        tracker.failed(tracker.reload_at, tracker.reload_at)
        delays.append(tracker.reload_at)
    assert [round(b - a, 1) for a, b in zip([6.0, *delays], delays, strict=False)] == [
        0.5,
        1,
        2,
        3,
        3,
    ]


def test_without_a_new_segment_it_has_failed_after_two_and_a_half_target_durations() -> None:
    tracker = started()
    assert tracker.fails_at == pytest.approx(15.1)
    tracker.update(playlist(100, 6), 6.0, 6.1)
    assert tracker.fails_at == pytest.approx(15.1)
    tracker.update(playlist(101, 6), 9.0, 9.1)
    assert tracker.fails_at == pytest.approx(24.1)


def test_with_short_segments_the_stall_timeout_is_what_counts() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(0, 6, target=1), 0.0, 0.1)
    assert tracker.fails_at == pytest.approx(5.1)


def test_an_origin_that_lists_five_segments_at_once_may_wait_until_they_have_passed() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(0, 5, target=2, duration=2), 0.0, 0.1)
    assert tracker.fails_at == pytest.approx(5.1), "nothing is known yet"
    tracker.update(playlist(5, 5, target=2, duration=2), 4.0, 4.1)
    assert tracker.fails_at == pytest.approx(4.1 + 15.0)


def test_patience_follows_the_longest_wait_for_news_to_fifteen_seconds() -> None:
    tracker, first, now = LiveTracker(STALL), 0, 0.0
    tracker.update(playlist(first, 5, target=1), now, now)
    patience = []
    for wait in (4.0, 8.0, 30.0):
        news_at = now + wait
        while tracker.reload_at < news_at:
            now = tracker.reload_at
            tracker.update(playlist(first, 5, target=1), now, now)
        first, now = first + 1, news_at
        tracker.update(playlist(first, 5, target=1), now, now)
        patience.append(tracker.patience)
    assert patience == [pytest.approx(6.0, abs=0.5), pytest.approx(12.0, abs=0.5), 15.0]


def test_what_was_missed_while_a_stream_was_closed_is_no_rhythm() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(0, 5, target=1, duration=1), 0.0, 0.1)
    tracker.pause()
    tracker.update(playlist(3, 5, target=1, duration=1), 30.0, 30.1)
    assert tracker.patience == pytest.approx(5.0)


def test_another_variant_has_the_rhythm_of_the_one_before() -> None:
    first = LiveTracker(STALL)
    first.update(playlist(0, 5, target=2, duration=2), 0.0, 0.1)
    first.update(playlist(5, 5, target=2, duration=2), 4.0, 4.1)
    assert LiveTracker(STALL, after=first).patience == 15.0


def test_time_in_which_nobody_asked_is_no_silence_of_the_origin() -> None:
    tracker = started()  # to be asked again at 6
    tracker.update(playlist(100, 6), 36.0, 36.1)
    assert tracker.fails_at == pytest.approx(15.1 + 30.0)


def test_a_live_playlist_without_segments_is_waited_for_and_fails_in_time() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(0, 0), 0.0, 0.1)
    tracker.update(playlist(0, 0), 1.0, 1.1)
    assert tracker.fails_at == pytest.approx(15.6)
    tracker.update(playlist(0, 2), 2.0, 2.1)
    assert numbers(tracker) == [0, 1]


def test_where_segments_are_shorter_than_told_the_next_is_asked_for_as_they_really_are() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 6, target=10), 0.0, 0.1)
    item = tracker.next_due()
    assert item
    assert tracker.reload_at == 10.0
    tracker.lasted(item.segment, 2.0)
    assert (tracker.target_duration, tracker.reload_at) == (2.0, 2.0)
    assert tracker.backlog == pytest.approx(4.0)  # two of the three from the live edge
    assert tracker.fails_at == pytest.approx(25.1)  # the origin may list many at once
    tracker.update(playlist(101, 6, target=10), 2.0, 2.1)
    assert tracker.reload_at == 4.0


def test_where_segments_are_longer_than_told_nobody_gives_up_before_the_next_can_be_there() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 6, target=1), 0.0, 0.1)
    for item in due(tracker):
        tracker.lasted(item.segment, 10.0)
    assert tracker.fails_at == pytest.approx(25.1)
    tracker.update(playlist(101, 6, target=1), 1.0, 1.1)
    assert tracker.reload_at == pytest.approx(11.0)


def test_a_target_far_above_all_segments_is_put_right_once_some_were_seen() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 6, target=60, duration=2), 0.0, 0.1)
    for item in due(tracker)[:3]:
        tracker.lasted(item.segment, 2.0)
    assert tracker.target_duration == 2.0
    assert (tracker.reload_at, tracker.fails_at) == (2.0, pytest.approx(150.1))
    longer = playlist(101, 6, target=60, marks={106: "#EXTINF:40,\nlong.ts\n"}, duration=2)
    tracker.update(longer, 6.0, 6.1)
    assert tracker.target_duration == 60.0
    assert [tracker.length_of(d.segment) for d in due(tracker)] == [60.0, 60.0]


def test_a_playlist_that_is_right_by_and_large_is_believed() -> None:
    tracker = LiveTracker(STALL)
    tracker.update(playlist(100, 6), 0.0, 0.1)
    for item, seconds in zip(due(tracker), (5.5, 6.9, 5.2), strict=True):
        tracker.lasted(item.segment, seconds)
        assert (tracker.target_duration, tracker.reload_at) == (6.0, 6.0)


def test_the_neighbours_of_a_segment_are_those_listed_before_it_with_its_own_address() -> None:
    tracker = LiveTracker(STALL)
    marks = {101: "#EXT-X-GAP\n"}
    tracker.update(playlist(100, 6, name="{}.ts?t=old", marks=marks), 0.0, 0.1)
    item = tracker.next_due()
    assert item
    assert [s.media_sequence for s in tracker.neighbours(item.segment)] == [100, 102]
    tracker.update(playlist(100, 7, name="{}.ts?t=new"), 6.0, 6.1)
    assert tracker.neighbours(item.segment) == ()


# --- Any origin --------------------------------------------------------------------------


@dataclass
class Origin:
    """A live origin: content numbered from 0, shown through windows on one line or the next."""

    window: int
    produced: int = 0  # segments, ever
    line: int = 0
    line_start: int = 0  # content of the first segment of this line
    line_number: int = 10_000  # its media sequence number
    answers: list[MediaPlaylist] = field(default_factory=list)

    def produce(self, count: int) -> None:
        self.produced += count

    def restart(self) -> None:
        """Far from the numbers before: of two restarts in a row nobody could tell the second."""
        self.line += 1
        self.line_start = self.produced
        self.line_number = 0 if self.line % 2 else 50_000
        self.produced += 1

    def ask(self, behind: int = 0) -> MediaPlaylist:
        end = max(self.produced - behind, self.line_start)
        start = max(end - self.window, self.line_start)
        number = self.line_number + start - self.line_start
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:{number}\n"
        for content in range(start, end):
            text += f"#EXTINF:6,\n{self.line}/c{content}.ts\n"
        parsed = parse(text.encode(), URL)
        assert isinstance(parsed, MediaPlaylist)
        return parsed

    def answer(self, event: str, amount: int) -> MediaPlaylist | None:
        """What a request gets; None: an error."""
        if event == "error":
            return None
        if event == "a cache" and self.answers:
            return self.answers[-1 - amount % len(self.answers)]
        if event == "restart":
            self.restart()
        else:
            self.produce(amount)
        if event == "a server behind":
            return self.ask(behind=self.window)
        self.answers.append(self.ask())
        return self.answers[-1]


@dataclass
class Viewer:
    """Takes what is due, and checks it against what the tracker tells of it."""

    tracker: LiveTracker
    newest: int | None = None
    reported: int = 0
    reset: bool = False  # since the last segment

    def take(self) -> bool:
        item = self.tracker.next_due()
        if item is None:
            return False
        content = int(item.segment.uri.rpartition("c")[2].removesuffix(".ts"))
        if self.newest is not None:
            assert content > self.newest, "twice, or out of order"
            missed = content - self.newest - 1
            assert item.splice == bool(missed or self.reset)
            assert self.reset or self.tracker.skipped - self.reported == missed
        self.newest, self.reported, self.reset = content, self.tracker.skipped, False
        return True


_EVENTS = st.tuples(
    st.sampled_from(
        ["live", "live", "a server behind", "a cache", "restart", "error", "moved", "closed"]
    ),
    st.integers(0, 25),  # segments produced, or how old an answer is
    st.integers(0, 5),  # segments taken
    st.floats(0, 40),  # seconds too late
)


@settings(max_examples=400, deadline=None)
@given(st.integers(3, 12), st.integers(1, 40), st.lists(_EVENTS, max_size=40))
def test_no_origin_gets_a_segment_sent_twice_or_out_of_order_or_skipped_in_silence(
    window: int, first: int, events: list[tuple[str, int, int, float]]
) -> None:
    origin = Origin(window)
    origin.produce(first)
    tracker = LiveTracker(STALL)
    viewer = Viewer(tracker)
    now = 0.0
    tracker.update(origin.ask(), now, now)
    for event, amount, taken, delay in events:
        now = tracker.reload_at + delay
        if event == "moved":
            tracker.moved()
            origin.answers.clear()  # an old address is not asked again
        if event == "closed":
            tracker.pause()
            viewer.reset = True  # what comes next is spliced, however it goes on
        answer = origin.answer(event, amount)
        if answer is None:
            tracker.failed(now, now)
        else:
            viewer.reset |= tracker.update(answer, now, now + 0.1).reset
        assert tracker.reload_at > now
        for _ in range(taken):
            viewer.take()
    while viewer.take():
        pass


# --- Real playlists ----------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason="the real playlists are not here")
def test_each_real_media_playlist_is_tracked_as_its_tags_say() -> None:
    count = 0
    for file in sorted(REAL.glob("*.m3u8")):
        try:
            real = parse(file.read_bytes(), URL)
        except BadPlaylist:
            continue
        if not isinstance(real, MediaPlaylist):
            continue
        count += 1
        tracker = LiveTracker(STALL)
        tracker.update(real, 0.0, 0.1)
        items = due(tracker)
        expected = [s for s in real.segments[start_index(real) :] if not s.gap]
        if real.ended and not real.is_vod:
            expected = []
        assert [d.segment for d in items] == expected, file.name
        assert tracker.finished == real.ended, file.name
        after_gap = [
            before.gap
            for before, s in zip(real.segments, real.segments[1:], strict=False)
            if not s.gap
        ][-len(expected) :]
        if start_index(real) == 0:
            after_gap = [False, *after_gap][-len(expected) :]
        splices = [s.discontinuity or gap for s, gap in zip(expected, after_gap, strict=False)]
        assert [d.splice for d in items] == splices, file.name
        if real.start_offset is None and not real.ended:
            length = sum(s.duration for s in real.segments[start_index(real) + 1 :])
            assert length < 3 * real.target_duration, file.name
        tracker.update(real, 6.0, 6.1)
        assert due(tracker) == [], file.name
    assert count > 40
