"""Names of entries, as conditions look at them and as channels are called: made once for each name.

Entries of one name are in many groups, each of which may leave other rules. What is in the name,
and what cleaning and aliases make of it, is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from kptv.channels.grouping import all_normalised
from kptv.channels.packing import FIELD
from kptv.channels.rules.contexts import Called, Fate
from kptv.channels.rules.matching import Texts, texts_of
from kptv.channels.rules.naming import Naming
from kptv.channels.rules.patterns import all_folded
from kptv.channels.rules.rewriting import renaming_of
from kptv.channels.rules.sieve import Sieve, Word

_REMEMBERED = 16 * 1024  # names

# What is known of a name: the key that it is remembered by, itself as listed, normalised, with what
# is put around those of its source, this folded (empty, if nothing looks at names), and the words
# in it that the sieve seeks. The collector forgets a plain tuple of texts.
EntryName = tuple[bytes, str, str, str, str, tuple[Word, ...]]
WORDS: Final = 5  # their place


class EntryNames:
    """Knows the names of entries; ``ends_of_name``: what is put around those of a source."""

    def __init__(
        self, naming: Naming, sieve: Sieve, ends_of_name: Callable[[int], tuple[str, str]]
    ) -> None:
        self._naming = naming
        self._sieve = sieve
        self._ends_of_name = ends_of_name
        self._known: dict[bytes, EntryName] = {}
        self._words: dict[tuple[Word, ...], tuple[Word, ...]] = {}
        self.called_so_far = 0
        self._called: dict[bytes, Called] = {}  # of names that rules leave as they are

    def __repr__(self) -> str:
        return f"<EntryNames {len(self._known)}>"

    def of(self, number: int, packed: Sequence[bytes]) -> list[EntryName]:
        """What is known of some names that entries of a source have; in the same order."""
        mark = b"%d%b" % (number, FIELD) if any(self._ends_of_name(number)) else b""
        keys = [mark + name for name in packed] if mark else packed
        known = self._known
        new = list(dict.fromkeys([key for key in keys if key not in known]))
        if not new:
            return [known[key] for key in keys]
        read = self._read(number, new, b"\n".join([key[len(mark) :] for key in new]).decode())
        if len(known) + len(read) <= _REMEMBERED:
            known.update(read)
        return [read.get(key) or known[key] for key in keys]

    def _read(self, number: int, keys: Sequence[bytes], lines: str) -> dict[bytes, EntryName]:
        """What is in names, which stand one per line, by their keys."""
        listed, simple = lines.split("\n"), all_normalised(lines)
        begun = self.begun(number, listed)
        folded = all_folded(begun) if self._sieve.seeks_names else [""] * len(begun)
        caught = self._sieve.caught_in_names(begun, folded)
        words = [self._shared(tuple(caught.get(place, ()))) for place in range(len(keys))]
        names = zip(keys, listed, simple, begun, folded, words, strict=True)
        return {name[0]: name for name in names}

    def _shared(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """The first that is equal to it, which the collector has forgotten already."""
        return self._words.setdefault(words, words) if words else words

    def begun(self, number: int, listed: list[str]) -> list[str]:
        """The names with what is put around those of their source."""
        prefix, suffix = self._ends_of_name(number)
        if not prefix and not suffix:
            return listed
        return [f"{prefix}{name}{suffix}".strip() for name in listed]

    def texts(self, name: EntryName) -> Texts:
        """What conditions look at."""
        _, _, _, begun, folded, _ = name
        return ((begun, folded),) if self._sieve.seeks_names else texts_of([begun])

    def called(self, name: EntryName, fate: Fate, given: str | None) -> Called:
        """What entries of a name are called that the rules gave another, or left as it was."""
        key, listed, simple, begun, _, _ = name
        if fate.is_dropped:
            return listed, simple, "", "", "", "", (), self._number()
        if given is not None and given != begun:
            return self._named(listed, simple, given)
        called = self._called.get(key)
        if called is None:
            called = self._named(listed, simple, begun)
            if len(self._called) < _REMEMBERED:
                self._called[key] = called
        return called

    def _named(self, listed: str, simple: str, name: str) -> Called:
        named = self._naming.fields_of(name, simple if name is listed else "")
        shown = named[0].encode("utf-8", "replace")
        return listed, simple, *named, renaming_of(listed.encode(), shown), self._number()

    def _number(self) -> int:
        self.called_so_far += 1
        return self.called_so_far - 1
