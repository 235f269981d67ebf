"""`/epg.xml.gz` and `/epg.xml`: the guide of all channels, and of each profile, as a finished file.

Theory of operation. The child has written it, so nothing is made while a client waits. The file is
opened before the answer begins: a generation that is removed meanwhile is sent to its end. Where it
goes out as ``.gz`` it is a file that happens to be packed, without ``Content-Encoding``: players go
by the name, and would unpack it twice. ``.xml`` has the same bytes in another dress.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from flask import Blueprint, Response, request

from kptv.channels.profiles import PROFILE_PATH
from kptv.guide.current import CurrentGuide, Standing
from kptv.guide.reading import Generation
from kptv.pace import Pace
from kptv.web.lines import line
from kptv.web.players.links import Ambiguous, meant
from kptv.web.players.lists import ServedLists
from kptv.web.rendered import Rendered, answer, how_to_keep

PACKED_TYPE, PLAIN_TYPE = "application/gzip", "application/xml; charset=utf-8"
RETRY_AFTER = 30  # seconds; a guide that is fetched and built takes a minute
_PIECE = 64 * 1024  # bytes


def guide_blueprint(guide: CurrentGuide, lists: ServedLists) -> Blueprint:
    """The routes of the guide."""
    blueprint = Blueprint("guide", __name__)

    @blueprint.get("/epg.xml.gz")
    @blueprint.get("/epg.xml")
    @blueprint.get("/guide.xml")
    @blueprint.get("/xmltv.php")
    def everything() -> Response:
        return _open_to_all(_guide(guide, lists))

    @blueprint.get(f"{PROFILE_PATH}<name>/epg.xml.gz")
    @blueprint.get(f"{PROFILE_PATH}<name>/epg.xml")
    def of_profile(name: str) -> Response:
        if lists.catalog is None:
            return _not_yet()
        try:
            profile = meant(name, lists.profiles.called)
        except Ambiguous:
            profile = None
        if profile is None:
            return line(404, "No such profile; [profile.NAME] in rules.toml makes one.")
        return _open_to_all(_guide(guide, lists, profile))

    return blueprint


def _guide(guide: CurrentGuide, lists: ServedLists, profile: str | None = None) -> Response:
    generation, packed = guide.get(), request.path.endswith(".gz")
    if generation is not None:
        return _file(generation, generation.file(profile), packed)
    if guide.standing is Standing.EXPECTED or lists.catalog is None:
        return _not_yet()
    rendered = lists.bare_guide(profile)
    if rendered is None:
        return _not_yet()
    return _packed(rendered) if packed else answer(rendered, PLAIN_TYPE)


def _not_yet() -> Response:
    return line(503, "The guide is not ready yet; try again soon.", RETRY_AFTER)


def _open_to_all(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _packed(rendered: Rendered) -> Response:
    if request.if_none_match.contains_weak(rendered.digest):
        response = Response(status=304)
    else:
        response = Response(rendered.gzipped(), content_type=PACKED_TYPE)
        if (length := rendered.gzipped_length()) is not None:
            response.content_length = length
    response.set_etag(rendered.digest)
    response.headers["Cache-Control"] = how_to_keep()
    return response


def _file(generation: Generation, path: Path, packed: bool) -> Response:
    """The file at ``path``: as it is, as the gzipped form of XML, or unpacked."""
    gzip = not packed and request.accept_encodings.quality("gzip") > 0
    etag = generation.tag if packed else f"{generation.tag}-{'gzip' if gzip else 'xml'}"
    made = datetime.fromtimestamp(generation.report.made, UTC)
    response = _nothing_new(etag, made) or _body(path, packed, gzip)
    if response is None:  # the profile is younger than the guide
        return _not_yet()
    response.set_etag(etag)
    response.last_modified = made
    response.headers["Cache-Control"] = "no-cache"  # keep it, but ask each time whether it changed
    if not packed:
        response.headers["Vary"] = "Accept-Encoding"
    return response


def _nothing_new(etag: str, made: datetime) -> Response | None:
    """304, if the client has this one. What it says of a tag counts more than a time."""
    if request.if_none_match:
        return Response(status=304) if request.if_none_match.contains_weak(etag) else None
    since = request.if_modified_since
    return Response(status=304) if since is not None and made <= since else None


def _body(path: Path, packed: bool, gzip: bool) -> Response | None:
    try:
        file = path.open("rb")
    except OSError:
        return None
    if packed or gzip:
        response = Response(_pieces(file))
        response.content_length = os.fstat(file.fileno()).st_size
    else:
        response = Response(_unpacked(file))
    response.call_on_close(file.close)  # also of an answer to HEAD, which is never begun
    response.content_type = PACKED_TYPE if packed else PLAIN_TYPE
    if gzip:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    pace = Pace()
    with file:
        while piece := file.read(_PIECE):
            yield piece
            pace()  # a client that takes all at once would keep the others waiting


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """The content of the gzip file, in pieces of _PIECE bytes at most: 0.2 ms each."""
    inflate = zlib.decompressobj(wbits=31)
    for piece in _pieces(file):
        pace, rest = Pace(), piece
        while rest:
            if data := inflate.decompress(rest, _PIECE):
                yield data
            rest = inflate.unconsumed_tail
            pace()
    if data := inflate.flush():
        yield data
