"""The list of get.php: the served one, with links as Xtream's clients make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from kptv.channels.secrets import Finder
from kptv.channels.served import PIECE, STREAM_PATH, served_as
from kptv.channels.xtream.live import Listed
from kptv.formats.m3u import extinf

Link = Callable[[str], str]  # that of the channel with a slug


def with_links(pieces: Iterator[bytes], base: str, link: Link) -> Iterator[bytes]:
    """The served list in ``pieces``, whose links begin with ``base``, with others instead."""
    start = f"{base}{STREAM_PATH}".encode()
    for piece in pieces:
        lines = piece.split(b"\n")
        yield b"\n".join(
            [
                link(line[len(start) :].decode()).encode() if line.startswith(start) else line
                for line in lines
            ]
        )


def bare_list(listed: Listed, link: Link) -> Iterator[bytes]:
    """Names and links without attributes, in small pieces."""
    secrets = Finder(listed.catalog.secrets)
    yield b"#EXTM3U\n"
    channels = listed.rows(None)
    while some := list(islice(channels, PIECE)):
        lines = [f"{extinf(served_as(row, secrets)[0], '')}\n{link(slug)}\n" for slug, row in some]
        yield "".join(lines).encode()
