"""The bare list of get.php, and links as Xtream's clients make them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from kptv.channels.catalog import Row
from kptv.channels.hls_links import PLAYLIST, is_film
from kptv.channels.secrets import Finder
from kptv.channels.served import PIECE, Link, served_as
from kptv.channels.xtream.ids import XtreamIds
from kptv.channels.xtream.live import Listed
from kptv.formats.m3u import extinf


def xtream_link(ids: XtreamIds, start: str, *, as_hls: bool = False) -> Link:
    """What gives a channel's link; ``start`` stands before its id."""

    def link(slug: str, row: Row) -> str:
        form = PLAYLIST if as_hls and not is_film(row) else ".ts"
        return f"{start}{ids.of(slug)}{form}"

    return link


def bare_list(listed: Listed, link: Link) -> Iterator[bytes]:
    """Names and links without attributes, in small pieces."""
    secrets = Finder(listed.catalog.secrets)
    yield b"#EXTM3U\n"
    channels = listed.rows(None)
    while some := list(islice(channels, PIECE)):
        lines = [
            f"{extinf(served_as(row, secrets)[0], '')}\n{link(slug, row)}\n" for slug, row in some
        ]
        yield "".join(lines).encode()
