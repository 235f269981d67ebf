"""The name of a channel without what only adorns it: signs, quality, tags, the prefix of a country.

Nothing is guessed. Each step takes away only what it has a word for, never the whole name, and
doing it again changes nothing. ``+1``, ``east`` and a country behind the name tell channels apart
and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from string import ascii_lowercase, digits
from unicodedata import category

from kptv.channels.rules.codes import COUNTRIES, OTHER_PREFIXES
from kptv.channels.rules.model import Names, Step
from kptv.channels.rules.patterns import LONGEST

_MOST_ROUNDS = 8  # of all steps; what is cleaned more often than that was made for it

# Small raised letters, with the digits beside them: ᴴᴰ, ⁶⁰ᶠᵖˢ.
_RAISED_LETTERS = "\u02b0-\u02e4\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbfⁱⁿ"
_RAISED = re.compile(f"[{_RAISED_LETTERS}⁰¹²³⁴-⁹]+")
_OTHERS = re.compile("[^\x00-\\]_a-\x7f]+")  # than letters of ASCII; ^ and ` are signs, too
_SHORT = 32  # letters
_RAISED_LETTER = re.compile(f"[{_RAISED_LETTERS}]")
_BARS = str.maketrans(dict.fromkeys("│┃▎▏❘｜¦║︱", "|") | {"⁺": "+", "⁻": "-"})
_BRACKETS = str.maketrans("（）［］【】｛｝〔〕", "()[][]{}[]")
_SYMBOLS = ("So", "Sk", "Cf", "Co", "Cn")  # categories of Unicode; letters in circles are So
_KEPT = frozenset("°™®©℗№")

_WORDS = (
    "hd fhd uhd qhd shd sd hq lq hevc raw backup bkup 4k 8k h264 h265 h.264 h.265 x264 x265 fullhd"
    " 2160p 1440p 1080p 1080i 720p 720i 576p 576i 540p 480p 480i 360p 240p 25fps 30fps 50fps 60fps"
    " 高清 超清 标清 备用"
)
QUALITY = frozenset(_WORDS.split())
_STATES = "geo-blocked|geoblocked|not 24/7|24/7|offline|adaptive|tested|vip"
_TAG = re.compile(
    r"[\[({]\s*(?:"
    rf"{_STATES}|full hd|ultra hd|\d{{3,4}}\s?[pi]|\d{{2}}\s?fps"
    rf"|{'|'.join(map(re.escape, sorted(QUALITY)))}"
    r")\s*[\])}]",
    re.IGNORECASE,
)
_BORDER = re.compile(r"[\s_|/-]")
_LAST_WORD = re.compile(r"[\s_|/-]([^\s_|/-]{1,8})$")
_FIRST_LETTERS = frozenset(ascii_lowercase + digits)
_EDGES = " \t|:-_/,;"
_SUSPECT = re.compile(r"[(\[{|:_/-]|[^ -~]")  # without any, only the last word can be taken away


class Cleaner:
    """Cleans names as ``names`` says; which ones are left apart, ``Naming`` knows."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._steps = [
            (wanted, step)
            for wanted, step in (
                (Step.MARKS, without_marks),
                (Step.TAGS, without_tags),
                (Step.PREFIXES, self._without_prefix),
                (Step.QUALITY, without_quality),
            )
            if wanted in names.clean
        ]
        self._prefixes = _Prefixes((*COUNTRIES, *OTHER_PREFIXES, *names.prefixes))

    def __repr__(self) -> str:
        return f"<Cleaner {' '.join(sorted(self._names.clean))}>"

    def clean(self, name: str) -> str:
        """``name`` after all steps; itself, if it is to be left as it is."""
        if not self._steps:
            return name
        if not _may_change(name):
            return name
        return self._cleaned(name[:LONGEST])

    def steps(self, name: str) -> list[tuple[Step, str]]:
        """Each step that changes ``name``, and what it makes of it: for people."""
        name = name[:LONGEST]
        changes: list[tuple[Step, str]] = []
        for _ in range(_MOST_ROUNDS):
            before = name
            for wanted, step in self._steps:
                if (shorter := step(name)) and shorter != name:
                    name = shorter
                    changes.append((wanted, name))
            if name == before or not _may_change(name):
                break
        return changes

    def _cleaned(self, name: str) -> str:
        """What ``steps`` ends with."""
        for _ in range(_MOST_ROUNDS):
            before = name
            for _, step in self._steps:
                name = step(name) or name
            if name == before or not _may_change(name):
                break
        return name

    def _without_prefix(self, name: str) -> str:
        return name[end:].strip(_EDGES) if (end := self._prefixes.end_in(name)) else name


def _may_change(name: str) -> bool:
    """Whether a step may take something away: a cheap look."""
    return name.rpartition(" ")[2].lower() in QUALITY or _SUSPECT.search(name) is not None


def without_marks(name: str) -> str:
    """``name`` without signs that adorn it; bars and brackets of all kinds are plain ones."""
    if name.isascii():
        return name
    return " ".join(_OTHERS.sub(_without_signs, name).split())


def _without_signs(others: re.Match[str]) -> str:
    text = others[0]
    return _known_plain(text) if len(text) <= _SHORT else _plain(text)


def _plain(text: str) -> str:
    text = _RAISED.sub(_without_letters, text).translate(_BARS).translate(_BRACKETS)
    kept = [
        " " if category(letter) in _SYMBOLS and letter not in _KEPT else letter for letter in text
    ]
    return "".join(kept)


_known_plain = lru_cache(maxsize=4096)(_plain)  # the same signs and words are in many names


def _without_letters(raised: re.Match[str]) -> str:
    return " " if _RAISED_LETTER.search(raised[0]) else raised[0]


def without_tags(name: str) -> str:
    """``name`` without what stands in brackets, if that is no name: (1080p), [Geo-blocked]."""
    if not ("(" in name or "[" in name or "{" in name) or not _TAG.search(name):
        return name
    return " ".join(_TAG.sub(" ", name).split()).strip(_EDGES)


def without_quality(name: str) -> str:
    """``name`` without words of quality at its end; one word stays."""
    while True:
        rest, _, last = name.rpartition(" ")
        if not rest or _BORDER.search(last):  # the last word may begin elsewhere
            found = _LAST_WORD.search(name)
            rest, last = (name[: found.start()], found[1]) if found else ("", "")
        if last.lower() not in QUALITY:
            break
        rest = rest.rstrip(_EDGES)
        if not rest:
            break
        name = rest
    return name


class _Prefixes:
    """Finds one of some prefixes in front of a colon, a bar or a dash, or in brackets.

    There are 250, too many to try one by one: those that begin as the name does are tried.
    """

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._all = tuple({prefix for prefix in prefixes if prefix})
        self._patterns: dict[str, re.Pattern[str] | None] = {}  # by a first letter; empty: any

    def end_in(self, name: str) -> int:
        """Where the prefix of ``name`` ends; 0 if it has none."""
        first = name[:1].lower()
        if first not in _FIRST_LETTERS:
            first = ""
        if first not in self._patterns:
            self._patterns[first] = self._beginning_with(first)
        pattern = self._patterns[first]
        found = pattern.match(name) if pattern else None
        return found.end() if found else 0

    def _beginning_with(self, letter: str) -> re.Pattern[str] | None:
        # One that is not of ASCII may begin with the same letter in another form.
        some = [
            one for one in self._all if one[0].lower() == letter or not letter or not one.isascii()
        ]
        return _prefix_pattern(some) if some else None


def _prefix_pattern(prefixes: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(prefixes, key=lambda prefix: (-len(prefix), prefix))
    words = "|".join(re.escape(prefix) for prefix in longest_first)
    return re.compile(
        rf"[\s|]{{0,8}}(?:(?:{words})\s{{0,4}}(?:[:|]|-\s|[–—])|[\[(](?:{words})[\])])",
        re.IGNORECASE,
    )
