"""A guide as players read it: one form of time, a stop always, children as they were read.

Kodi and Jellyfin drop what deviates without a word; Plex takes a repeat for none where
``previously-shown`` is empty beside ``new``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from html import escape

from kptv.formats.visible import visible

HEADER = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<!DOCTYPE tv SYSTEM "xmltv.dtd">\n'
    b'<tv generator-info-name="KPTV Proxy">\n'
)
FOOTER = b"</tv>\n"
_EPOCH = date(1970, 1, 1).toordinal()
_EPISODE = re.compile(rb"<episode-num(\s[^<>]*)?>")
_EMPTY_REPEAT = re.compile(rb"<previously-shown\s{0,40}(?:/>|>\s{0,40}</previously-shown\s{0,40}>)")
_NEW = re.compile(rb"<new[\s/>]")
_LONE_SURROGATES = re.compile("[\ud800-\udfff\ufffe\uffff]")


def channel(channel_id: str, names: Iterable[str], icon: str = "") -> bytes:
    """A ``channel`` element, as a line."""
    shown = "".join([f"<display-name>{_text(name)}</display-name>" for name in names])
    picture = f'<icon src="{_text(icon)}"/>' if icon else ""
    return f'<channel id="{_text(channel_id)}">{shown}{picture}</channel>\n'.encode()


def programme(channel_id: str, start: int, stop: int, xml: bytes) -> bytes:
    """A ``programme`` element, as a line; ``xml``: its children, checked."""
    return b'<programme start="%b" stop="%b" channel="%b">%b</programme>\n' % (
        written_time(start).encode(),
        written_time(stop).encode(),
        _text(channel_id).encode(),
        for_players(xml),
    )


def title_xml(title: str) -> bytes:
    """The children of a show that has only a title."""
    return f"<title>{_text(title)}</title>".encode()


def written_time(seconds: int) -> str:
    """``20261126120000 +0000``."""
    day, second = divmod(seconds, 86400)
    minute, second = divmod(second, 60)
    return f"{_written_day(day)}{minute // 60:02}{minute % 60:02}{second:02} +0000"


@lru_cache(maxsize=64)
def _written_day(day: int) -> str:
    return date.fromordinal(day + _EPOCH).strftime("%Y%m%d")


def for_players(xml: bytes) -> bytes:
    """Children of a programme as players understand them; done again it changes nothing.

    ``episode-num`` always tells its system (Kodi), an empty ``previously-shown`` beside ``new``
    goes (Plex).
    """
    if b"<episode-num" in xml:
        xml = _EPISODE.sub(_with_system, xml)
    if b"<previously-shown" in xml and _NEW.search(xml):
        xml = _EMPTY_REPEAT.sub(b"", xml)
    return xml


def _with_system(found: re.Match[bytes]) -> bytes:
    attributes = found[1] or b""
    if b"system" in attributes:
        return found[0]
    return b'<episode-num system="onscreen"%b>' % attributes


def _text(text: str) -> str:
    return _text_of(text)


@lru_cache(maxsize=256)  # a channel's id is written with each of its shows
def _text_of(text: str) -> str:
    return escape(_LONE_SURROGATES.sub("\ufffd", visible(text)))
