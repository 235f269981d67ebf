"""The name of a channel, from that of an entry: aliases, cleaning, the key that entries share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kptv.channels.grouping import normalised
from kptv.channels.rules.cleaning import Cleaner
from kptv.channels.rules.countries import country_in
from kptv.channels.rules.matching import Probe
from kptv.channels.rules.model import Rules, ShownName, Step
from kptv.channels.rules.patterns import LONGEST, folded

# What happened, the line of the rule (0: none), and what it led to: for ``explain``.
Told = Callable[[str, int, str], object]


_REMEMBERED = 32 * 1024  # names, with what became of them; see also ``Left.settled``


class Named(NamedTuple):
    """What became of a name."""

    shown: str
    key: str  # normalised, without a country
    owner: str  # whose alias it is
    country: str  # that a prefix told


class Naming:
    """Names channels as a file says."""

    def __init__(self, rules: Rules) -> None:
        names = rules.names
        line = rules.line_of("names", "apart")
        self.apart = [Probe(pattern, line) for pattern in names.apart]  # of names not cleaned
        self._cleaner = Cleaner(names)
        self._finds_countries = names.split_by_country and Step.PREFIXES in names.clean
        self._shows_first = names.show == ShownName.FIRST
        self._owners = _owners(rules)
        self._known: dict[str, tuple[str, str, str, str]] = {}

    def __repr__(self) -> str:
        return f"<Naming {self._cleaner}>"

    def named(self, name: str, simple: str = "", told: Told | None = None) -> Named:
        """What becomes of a name; ``simple`` is it normalised, if that is known."""
        return self._named(name, simple or normalised(name), told)

    def fields_of(self, name: str, simple: str = "") -> tuple[str, str, str, str]:
        """What is in ``named``, remembered: the collector forgets a plain tuple of texts."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            shown, key, owner, country = self.named(name, simple)
            known = self._known[name] = (shown, key, owner, country)
        return known

    def _named(self, name: str, key: str, told: Told | None) -> Named:
        cleaned = name
        owner, country = self._owners.get(key, ""), ""
        if not owner or self._finds_countries:
            clean = self._cleaner.clean(name)
            if clean != name and not owner and not self._is_apart(name, key):
                cleaned, key = clean, normalised(clean)
                owner = self._owners.get(key, "")
            if clean != name and self._finds_countries:
                country = self._country_in(name)
        if told and cleaned != name:
            for step, text in self._cleaner.steps(name):
                told(str(step), 0, text)
        if owner:
            key = normalised(owner)
            if told:
                told("alias", 0, owner)
        return Named(name if self._shows_first else owner or cleaned, key, owner, country)

    def _is_apart(self, name: str, key: str) -> bool:
        if not self.apart:
            return False
        # Of short texts of ASCII both forms are the same.
        simple = key if name.isascii() and len(name) <= LONGEST else folded(name)
        return any(probe.tries(name, simple) for probe in self.apart)

    def _country_in(self, name: str) -> str:
        before = name
        for step, after in self._cleaner.steps(name):
            if step == Step.PREFIXES and (code := country_in(before.removesuffix(after))):
                return code
            before = after
        return ""


def _owners(rules: Rules) -> dict[str, str]:
    """Names as written, by all normalised names that mean them."""
    owners = {normalised(owner): owner for owner in rules.aliases}
    for owner, others in rules.aliases.items():
        for other in others:
            owners.setdefault(normalised(other), owner)
    return owners
