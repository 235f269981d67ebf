"""Names that may be meant by one that nothing has."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from difflib import SequenceMatcher
from heapq import nlargest
from itertools import islice

from kptv.channels.rules.countries import code_of
from kptv.channels.rules.patterns import folded

_MOST_SEEN = 200_000  # names
_FEW = 500  # names that are all compared letter by letter; of more, those that promise most
_LONGEST = 64  # letters that are compared
_CLOSE = 0.65  # of 1: how much is alike
_SHORT = 3  # letters that may be a code
_MOST_SURE = 1000
_STEP = 100  # names looked at between two yields
_SAME_COUNTRY, _SAME_WORDS, _SAME_INITIALS = 3.0, 2.0, 0.7  # likeness is from 0 to 1

_COUNTRIES = {
    "america": "US",
    "arabia": "SA",
    "austria": "AT",
    "belgium": "BE",
    "brasil": "BR",
    "brazil": "BR",
    "britain": "UK",
    "bulgaria": "BG",
    "canada": "CA",
    "china": "CN",
    "croatia": "HR",
    "czech republic": "CZ",
    "czechia": "CZ",
    "denmark": "DK",
    "deutschland": "DE",
    "emirates": "AE",
    "england": "UK",
    "españa": "ES",
    "finland": "FI",
    "france": "FR",
    "germany": "DE",
    "great britain": "UK",
    "greece": "GR",
    "hong kong": "HK",
    "hungary": "HU",
    "india": "IN",
    "ireland": "IE",
    "israel": "IL",
    "italia": "IT",
    "italy": "IT",
    "japan": "JP",
    "korea": "KR",
    "mexico": "MX",
    "nederland": "NL",
    "netherlands": "NL",
    "new zealand": "NZ",
    "norway": "NO",
    "poland": "PL",
    "polska": "PL",
    "portugal": "PT",
    "romania": "RO",
    "russia": "RU",
    "saudi arabia": "SA",
    "serbia": "RS",
    "slovakia": "SK",
    "slovenia": "SI",
    "south africa": "ZA",
    "spain": "ES",
    "sweden": "SE",
    "switzerland": "CH",
    "turkey": "TR",
    "türkiye": "TR",
    "ukraine": "UA",
    "united kingdom": "UK",
    "united states": "US",
    "united states of america": "US",
}


def nearest(text: str, names: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Those of ``names`` that look or mean most alike, the nearest first.

    ``text`` may be a pattern; one that is a regular expression has none.
    """
    steps = nearest_in_steps(text, names, most)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: tuple[str, ...] = end.value
            return found


def nearest_in_steps(
    text: str, names: Iterable[str], most: int = 3
) -> Generator[None, None, tuple[str, ...]]:
    """As ``nearest``; yields often."""
    if len(text) > 2 and text[0] == text[-1] == "/":
        return ()
    wanted = folded(text.replace("*", " ").replace("?", " "))[:_LONGEST]
    words, code, start = set(wanted.split()), _code_of(wanted), wanted[:2]
    sure: dict[str, float] = {}
    others: list[str] = []

    def promises(name: str) -> tuple[int, bool, int]:
        simple = name[:_LONGEST].casefold()
        shared = len(words.intersection(simple.split()))
        return shared, simple[:2] == start, -abs(len(simple) - len(wanted))

    for seen, name in enumerate(islice(names, _MOST_SEEN)):
        if len(sure) >= _MOST_SURE:
            break
        simple = folded(name)[:_LONGEST]
        if code and _code_of(simple) == code:
            sure[name] = _SAME_COUNTRY
        elif words and words <= set(simple.split()):
            sure[name] = _SAME_WORDS
        elif wanted and (wanted == _initials(simple) or (simple and simple == _initials(wanted))):
            sure[name] = _SAME_INITIALS
        else:
            others.append(name)
            if len(others) >= 2 * _FEW:
                others = nlargest(_FEW, others, key=promises)
        if seen % _STEP == 0:
            yield
    sure |= yield from _likeness(wanted, nlargest(_FEW, others, key=promises))
    return tuple(sorted(sure, key=lambda name: (-sure[name], len(name), name))[:most])


def _likeness(wanted: str, names: Iterable[str]) -> Generator[None, None, dict[str, float]]:
    """How much is alike, of 1, of each name where that is a lot."""
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    found = {}
    for name in names:
        matcher.set_seq1(folded(name)[:_LONGEST])
        if matcher.real_quick_ratio() >= _CLOSE and matcher.quick_ratio() >= _CLOSE:
            ratio = matcher.ratio()
            if ratio >= _CLOSE:
                found[name] = ratio
        yield
    return found


def _code_of(simple: str) -> str:
    """The country that a folded name means; empty if it means none."""
    return _COUNTRIES.get(simple, "") or (code_of(simple) if len(simple) <= _SHORT else "")


def _initials(simple: str) -> str:
    """The first letters of several words; empty if there is only one."""
    words = simple.split()
    return "".join(word[0] for word in words) if len(words) > 1 else ""
