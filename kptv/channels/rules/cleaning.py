"""The name of a channel without what only adorns it: signs, quality, tags, the prefix of a country.

Nothing is guessed. Each step takes away only what it has a word for, never the whole name, and
doing it again changes nothing. ``+1``, ``east`` and a country behind the name tell channels apart
and stay.
"""

from __future__ import annotations

import re
from unicodedata import category

from kptv.channels.rules.codes import COUNTRIES, OTHER_PREFIXES
from kptv.channels.rules.model import Names, Step
from kptv.channels.rules.patterns import LONGEST

_REMEMBERED = 64 * 1024  # names whose cleaned form is kept
_MOST_ROUNDS = 8  # of all steps; what is cleaned more often than that was made for it

# Small raised letters, with the digits beside them: ᴴᴰ, ⁶⁰ᶠᵖˢ.
_RAISED_LETTERS = "\u02b0-\u02e4\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbfⁱⁿ"
_RAISED = re.compile(f"[{_RAISED_LETTERS}⁰¹²³⁴-⁹]+")
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
_LAST_WORD = re.compile(r"[\s_|/-]([^\s_|/-]{1,8})$")
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
        self._prefix = _prefix_pattern((*COUNTRIES, *OTHER_PREFIXES, *names.prefixes))
        self._known: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Cleaner {' '.join(sorted(self._names.clean))}>"

    def clean(self, name: str) -> str:
        """``name`` after all steps; itself, if it is to be left as it is."""
        if not self._steps:
            return name
        if not _SUSPECT.search(name) and name.rpartition(" ")[2].lower() not in QUALITY:
            return name
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[name] = self._cleaned(name[:LONGEST])
        return known

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
            if name == before:
                break
        return changes

    def _cleaned(self, name: str) -> str:
        changes = self.steps(name)
        return changes[-1][1] if changes else name

    def _without_prefix(self, name: str) -> str:
        return name[found.end() :].strip(_EDGES) if (found := self._prefix.match(name)) else name


def without_marks(name: str) -> str:
    """``name`` without signs that adorn it; bars and brackets of all kinds are plain ones."""
    if name.isascii():
        return name
    name = _RAISED.sub(_without_letters, name).translate(_BARS).translate(_BRACKETS)
    kept = [
        " " if category(letter) in _SYMBOLS and letter not in _KEPT else letter for letter in name
    ]
    return " ".join("".join(kept).split())


def _without_letters(raised: re.Match[str]) -> str:
    return " " if _RAISED_LETTER.search(raised[0]) else raised[0]


def without_tags(name: str) -> str:
    """``name`` without what stands in brackets, if that is no name: (1080p), [Geo-blocked]."""
    if not _TAG.search(name):
        return name
    return " ".join(_TAG.sub(" ", name).split()).strip(_EDGES)


def without_quality(name: str) -> str:
    """``name`` without words of quality at its end; one word stays."""
    while (last := _LAST_WORD.search(name)) and last[1].lower() in QUALITY:
        rest = name[: last.start()].rstrip(_EDGES)
        if not rest:
            break
        name = rest
    return name


def _prefix_pattern(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for one of these in front of a colon, a bar or a dash, or in brackets."""
    longest_first = sorted({prefix for prefix in prefixes if prefix}, key=lambda p: (-len(p), p))
    words = "|".join(re.escape(prefix) for prefix in longest_first)
    return re.compile(
        rf"[\s|]{{0,8}}(?:(?:{words})\s{{0,4}}(?:[:|]|-\s|[–—])|[\[(](?:{words})[\])])",
        re.IGNORECASE,
    )
