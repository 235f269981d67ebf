"""Requests of one HLS stream: its headers, its deadlines, its one connection per host."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType

import gevent
import requests

from kptv.channels.model import Stream
from kptv.channels.reach import headers_for
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.formats import gzipped
from kptv.formats.data_url import data_of, is_data
from kptv.formats.hls.parse import first_link
from kptv.pace import Pace
from kptv.upstream.answers import hang_up, read_some
from kptv.upstream.client import HttpClient


@dataclass(frozen=True, slots=True)
class FetchedBody:
    """A whole body, its address after redirects, and when it was asked for."""

    body: bytes = field(repr=False)
    url: str = field(repr=False)
    asked_at: float


def entry_of(channel_list: FetchedBody) -> str:
    """The first address in a channel list. Raises UpstreamError if there is none."""
    link = first_link(channel_list.body, channel_list.url)
    if link is None:
        raise leads_nowhere()
    return link


def leads_nowhere() -> UpstreamError:
    """The error of a channel list that leads to nothing but, perhaps, another one."""
    return UpstreamError(Reason.NOT_MEDIA, "a channel list that leads nowhere")


class Requester:
    """Asks a provider on behalf of one stream. Close it before its slot is given back."""

    def __init__(self, config: Config, client: HttpClient, stream: Stream) -> None:
        self._config = config
        self._stream = stream
        self._client = client.alone(stream.source)
        self._timeout = self._client.stream_timeout(stream.source)

    def __enter__(self) -> Requester:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def get(
        self,
        url: str,
        *,
        start: int = 0,
        end: int | None = None,
        silence: float = math.inf,
        again: bool = True,
    ) -> requests.Response:
        """The open answer to a request of ``url``, or of its bytes ``start`` to ``end``.

        It may be silent for ``silence`` seconds, but no longer than STALL_TIMEOUT. A server may
        answer with more than the range (RFC 9110, 14.2). ``again``: see HttpClient.get. Raises
        UpstreamError.
        """
        headers = {"Connection": "keep-alive", **headers_for(self._stream, url)}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        return self._client.get(
            self._stream.source,
            url,
            headers=headers,
            timeout=(self._timeout, min(self._config.stall_timeout, silence)),
            also=frozenset((206,)) if "Range" in headers else frozenset(),
            again=again,
        )

    def read(self, url: str, limit: int, patience: float = 1.0) -> FetchedBody:
        """The whole body of ``url``, unpacked. Raises UpstreamError, also above ``limit`` bytes.

        ``patience``: the share of STREAM_TIMEOUT that it may take.
        """
        asked_at = monotonic()
        if is_data(url):
            data = data_of(url)
            if data is None or len(data) > limit:
                raise UpstreamError(Reason.BAD_URL, "a data: address that cannot be read")
            return FetchedBody(data, url, asked_at)
        timeout = self._timeout * patience
        late = UpstreamError(Reason.TIMEOUT, f"an answer not there within {timeout:g} s")
        with gevent.Timeout(timeout, late):
            response = self.get(url)
            try:
                body = gzipped.whole(read_all(response, limit), limit)
                return FetchedBody(_bounded(body, limit), response.url, asked_at)
            except BaseException:
                hang_up(response)
                raise

    def cookies(self, url: str) -> tuple[str, ...]:
        """``name=value`` of each cookie that a request of ``url`` sends."""
        return self._client.cookies(self._stream.source, url)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


def read_all(response: requests.Response, limit: int) -> bytes:
    """The rest of a body. Raises UpstreamError if it breaks or has more than ``limit`` bytes."""
    parts: list[bytes] = []
    size = 0
    pace = Pace()  # 5 MB in chunks of one byte take a minute, though all are there at once
    while True:
        pace()
        data = read_some(response, 64 * 1024)
        if not data:
            return b"".join(parts)
        parts.append(data)
        size += len(data)
        if size > limit:
            raise _too_long(limit)


def _bounded(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_long(limit)
    return body


def _too_long(limit: int) -> UpstreamError:
    return UpstreamError(Reason.NOT_MEDIA, f"a playlist or key of more than {limit} bytes")
