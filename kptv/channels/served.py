"""The list that clients get: one line and one link for each channel, nothing of the provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice

from kptv.channels.catalog import Catalog, Row
from kptv.channels.guide.entry_ids import EntryIds
from kptv.channels.logos import LOGO_PATH, SERVED_AS, Logo, has_logo, hidden_in
from kptv.channels.model import Channel
from kptv.channels.packing import fields_for_list, fields_of
from kptv.channels.secrets import Finder, decoded, secrets_of_link
from kptv.formats.m3u import extinf
from kptv.formats.m3u_attributes import INNER, quoted, unquoted

STREAM_PATH = "/stream/"  # of a link, below BASE_URL; the channel's slug follows
PIECE = 64  # channels rendered at once: 0.1 ms
_URL, _NAME, _TEXT = 1, 2, 5  # places of a record's fields; the first two are beside each other
_SIGNS_BESIDE = (b"=", b"@", b'"')  # of a URL that may have something to hide, of an odd name

_PICTURE = re.compile(r"logo|icon|image|poster")  # attributes that may hold a link
_VALUE = re.compile(r"[?&;][^=&;?]*=([^&;?]+)")
# Attributes whose promise only a provider's own link keeps, as with all that begin with "catchup".
_OF_THE_LINK = frozenset(("timeshift", "arc-timeshift", "tvg-timeshift", "tvg-rec", "http-cookie"))
_SIGNS_OF_THEM = ("catchup", "timeshift=", "tvg-rec=", "cookie=")
_PEOPLES = (  # attributes that are meant for people
    "tvg-id tvg-name tvg-chno tvg-language tvg-country tvg-shift group-title channel-id"
    " channel-number radio"
)
_IN_WORDS = frozenset(_PEOPLES.split())


NUMBERED_AS = "tvg-chno"  # the attribute that tells a channel's number
# Where the number stands among a line's attributes, which are in order (see m3u_attributes).
_NUMBER = re.compile(rb'\n((?: tvg-id="[^"\n]*")?(?: tvg-name="[^"\n]*")?)(?: tvg-chno="[^"\n]*")?')

# What a channel is served as: its name, and its attributes as text (see m3u_attributes).
Served = tuple[str, str]
# What gives a channel's link, by its slug and what the catalog has of it.
Link = Callable[[str, Row], str]


def render(
    catalog: Catalog,
    base_url: str,
    positions: Sequence[int] | None = None,
    numbers: Iterable[int] | None = None,
    guide_url: str = "",
    ids: EntryIds | None = None,
    link: Link | None = None,
) -> Iterator[bytes]:
    """The served list, or that of the channels at ``positions``, in small pieces.

    ``numbers`` are those of the channels that are listed; None: as the catalog has them.
    ``guide_url`` is that of the list's guide, ``ids`` are those of its channels in it. ``link``
    gives their links; None: those of their streams.
    """
    secrets = Finder(catalog.secrets)
    if numbers is None and (own := catalog.numbers) is not None:
        numbers = own if positions is None else map(own.__getitem__, positions)
    yield _heading(guide_url)
    channels, left = catalog.rows(positions), None if numbers is None else iter(numbers)
    if ids is not None:
        channels = ids.put_into(channels, count() if positions is None else positions)
    while some := list(islice(channels, PIECE)):
        piece = listed(some, secrets, base_url, None if left is None else list(islice(left, PIECE)))
        yield piece if link is None else _with_links(piece, some, link)


def _with_links(piece: bytes, channels: Sequence[tuple[str, Row]], link: Link) -> bytes:
    lines = piece.split(b"\n")  # two for each channel
    lines[1::2] = [link(slug, row).encode() for slug, row in channels]
    return b"\n".join(lines)


def _heading(guide_url: str) -> bytes:
    named = f' x-tvg-url="{guide_url}" url-tvg="{guide_url}"' if guide_url else ""
    return f"#EXTM3U{named}\n".encode()


def listed(
    channels: Sequence[tuple[str, Row]],
    secrets: Finder,
    base_url: str,
    numbers: Sequence[int] | None = None,
) -> bytes:
    """The lines of some channels: as ``served_as`` says of each, if as usual in half the time.

    ``numbers`` stand beside them; None: they have those of the lists.
    """
    fields = [fields_of(row) if isinstance(row, bytes) else () for _, row in channels]
    told = b"\n".join([offer[_TEXT] for offer in fields if offer]).decode()
    if INNER in told or not _is_usual(told) or secrets.may_tell(told):
        each = zip(channels, numbers or [0] * len(channels), strict=True)
        return "".join([_entry(*one, secrets, base_url, number) for one, number in each]).encode()
    beside = b"".join([part for offer in fields for part in offer[_URL : _NAME + 1]])
    are_plain = not any(sign in beside for sign in _SIGNS_BESIDE)
    start = f"{base_url}{STREAM_PATH}".encode()
    if numbers is not None:
        texts = b"".join([b"\n" + offer[_TEXT] if offer else b"\n" for offer in fields])
        parts = _NUMBER.split(texts)  # what stands in front of each number, and behind it
        return b"".join(
            [
                b'#EXTINF:-1%b tvg-chno="%d"%b,%b\n%b%b\n'
                % (before, number, after, offer[_NAME], start, slug.encode())
                if offer and offer[_TEXT].find(offer[_URL]) < 0 and (are_plain or _is_plain(offer))
                else _entry(slug, row, secrets, base_url, number).encode()
                for (slug, row), offer, before, number, after in zip(
                    channels, fields, parts[1::2], numbers, parts[2::2], strict=True
                )
            ]
        )
    return b"".join(
        [
            b"#EXTINF:-1%b,%b\n%b%b\n" % (offer[_TEXT], offer[_NAME], start, slug.encode())
            # By `find`: `in` tries first whether it is given a number, in five times the time.
            if offer and offer[_TEXT].find(offer[_URL]) < 0 and (are_plain or _is_plain(offer))
            else _entry(slug, row, secrets, base_url).encode()
            for (slug, row), offer in zip(channels, fields, strict=True)
        ]
    )


def _is_plain(offer: Sequence[bytes]) -> bool:
    """Whether an offer with usual attributes, which do not tell its URL, is served as it is."""
    url, name = offer[_URL], offer[_NAME]
    has_fields = b"=" in url or b"@" in url
    return b'"' not in name and not (
        has_fields and _may_repeat(offer[_TEXT].decode(), url.decode())
    )


def _entry(slug: str, row: Row, secrets: Finder, base_url: str, number: int = 0) -> str:
    name, text = served_as(row, secrets, f"{base_url}{LOGO_PATH}{slug}", number)
    return f"{extinf(name, text)}\n{base_url}{STREAM_PATH}{slug}\n"


def served_as(row: Row, secrets: Finder, logo: str = "", number: int = 0) -> Served:
    """What players see of a channel: the first candidate, its gaps filled from the others.

    ``secrets`` are those of the channel's catalog. Whatever answers a player about a channel (a
    guide by its tvg-id) asks here, so that all answers agree. ``logo`` is the address that stands
    for a logo's own one if that tells a secret; empty: such a logo is left out. ``number`` is the
    channel's; 0: that of its list.
    """
    name, text = _served_as(row, secrets, logo)
    return name, quoted({**unquoted(text), NUMBERED_AS: str(number)}) if number else text


def _served_as(row: Row, secrets: Finder, logo: str) -> Served:
    if isinstance(row, bytes):
        name, text, hidden = _offer(*fields_for_list(row), secrets)
        return name, _with_logo(unquoted(text), logo) if hidden and logo else text
    offers = [_offer(*fields_for_list(record), secrets) for record in row]
    attributes: dict[str, str] = {}
    for _, text, _ in offers:
        for key, value in unquoted(text).items():
            if not attributes.get(key):
                attributes[key] = value
    is_hidden = any(hidden for _, _, hidden in offers)
    return offers[0][0], _with_logo(attributes, logo if is_hidden else "")


def hidden_logo(channel: Channel, secrets: Finder) -> Logo | None:
    """The logo for which ``served_as`` gives another address; None if it does not."""
    offers = [_offer(s.url, s.name, quoted(s.attributes), secrets) for s in channel.streams]
    if any(has_logo(unquoted(text)) for _, text, _ in offers):
        return None
    hidden = zip(channel.streams, offers, strict=True)
    return next((Logo(stream.source, offer[2]) for stream, offer in hidden if offer[2]), None)


def _with_logo(attributes: dict[str, str], logo: str) -> str:
    """The text of ``attributes``, with ``logo`` unless players find one there."""
    if logo and not has_logo(attributes):
        return quoted({**attributes, SERVED_AS: logo})
    return quoted(attributes)


def _offer(url: str, name: str, text: str, secrets: Finder) -> tuple[str, str, str]:
    """One candidate, without attributes that do not hold here or tell of the provider.

    The third is the address of its logo if that tells.
    """
    hidden = ""
    if ("=" in url or "@" in url) and _may_repeat(text, url):
        own = Finder(secrets_of_link(url))
        text, hidden = _public(text, url, own) if own.may_tell(text) else (text, "")
    if not _is_usual(text) or secrets.may_tell(text) or url in text:
        text, other = _public(text, url, secrets)
        hidden = hidden or other
    return name, text, hidden


def _may_repeat(text: str, url: str) -> bool:
    """Whether something of the URL's fields, or of a login before its host, is in ``text``."""
    if "@" in url or "%" in url or "%" in text:
        return True
    return any(value in text for value in _VALUE.findall(url))


def _is_usual(text: str) -> bool:
    """True if no attribute is to be kept back and only logos are links: the usual, told fast."""
    for sign in _SIGNS_OF_THEM:
        if sign in text:
            return False
    links, logos = text.count("://"), text.count('logo="http://')
    return links == logos or links == logos + text.count('logo="https://')


def _public(text: str, url: str, secrets: Finder) -> tuple[str, str]:
    """The attributes in ``text`` that may be served, as text, and a logo that may not be."""
    attributes = unquoted(text)
    public = {
        key: value
        for key, value in attributes.items()
        if not _is_kept_back(key) and not _tells(key, value, url, secrets)
    }
    return quoted(public), hidden_in(attributes, public, url)


def _is_kept_back(key: str) -> bool:
    """Whether it promises what only the provider's own link does: show the past, take a cookie."""
    return key.startswith("catchup") or key in _OF_THE_LINK


def _tells(key: str, value: str, url: str, secrets: Finder) -> bool:
    """Whether the attribute holds a secret, or is a link that is no picture (tvg-url, …)."""
    if "://" in key or ("://" in decoded(value) and not _PICTURE.search(key)):
        return True
    if url in value or secrets.tells(key):
        return True
    return secrets.tells_in_words(value) if key in _IN_WORDS else secrets.tells(value)
