"""Answers to players of HLS: what they get instead of media, and the heads of all."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from kptv.channels.hls_links import PLAYLIST
from kptv.channels.model import Channel
from kptv.channels.served import STREAM_PATH
from kptv.errors import Unavailable
from kptv.formats.hls.codec_names import codec_names
from kptv.formats.hls.writing import multivariant_playlist
from kptv.metrics.hls_figures import AnswerKind
from kptv.restream.followers import MayNotFollow
from kptv.restream.window import Window
from kptv.restream.windows import IsOver
from kptv.web.lines import line
from kptv.web.players.hls_requests import BadDirective
from kptv.web.players.player import Crowded, crowded

REFUSALS = (BadDirective, Crowded, MayNotFollow, Unavailable, IsOver)
_ALL_MAY_READ = {"Access-Control-Allow-Origin": "*"}


def bare(media_type: str, kept: str) -> Response:
    """An answer without a body yet."""
    headers = {**_ALL_MAY_READ, "Content-Type": media_type, "Cache-Control": kept}
    response = Response(headers=headers)
    response.automatically_set_content_length = request.method != "HEAD"  # 0 is not what GET says
    return response


def readable(response: Response) -> Response:
    """``response``, for pages of any origin to read."""
    response.headers.update(_ALL_MAY_READ)
    return response


def master(window: Window, prefix: str) -> str:
    """A playlist of the one playlist there is, for players that want to know what is in it."""
    rates, stats = window.rates, window.hub.output.stats if window.hub else None
    return multivariant_playlist(
        f"{prefix}{quote(window.channel.slug, safe='~')}{PLAYLIST}",
        bandwidth=rates.peak,
        average_bandwidth=rates.average,
        codecs=codec_names(stats.media) if stats else (),
        size=stats.size if stats else None,
        frame_rate=stats.frame_rate if stats else None,
    )


def film_of(channel: Channel, way: str) -> Response:
    """The answer if a channel is a film: where that is. ``way`` leads to `/`."""
    response = readable(line(302, f"{channel.name} is a film."))
    response.headers["Location"] = f"{way}{STREAM_PATH[1:]}{quote(channel.slug, safe='~')}"
    return response


def instead(channel: Channel | None, why: Exception) -> tuple[AnswerKind, Response]:
    """The answer if there is no playlist of a channel that is there."""
    name = channel.name if channel is not None else ""
    match why:
        case BadDirective():
            return AnswerKind.REFUSED, readable(line(400, str(why)))
        case MayNotFollow():
            return AnswerKind.REFUSED, refused(channel, why)
        case Unavailable():
            text = f"{name}: {why}."
            return AnswerKind.REFUSED, readable(line(503, text, why.retry_after))
        case IsOver():
            text = f"{name}: it has ended; ask again in a moment."
            return AnswerKind.GONE, readable(line(404, text))
    return AnswerKind.REFUSED, readable(crowded())


def refused(channel: Channel | None, why: MayNotFollow) -> Response:
    """The answer to whoever may not follow a channel (now)."""
    text = "Too many streams are open."
    if why.ended and channel is not None:
        text = f"{channel.name}: it was ended here; stop, and start it again later."
    return readable(line(429, text, why.retry_after))
