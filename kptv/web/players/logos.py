"""`/logo/…`: logos whose own addresses hold a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import Blueprint, Response, request

from kptv.channels.catalog import Catalog
from kptv.channels.logos import LOGO_PATH, Logo
from kptv.channels.model import Channel
from kptv.channels.secrets import NOTHING, Finder
from kptv.channels.served import hidden_logo
from kptv.errors import Unavailable
from kptv.formats.pictures import Picture
from kptv.web.caller import caller
from kptv.web.lines import line

_KEPT_FOR = 86400  # seconds that clients and caches keep it
_PIECE = 64 * 1024  # bytes sent at once
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",  # a provider chose the bytes
    "Access-Control-Allow-Origin": "*",  # as of lists, for players in a browser
}


class HiddenLogos:
    """Finds the logos of channels that are not served from where they are."""

    def __init__(self, current_catalog: Callable[[], Catalog | None]) -> None:
        self._current_catalog = current_catalog
        self._secrets, self._finder = NOTHING, Finder(NOTHING)

    def __repr__(self) -> str:
        return f"<HiddenLogos {self._current_catalog()}>"

    def find(self, slug: str, may_have: Callable[[Channel], bool]) -> Logo | None:
        """The logo of a channel of the current catalog; None for any other."""
        catalog = self._current_catalog()
        channel = catalog.find(slug) if catalog is not None else None
        return self.logo_of(channel) if channel is not None and may_have(channel) else None

    def logo_of(self, channel: Channel) -> Logo | None:
        """The logo of a channel, if it is not served from where it is."""
        catalog = self._current_catalog()
        if catalog is None:
            return None
        if catalog.secrets is not self._secrets:
            self._secrets, self._finder = catalog.secrets, Finder(catalog.secrets)
        return hidden_logo(channel, self._finder)


def logo_blueprint(
    hidden: HiddenLogos,
    fetch: Callable[[Logo], Picture | None],
    may_have: Callable[[Channel], bool],
) -> Blueprint:
    """The route of such logos; ``fetch`` may raise Unavailable.

    ``may_have`` tells whether the caller may have a channel, and so its logo.
    """
    blueprint = Blueprint("logo", __name__)

    @blueprint.get(f"{LOGO_PATH}<path:slug>")
    def logo(slug: str) -> Response:
        found = hidden.find(slug, may_have)
        if found is None:
            return line(404, "No such channel, or its logo is not served from here.")
        try:
            picture = fetch(found)
        except Unavailable as unavailable:
            return line(503, str(unavailable), unavailable.retry_after)
        if picture is None:
            return line(404, "The provider gives no picture for this channel.")
        return _answer(picture, is_shared=not caller().prefix)

    return blueprint


def _answer(picture: Picture, *, is_shared: bool) -> Response:
    if request.if_none_match.contains_weak(picture.tag):
        response = Response(status=304)
    else:
        response = Response(_pieces(picture), content_type=picture.media_type)
        response.content_length = len(picture.data)
    response.set_etag(picture.tag)
    response.headers.update(_HEADERS)
    # Below a secret it goes when that does: no cache keeps it for others.
    response.headers["Cache-Control"] = (
        f"{'public' if is_shared else 'private'}, max-age={_KEPT_FOR}"
    )
    return response


def _pieces(picture: Picture) -> Iterator[bytes]:
    """Holds the picture itself, so that others who ask meanwhile share it."""
    for start in range(0, len(picture.data), _PIECE):
        yield picture.data[start : start + _PIECE]
