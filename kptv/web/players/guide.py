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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from flask import Blueprint, Response, request

from kptv.channels.profiles import PROFILE_PATH
from kptv.channels.users.allowed import tag_of
from kptv.channels.users.model import Rights
from kptv.guide.current import CurrentGuide, GuideStanding
from kptv.guide.reading import Generation
from kptv.pace import Pace
from kptv.web.caller import caller
from kptv.web.lines import line, not_ready
from kptv.web.players.lists import NO_PROFILE, ServedLists
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
    @blueprint.route("/xmltv.php", methods=["GET", "POST"])  # the login may come as a form
    def everything() -> Response:
        return _open_to_all(_guide(guide, lists, caller().rights))

    @blueprint.get(f"{PROFILE_PATH}<name>/epg.xml.gz")
    @blueprint.get(f"{PROFILE_PATH}<name>/epg.xml")
    def of_profile(name: str) -> Response:
        if lists.catalog is None:
            return _not_yet()
        rights = lists.of_profile(name, caller().rights)
        if rights is None:
            return line(404, NO_PROFILE)
        return _open_to_all(_guide(guide, lists, rights))

    return blueprint


def _guide(guide: CurrentGuide, lists: ServedLists, rights: Rights) -> Response:
    """The guide for ``rights``, which are the caller's or part of them; never a larger one."""
    generation, packed = guide.get(), request.path.endswith(".gz")
    if rights.profile and lists.profiles.called(rights.profile) is None:
        return _not_yet()  # the rules have none of this name, or have not been applied yet
    if generation is not None:
        return _file(_Guide(generation, _of_file(rights)), packed)
    if guide.standing is GuideStanding.EXPECTED or lists.catalog is None:
        return _not_yet()
    rendered = lists.bare_guide(rights)
    if rendered is None:
        return _not_yet()
    return _packed(rendered) if packed else answer(rendered, PLAIN_TYPE)


def _of_file(rights: Rights) -> Rights:
    """The rights whose guide is served: of a caller's groups there is one, for all profiles."""
    own = caller().rights
    return rights if own.groups is None else own


def _not_yet() -> Response:
    return not_ready("The guide", RETRY_AFTER)


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


@dataclass(frozen=True, slots=True)
class _Guide:
    """The file of some channels."""

    generation: Generation
    rights: Rights

    @property
    def path(self) -> Path:
        """There may be none yet."""
        if self.rights.groups is None:
            return self.generation.file(self.rights.profile or None)
        return self.generation.file_of_rights(tag_of(self.rights))

    @property
    def tag(self) -> str:
        """Another one for each generation; and for other rights, which a user may be given."""
        own = "" if caller().user is None else f"-{tag_of(self.rights)}"
        return f"{self.generation.tag}{own}"

    @property
    def made(self) -> datetime | None:
        """When it was made; None of a user's: that tells nothing of what it has."""
        made = datetime.fromtimestamp(self.generation.report.made, UTC)
        return made if caller().user is None else None


def _file(guide: _Guide, packed: bool) -> Response:
    """The file of ``guide``: as it is, as the gzipped form of XML, or unpacked."""
    gzip = not packed and request.accept_encodings.quality("gzip") > 0
    etag = guide.tag if packed else f"{guide.tag}-{'gzip' if gzip else 'xml'}"
    response = _nothing_new(etag, guide.made) or _body(guide.path, packed, gzip)
    if response is None:  # the profile is younger than the guide, or the rights are
        return _not_yet()
    response.set_etag(etag)
    if guide.made is not None:
        response.last_modified = guide.made
    response.headers["Cache-Control"] = how_to_keep()
    if not packed:
        response.headers["Vary"] = "Accept-Encoding"
    return response


def _nothing_new(etag: str, made: datetime | None) -> Response | None:
    """304, if the client has this one. What it says of a tag counts more than a time."""
    if request.if_none_match:
        return Response(status=304) if request.if_none_match.contains_weak(etag) else None
    since = request.if_modified_since
    is_old = since is not None and made is not None and made <= since
    return Response(status=304) if is_old else None


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
