"""The links of lists for players of HLS: a playlist for each channel, and films as they are."""

from __future__ import annotations

from kptv.channels.catalog import Row, records_of
from kptv.channels.packing import url_of
from kptv.channels.served import STREAM_PATH, Link

HLS_PATH = "/hls/"  # of a link, below BASE_URL; the channel's slug and PLAYLIST follow
PLAYLIST = ".m3u8"
TAKEN = "playlist"  # /hls/playlist.m3u8 is the list of a group called hls
# Live streams may have the other names of containers, too: .flv, .webm, .mpg.
_FILMS = (b".mp4", b".m4v", b".mkv", b".avi", b".mov", b".wmv", b".divx")
_SHELVES = (b"movie", b"series")  # in the addresses of Xtream's panels: /movie/NAME/PASSWORD/ID.EXT
_LIVE = (b".ts", b".m3u8")


def hls_link(base: str) -> Link:
    """What gives a channel's link below ``base``."""
    streams, playlists = f"{base}{STREAM_PATH}", f"{base}{HLS_PATH}"

    def link(slug: str, row: Row) -> str:
        is_plain = slug == TAKEN or is_film(row)
        return f"{streams}{slug}" if is_plain else f"{playlists}{slug}{PLAYLIST}"

    return link


def is_film(row: Row) -> bool:
    """Whether a channel is a film or an episode, by the addresses of all its streams.

    Only opening one tells for sure; if there is doubt, a channel is none.
    """
    return all(_leads_to_film(url_of(record)) for record in records_of(row))


def _leads_to_film(url: bytes) -> bool:
    path = url.partition(b"?")[0].lower()
    if path.endswith(_FILMS):
        return True
    parts = path.rsplit(b"/", 4)
    is_shelved = len(parts) == 5 and parts[1] in _SHELVES and parts[4][:1].isdigit()
    return is_shelved and not path.endswith(_LIVE)
