"""Numbers, dates and discontinuities of segments, over playlists that end and go on."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from kptv.restream.window_playlist import FEWEST, KEPT, LISTED, Past, Rates, WindowPlaylist
from kptv.splice.segments import Segment

NOW = 1_800_000_000.25
TENS = (1_800_000_000 - 1_577_836_800) // 10


def segment(
    clock: float, duration: float = 2.0, *, breaks: bool = False, size: int = 1000
) -> Segment:
    number = int(clock * 10)
    return Segment((bytes(size),), size, clock, duration, breaks, number, number + 9)


NO_PAST = Past()


def playlist(past: Past = NO_PAST, key: str = "") -> WindowPlaylist:
    return WindowPlaylist("the-news", past, lambda slug, now: key)


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"(\d+)\.ts", text)]


def test_the_first_segments_are_numbered_up_to_now() -> None:
    some = playlist()
    some.add([segment(2.0 * n) for n in range(6)], NOW)
    text = some.listing(2).text
    assert numbers_in(text) == list(range(1_799_999_994, 1_800_000_000))
    assert f"#EXT-X-DISCONTINUITY-SEQUENCE:{TENS}\n" in text


def test_numbers_never_overtake_the_clock_while_segments_last_a_second() -> None:
    some, now = playlist(), NOW
    some.add([segment(0.0, 1.0)], now)
    for n in range(1, 100):
        now += 1
        some.add([segment(float(n), 1.0)], now)
    assert numbers_in(some.listing(2).text)[-1] < now


def test_a_playlist_goes_on_where_the_last_one_ended() -> None:
    first = playlist()
    first.add([segment(0.0), segment(2.0), segment(4.0, breaks=True)], NOW)
    past = first.past(4)
    second = playlist(past)
    second.add([segment(0.0), segment(2.0)], NOW + 1)
    text = second.listing(past.target_duration).text
    assert numbers_in(text)[0] == past.number == numbers_in(first.listing(2).text)[-1] + 1
    assert f"#EXT-X-DISCONTINUITY-SEQUENCE:{TENS + 2}\n" in text
    assert second.past(4).end > past.end


@pytest.mark.parametrize("before", [16, 1000], ids=["16 before", "1000 before"])
def test_coming_back_again_and_again_to_a_channel_that_plays_on_overtakes_no_clock(
    before: int,
) -> None:
    """Its buffer has the same media each time, or much more than a playlist has."""
    past, now = NO_PAST, NOW
    for _ in range(100):
        some = playlist(past)
        some.add([segment(now - NOW + 2.0 * n, 2.0) for n in range(before)], now)
        assert len(some) >= 5
        for n in range(before, before + 6):
            now += 2.0
            some.add([segment(now - NOW + 2.0 * n, 2.0)], now)
        past = some.past(2)
        assert past.number <= now
        assert past.end - now < 2.0 * (LISTED + KEPT) + 2.0
        now += 1.0


def test_who_comes_back_at_once_has_some_segments_to_begin_with() -> None:
    some = playlist(Past(number=int(NOW), target_duration=2, end=NOW))
    some.add([segment(2.0 * n) for n in range(9)], NOW)
    assert len(some) == 3


@pytest.mark.parametrize("pause", [0.0, 3.0, 86400.0])
def test_what_a_new_process_serves_is_behind_what_the_old_one_did(pause: float) -> None:
    old = playlist()
    old.add([segment(2.0 * n) for n in range(16)], NOW)
    for n in range(16, 40):
        old.add([segment(2.0 * n)], NOW + 2.0 * (n - 15))
    new = playlist()
    new.add([segment(0.0)], NOW + 48.0 + pause + 1)
    assert numbers_in(new.listing(2).text)[0] > numbers_in(old.listing(2).text)[-1]


def test_the_last_ones_are_listed_and_some_more_can_be_had() -> None:
    some = playlist()
    for n in range(40):
        some.add([segment(2.0 * n)], NOW + 2.0 * n)
    numbers = numbers_in(some.listing(2).text)
    assert len(numbers) == LISTED
    assert some.find(numbers[0] - KEPT) is not None
    assert some.find(numbers[0] - KEPT - 1) is None
    assert some.find(numbers[-1] + 1) is None
    assert len(some) == LISTED + KEPT


def test_a_discontinuity_counts_once_the_playlist_begins_at_it_or_behind() -> None:
    some, counts = playlist(), []
    for n in range(30):
        some.add([segment(2.0 * n, breaks=n in (5, 6))], NOW + 2.0 * n)
        text = some.listing(2).text
        (count,) = re.findall(r"DISCONTINUITY-SEQUENCE:(\d+)", text)
        counts.append(int(count) - TENS + text.count("#EXT-X-DISCONTINUITY\n"))
    assert counts == [0] * 5 + [1] + [2] * 24


def test_the_date_of_a_segment_never_changes_and_follows_the_one_before() -> None:
    some = playlist()
    for n in range(30):
        # The clock of media runs a little fast, and once the clock of this machine is set back.
        some.add([segment(2.0 * n, breaks=n % 7 == 6)], NOW + 2.01 * n - (90 if n > 20 else 0))
    kept = [some.find(number) for number in numbers_in(some.listing(2).text)]
    for before, after in pairwise(kept):
        assert before is not None
        assert after is not None
        gap = after.date - before.date - before.segment.duration
        assert gap >= 0 if after.breaks else gap == 0


def test_a_hole_in_time_shows_in_the_dates() -> None:
    some = playlist()
    some.add([segment(0.0)], NOW)
    some.add([segment(2.0, breaks=True)], NOW + 32.0)
    first, second = (some.find(number) for number in numbers_in(some.listing(2).text))
    assert first is not None
    assert second is not None
    assert second.date - first.date == pytest.approx(32.0)


@pytest.mark.parametrize(
    ("key", "folder"), [("", "the-news"), ("a1B2", "the-news/a1B2")], ids=["open", "with a key"]
)
def test_the_path_of_a_segment_has_the_key_that_was_when_it_came(key: str, folder: str) -> None:
    some = playlist(key=key)
    some.add([segment(0.0)], NOW)
    (numbered,) = (some.find(number) for number in numbers_in(some.listing(2).text))
    assert numbered is not None
    assert numbered.path == f"{folder}/{numbered.number}.ts"
    assert numbered.key == key
    assert f"{{PREFIX}}{numbered.path}\n" in some.listing(2).text


def test_slugs_of_any_letters_are_one_part_of_a_path() -> None:
    some = WindowPlaylist("a/b?c#ü", Past(), lambda slug, now: "")
    some.add([segment(0.0)], NOW)
    assert "a%2Fb%3Fc%23%C3%BC/" in some.listing(2).text


def test_little_memory_takes_the_oldest_but_never_all() -> None:
    some = playlist()
    some.add([segment(2.0 * n) for n in range(16)], NOW)
    newest = numbers_in(some.listing(2).text)[-1]
    dropped = 0
    while some.drop_oldest():
        dropped += 1
    assert (dropped, len(some)) == (16 - FEWEST, FEWEST)
    assert numbers_in(some.listing(2).text) == list(range(newest - FEWEST + 1, newest + 1))


def test_rates_are_those_of_whole_segments() -> None:
    some = playlist()
    assert some.rates(2) == Rates(0, 0)
    some.add([segment(0.0, 2.0, size=1000), segment(2.0, 1.0, size=2000)], NOW)
    assert some.rates(2) == Rates(peak=16_000, average=8_000)


def test_a_segment_that_is_hardly_more_than_a_keyframe_is_no_peak() -> None:
    some = playlist()
    some.add([segment(0.0), segment(2.0, 0.2, breaks=True), segment(2.2)], NOW)
    assert some.rates(2).peak == some.rates(2).average == round(3 * 8000 / 4.2)
    some.add([segment(4.2, size=3000)], NOW + 2)
    assert some.rates(2) == Rates(peak=12_000, average=round(6 * 8000 / 6.2))


def test_a_listing_is_the_same_until_the_next_segment() -> None:
    some = playlist()
    some.add([segment(0.0)], NOW)
    one = some.listing(2)
    assert some.listing(2) is one
    some.add([], NOW)
    assert some.listing(2) is one
    some.add([segment(2.0)], NOW + 2)
    assert some.listing(2) is not one
    assert one.last + 1 == some.listing(2).last


def test_no_past_is_known_of_a_playlist_that_never_began() -> None:
    past = Past(7, 3, 4, NOW)
    assert playlist(past).past(2) is past


@pytest.mark.parametrize("duration", [1.0, 2.0, 6.0])
@pytest.mark.parametrize("away", [3.0, 5.0, 9.0])
def test_who_comes_back_from_another_instance_sees_no_number_go_back(
    duration: float, away: float
) -> None:
    """There a playlist began later, so its numbers were greater."""
    here, now = playlist(), NOW
    for n in range(100):
        here.add([segment(duration * n, duration)], now := now + duration)
    there = playlist()
    there.add([segment(0.0, 1.0)], now + 1)
    for n in range(2, int(away)):
        there.add([segment(float(n), 1.0)], now + n)
    behind = here.listing(2).last
    here.renumber(away, now := now + away)
    numbers = numbers_in(here.listing(2).text)
    assert numbers[-1] >= numbers_in(there.listing(2).text)[-1]
    assert numbers[0] > behind
    assert numbers == list(range(numbers[0], int(now)))  # as those of a playlist that begins now


def test_what_came_while_nobody_asked_is_there_under_new_numbers() -> None:
    some, now = playlist(key="abc"), NOW
    for n in range(20):
        some.add([segment(2.0 * n, breaks=n == 18)], now := now + 2.0)
    before = [numbered for n in range(int(NOW), int(now)) if (numbered := some.find(n))]
    some.renumber(7.0, now)
    text = some.listing(2).text
    assert text.count("#EXTINF") == 8
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1  # the first one is in the sequence
    for number, old in zip(numbers_in(text), before[-8:], strict=True):
        new = some.find(number)
        assert new is not None
        assert (new.segment, new.date) == (old.segment, old.date)
        assert new.path == f"the-news/abc/{number}.ts"
        assert new.discontinuities > old.discontinuities
    some.add([segment(40.0)], now + 2)
    assert numbers_in(some.listing(2).text)[-1] == int(now)


def test_numbers_that_keep_up_with_the_clock_stay() -> None:
    some, now = playlist(), NOW
    some.renumber(9.0, now)
    for n in range(20):
        some.add([segment(float(n), 1.0)], now := now + 1.0)
    text = some.listing(2).text
    some.renumber(9.0, now)
    assert some.listing(2).text == text
