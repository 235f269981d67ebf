"""Media Initialization Sections (EXT-X-MAP); for a transport stream they hold its tables."""

from __future__ import annotations

from urllib.parse import urlsplit

from cachetools import LRUCache

from kptv.errors import UpstreamError
from kptv.formats.hls.container import segment_start
from kptv.formats.hls.playlist import Map
from kptv.formats.mpegts.programs import is_tables
from kptv.upstream.answers import hang_up
from kptv.upstream.hls.requester import Requester, read_all

MAX_BYTES = 64 * 1024  # of one section; PAT and PMT are two packets
_KEPT = 8
_FMP4_NAMES = (".mp4", ".m4s", ".m4v", ".m4a", ".cmfv", ".cmfa")


class Maps:
    """Fetches each section once."""

    def __init__(self, http: Requester) -> None:
        self._http = http
        self._known: LRUCache[Map, bytes | None] = LRUCache(_KEPT)

    def tables(self, section: Map) -> bytes | None:
        """The packets in it; None: it belongs to another container, and so do its segments.

        Empty if it cannot be fetched: the segments may do without it, and tell what they are.
        """
        if urlsplit(section.uri).path.lower().endswith(_FMP4_NAMES):
            return None
        if section not in self._known:
            try:
                data = self._fetch(section)
            except UpstreamError:
                return b""
            self._known[section] = _tables_of(data)
        return self._known[section]

    def _fetch(self, section: Map) -> bytes:
        part = section.byte_range
        if part is None:
            return self._http.read(section.uri, MAX_BYTES).body
        end = part.start + part.length
        response = self._http.get(section.uri, start=part.start, end=end)
        try:
            body = read_all(response, MAX_BYTES)
        except BaseException:
            hang_up(response)
            raise
        return body if response.status_code == 206 else body[part.start : end]


def _tables_of(data: bytes) -> bytes | None:
    """As ``Maps.tables``, from its bytes: an empty body or a page counts as not fetched."""
    if is_tables(data):
        return data
    return b"" if segment_start(data, final=True) is None else None
