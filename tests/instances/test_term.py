from __future__ import annotations

from kptv.instances.place import place_of
from kptv.instances.term import Term, Times, times_of

TIMES = Times(lease=15.0, renewal=2.0, margin=3.0, call=1.0)


def test_nothing_is_held_before_the_first_renewal() -> None:
    term = Term(TIMES)
    assert not term.is_good(0.0)
    assert term.renew_at <= 0.0


def test_a_renewal_counts_from_before_it_was_sent_and_a_margin_is_left() -> None:
    term = Term(TIMES)
    term.renewed(sent_at=100.0)
    assert term.is_good(111.9)
    assert not term.is_good(112.0)
    assert term.renew_at == 102.0


def test_a_reply_that_comes_late_makes_nothing_shorter() -> None:
    term = Term(TIMES)
    term.renewed(sent_at=102.0)
    term.renewed(sent_at=100.0)
    assert term.is_good(113.9)


def test_what_is_over_is_over() -> None:
    term = Term(TIMES)
    term.renewed(sent_at=100.0)
    term.over()
    assert not term.is_good(100.0)


def test_shorter_leases_keep_their_proportions() -> None:
    assert times_of(15.0) == TIMES
    assert times_of(3.0) == Times(3.0, 0.4, 0.6000000000000001, 0.2)


def test_two_of_one_name_are_two_places_if_they_listen_on_two_ports() -> None:
    assert place_of("tv", 8080) == place_of("tv", 8080)
    assert place_of("tv", 8080) != place_of("tv", 8081)
