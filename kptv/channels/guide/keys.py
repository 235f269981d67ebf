"""What is compared of ids and names: letters and digits only, without what tells nothing apart."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from unicodedata import combining, normalize

from kptv.channels.rules.cleaning import Cleaner, without_marks, without_quality
from kptv.channels.rules.countries import code_of
from kptv.channels.rules.model import Names, Step

LONGEST = 512  # letters of an id or a name that are looked at
_WORDS = str.maketrans({"+": "plus", "＋": "plus", "⁺": "plus", "&": "and", "＆": "and"})
# Another picture may be another channel, with other shows: not only a quality.
_OTHER_PICTURE = re.compile(r"(?<![a-z0-9])(?:[48]k|uhd|2160p|ultra hd)(?![a-z])", re.IGNORECASE)
_GLUED_QUALITY = re.compile(r"(?<=[A-Za-z0-9])F?HD$")  # BBCOneHD
_SEPARATORS = str.maketrans("._-/", "    ")


class IdKeys(NamedTuple):
    """An id in the forms in which it is compared, one looser than the other."""

    any_case: str
    bare: str  # any case, without what follows an @ (a feed, in many lists)
    squashed: str
    plain: str  # squashed, without words of quality; the country stays


@lru_cache(maxsize=4096)
def id_keys(guide_id: str) -> IdKeys:
    """The forms of an id: of a list's tvg-id or a guide's channel."""
    guide_id = guide_id[:LONGEST]
    bare = guide_id.partition("@")[0] or guide_id
    return IdKeys(guide_id.casefold(), bare.casefold(), squashed(bare), squashed(_plain(bare)))


def _plain(bare: str) -> str:
    name, dot, country = bare.rpartition(".")
    if not dot or not code_of(country):
        name, country = bare, ""
    words = name.translate(_SEPARATORS)
    if _OTHER_PICTURE.search(words):
        return bare
    shorter = without_quality(words)
    return f"{_GLUED_QUALITY.sub('', shorter) or shorter} {country}"


def squashed(text: str) -> str:
    """Letters and digits of ``text`` in lower case, without accents; ``+`` and ``&`` as words."""
    text = text[:LONGEST]
    if not text.isascii():
        text = normalize("NFKD", without_marks(text).casefold())
        text = "".join(
            [letter for letter in text if not combining(letter) or not _is_latin(letter)]
        )
        text = normalize("NFKC", text)
    return "".join([part for part in text.lower().translate(_WORDS) if part.isalnum()])


def _is_latin(mark: str) -> bool:
    """Whether a mark is one of those above and below letters that may be left out (U+0300 on)."""
    return "\u0300" <= mark <= "\u036f"


class NameKeys:
    """The keys of names: cleaned, then squashed."""

    def __init__(self, prefixes: tuple[str, ...] = ()) -> None:
        """``prefixes``: the user's own, besides those of countries."""
        steps = frozenset((Step.MARKS, Step.TAGS, Step.PREFIXES))
        self._cleaner = Cleaner(Names(clean=steps, prefixes=prefixes))
        self._whole = Cleaner(Names(clean=steps | {Step.QUALITY}, prefixes=prefixes))

    def __repr__(self) -> str:
        return f"<NameKeys {self._whole}>"

    def of(self, name: str) -> str:
        """The key of a name; empty if it has none: a number alone is nobody's name."""
        cleaner = self._cleaner if _OTHER_PICTURE.search(name[:LONGEST]) else self._whole
        key = squashed(cleaner.clean(name[:LONGEST]))
        return "" if key.isdecimal() else key

    def with_quality(self, name: str) -> str:
        """The same, but words of quality stay: tells HD and SD of one channel apart."""
        return squashed(self._cleaner.clean(name[:LONGEST]))
