"""Which segment is asked instead of one that was refused."""

from __future__ import annotations

from kptv.formats.hls.playlist import EncryptionKey, MediaSegment
from kptv.upstream.hls.refusals import asked_instead


def segment(number: int, key: str = "") -> MediaSegment:
    return MediaSegment(
        f"http://h/{number}.ts", 2.0, number, 0, key=EncryptionKey("AES-128", key or None)
    )


LISTED = [segment(number, f"http://h/key{number // 2}") for number in range(10, 16)]


def test_the_one_before_is_asked_where_it_came() -> None:
    asked = asked_instead(LISTED, segment(16), 15, of_key=False)
    assert asked == ("http://h/15.ts", 0)


def test_else_the_oldest_for_a_whole_batch_may_be_listed_too_early() -> None:
    asked = asked_instead(LISTED, segment(16), 12, of_key=False)
    assert asked == ("http://h/10.ts", 0)


def test_of_a_key_the_newest_other_key_is_asked() -> None:
    assert asked_instead(LISTED, segment(15, "http://h/key7"), 14, of_key=True)[0] == (
        "http://h/key6"
    )


def test_where_there_is_no_other_nothing_is_asked() -> None:
    assert asked_instead([], segment(16), 15, of_key=False) == ("", 0)
    assert asked_instead([segment(15, "k")], segment(16, "k"), 15, of_key=True) == ("", 0)
