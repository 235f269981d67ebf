"""Where guides are: what the settings, the rules and the lists' headers say of it. PURE.

An address is ``URL|offset=1h|zone=Europe/London``. All of it is a secret, as a list's URL is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kptv.channels.model import Source
from kptv.channels.rules.model import Rules
from kptv.channels.rules.sources import rule_of_source

ACCEPTED = "URL or URL|offset=1h|zone=Europe/London, several separated by commas"
MOST_OF_A_LIST = 256  # addresses in one header; the longest known has 136
_ATTRIBUTES = ("x-tvg-url", "url-tvg", "tvg-url")  # of #EXTM3U
_LONGEST = 4096  # letters of an address
_MOST_OFFSET = 24 * 3600  # seconds
# A comma separates two addresses only before a scheme or behind an option: a URL may hold commas.
_END = re.compile(
    r"(\|\s{0,8}(?:offset|zone)\s{0,8}=[^|,]{0,64}),|,\s{0,8}(?=[A-Za-z][A-Za-z0-9+.-]{0,15}://)"
)
_END_IN_HEADER = re.compile(r"[,;\s]\s{0,8}(?=[A-Za-z][A-Za-z0-9+.-]{0,15}://)")
_OPTION = re.compile(r"\s*(offset|zone)\s*=\s*(\S.{0,63}?)\s*", re.IGNORECASE)
_OFFSET = re.compile(r"([+-]?)(?:([0-9]{1,2})h)?(?:([0-9]{1,4})m)?(?:([0-9]{1,6})s?)?")
_ZONE = re.compile(r"[A-Za-z0-9_+:-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")
_SCHEME = re.compile(r"(?:https?://[^/\s]|file:///?[^/\s])", re.IGNORECASE)


class BadAddress(ValueError):
    """Says what is wrong, without anything of the address."""


@dataclass(frozen=True, slots=True)
class GuideAddress:
    """Where a guide is, and how its times are read."""

    url: str = field(repr=False)  # a secret
    offset: int = 0  # seconds that are added to all its times
    zone: str = ""  # of times that tell none; empty: UTC


@dataclass(frozen=True, slots=True)
class KnownGuide:
    """A guide that is to be fetched."""

    tag: str  # its name in the log: nothing of its address
    address: GuideAddress
    source: Source  # with whose rules and account it is fetched
    sources: frozenset[int] = frozenset()  # whose lists it belongs to; empty: the user named it


def parse_addresses(text: str) -> tuple[GuideAddress, ...]:
    """The addresses of GUIDES, in its order. Raises BadAddress."""
    items, start = [], 0
    for end in _END.finditer(text):
        items.append(text[start : end.start()] + (end[1] or ""))
        start = end.end()
    return tuple(map(parse_address, [*items, text[start:]]))


def parse_address(text: str) -> GuideAddress:
    """One address with its options. Raises BadAddress."""
    url, *options = text.strip().split("|")
    url = url.strip()
    is_path = "://" not in url and not url.lower().startswith(("http:", "https:", "file:"))
    if not url or len(url) > _LONGEST or not url.isprintable():
        raise BadAddress("an address is missing or too long")
    if not is_path and (not _SCHEME.match(url) or " " in url):
        raise BadAddress("http, https, file or a path")
    address = GuideAddress(url)
    for option in options:
        given = _OPTION.fullmatch(option)
        if not given:
            raise BadAddress("behind | stands offset= or zone=")
        if given[1].lower() == "offset":
            address = replace(address, offset=_offset(given[2]))
        elif _ZONE.fullmatch(given[2]):
            address = replace(address, zone=given[2])
        else:
            raise BadAddress("zone is a name such as Europe/London, or +01:00")
    return address


def _offset(text: str) -> int:
    found = _OFFSET.fullmatch(text)
    if not found or not any(found.groups()[1:]):
        raise BadAddress("offset is a time such as 1h, -30m or +1h30m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    offset = hours * 3600 + minutes * 60 + seconds
    if offset > _MOST_OFFSET:
        raise BadAddress("offset is at most 24h")
    return -offset if found[1] == "-" else offset


def urls_in_header(headers: Mapping[str, str]) -> list[str]:
    """The addresses that a list's header names: of http and https only, each once."""
    urls: dict[str, None] = {}
    for name in _ATTRIBUTES:
        value = headers.get(name, "")
        for item in _END_IN_HEADER.split(value)[: 2 * MOST_OF_A_LIST]:
            url = item.strip(" \t,;\"'")
            if url.lower().startswith(("http://", "https://")) and len(url) <= _LONGEST:
                urls[url] = None
    return list(urls)[:MOST_OF_A_LIST]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator says of guides."""

    addresses: Sequence[GuideAddress] = ()  # in the order of GUIDES
    from_lists: bool = True
    rules: Rules | None = None


def known_guides(
    wishes: Wishes, sources: Iterable[Source], headers: Mapping[int, Mapping[str, str]]
) -> list[KnownGuide]:
    """All guides, those of the user first; one that several lists name is there once.

    ``headers`` of the lists, by the numbers of their sources.
    """
    known = [
        KnownGuide(f"guide-{number}", address, _alone(number, address.url))
        for number, address in enumerate(dict.fromkeys(wishes.addresses), start=1)
    ]
    options = {guide.address.url: guide.address for guide in known}
    of_lists: dict[GuideAddress, KnownGuide] = {}
    for source in sources:
        for place, named in enumerate(_of_source(wishes, source, headers), start=1):
            address = options.get(named.url, named) if named == GuideAddress(named.url) else named
            guide = of_lists.get(address)
            if guide is None:
                guide = KnownGuide(f"{source.tag}-guide-{place}", address, source)
            of_lists[address] = replace(guide, sources=guide.sources | {source.number})
    return [*known, *of_lists.values()]


def _of_source(
    wishes: Wishes, source: Source, headers: Mapping[int, Mapping[str, str]]
) -> Iterator[GuideAddress]:
    rule = rule_of_source(wishes.rules, source) if wishes.rules is not None else None
    if rule is not None and rule.guide is not None:
        if not isinstance(rule.guide, bool):
            yield from map(parse_address, rule.guide)
        return
    if wishes.from_lists:
        yield from map(GuideAddress, urls_in_header(headers.get(source.number, {})))


_FIRST_NUMBER = 1_000_000  # no list's source has it: a guide of the user's shares no account


def _alone(number: int, url: str) -> Source:
    return Source(_FIRST_NUMBER + number, url, 0, name=f"guide-{number}")
