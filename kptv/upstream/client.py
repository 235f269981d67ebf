"""HTTP towards providers: the one place that sends requests."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.cookies import get_cookie_header

from kptv.channels.model import Source
from kptv.channels.reach import travelling
from kptv.channels.terms import CurrentTerms, Terms
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.formats.addresses import (
    is_below,
    keeping_login,
    resolve,
    same_host,
    same_server,
    scheme_of,
)
from kptv.upstream.answers import answers_whole, hang_up, skipped_lines
from kptv.upstream.cookies import Jar
from kptv.upstream.failures import mapped_errors, refusal
from kptv.upstream.logins import Logins
from kptv.upstream.pools import ClosingAdapter, KeepingAdapter
from kptv.upstream.road import OWN_LINK, Road, Roads

log = logging.getLogger(__name__)

MAX_URL = 16 * 1024  # characters of any address; servers take half of it
MAX_REDIRECTS = 10  # real chains (load balancer, token, edge) have two or three
REDIRECTS = frozenset((301, 302, 303, 307, 308))
# Statuses of an answer to cookies of a session that is over (431: there are too many cookies).
SESSION_OVER = frozenset((401, 403, 410, 431))


class OtherScheme(UpstreamError):
    """The address ``url`` is not asked for by HTTP; it was given, or a redirect led to it."""

    def __init__(self, url: str) -> None:
        super().__init__(Reason.BAD_URL, "not an http or https address")
        self.url = url


class _Session(requests.Session):
    """Leaves redirects alone: requests would read their bodies to the end, however long."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies = Jar()

    terms: Terms | None = None  # by which its adapters connect
    # The address of the source's list, as it is sent, and the adapter for it.
    to_list: tuple[str, ClosingAdapter] | None = None

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None for every answer: ``HttpClient.get`` follows them."""

    def get_adapter(self, url: str) -> BaseAdapter:
        """The list's own adapter for the list alone: a mount would match all URLs that begin so."""
        if self.to_list is not None and url == self.to_list[0]:
            return self.to_list[1]
        return super().get_adapter(url)

    def close(self) -> None:
        """Close the idle connections."""
        super().close()
        if self.to_list is not None:
            self.to_list[1].close()


@dataclass(frozen=True, slots=True)
class _Question:
    """A request that may have to be sent more than once."""

    source: Source
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)  # the request's own
    timeout: tuple[float, float]
    without: frozenset[str] = field(default=frozenset(), repr=False)  # cookies, ``name=value``


class HttpClient:
    """One session with a pool per source; bodies stream, redirects are followed one by one."""

    def __init__(
        self,
        config: Config,
        roads: Roads | None = None,
        terms_of: Callable[[Source], Terms] | None = None,
    ) -> None:
        """``terms_of`` a source: how it is to be asked; they may change from request to request."""
        self._config = config
        self._terms_of = terms_of or CurrentTerms(config.sources, config.rules).of
        self.roads = roads or Roads(config.allow_private_upstreams, config.port)
        self._sessions: dict[int, _Session] = {}
        self._logins = Logins()
        self._odd: set[int] = set()  # numbers of sources whose heads have lines that are no fields
        self._parent: HttpClient | None = None  # it began with the cookies of this one

    def alone(self, source: Source) -> HttpClient:
        """A client for one stream that sends many requests, with ``Connection: keep-alive``.

        It has the cookies that were set so far, and keeps to the terms of now. If one request is
        sent at a time, it has one connection per host, and keeps those to two hosts at most. Close
        it with the stream.
        """
        terms = self._terms_of(source)
        client = HttpClient(self._config, self.roads, lambda _: terms)
        client._parent = self
        session = client._sessions[source.number] = _Session()
        session.cookies.update(self._session(source).cookies)
        client._logins = self._logins
        client._odd = self._odd
        adapter = KeepingAdapter(self.roads.to(source, proxy=terms.proxy))
        session.terms = terms
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return client

    def get(
        self,
        source: Source,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        also: frozenset[int] = frozenset(),
        again: bool = True,
    ) -> requests.Response:
        """The open answer, its body unread; the caller hangs up.

        ``timeout`` is (connect, between two reads), in seconds. Each hop of a redirect is
        closed before the next is opened, so no more than one connection is ever open.
        If a request with cookies is refused, it is sent once more without them (``again``): the
        session may be over.
        Raises UpstreamError if there is no connection, or if the answer is neither a success with
        a whole body nor has a status in ``also``; OtherScheme for ``rtsp:`` and the like.
        """
        question = _Question(source, url, headers, timeout)
        cookies: set[str] = set()
        response = self._follow(question, cookies)
        if again and response.status_code in SESSION_OVER and cookies:
            hang_up(response)
            response = self._follow(replace(question, without=frozenset(cookies)), set())
            if response.status_code not in SESSION_OVER:
                self._forget(source, cookies)
        if not answers_whole(response) and response.status_code not in also:
            hang_up(response)
            raise refusal(response, time.time())
        self._tell_of_skipped(source, response)
        return response

    def _follow(self, question: _Question, cookies: set[str]) -> requests.Response:
        """The answer behind all redirects; the cookies that were sent are added to ``cookies``."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._request(question)
            cookie = response.request.headers.get("Cookie")
            if isinstance(cookie, str):  # from the jar; a cookie of the stream's own is in bytes
                cookies.update(cookie.split("; "))
            if response.status_code not in REDIRECTS or "location" not in response.headers:
                return response
            hang_up(response)
            with mapped_errors():
                question = _moved(question, response.headers["location"])
        raise UpstreamError(Reason.HTTP_ERROR, f"more than {MAX_REDIRECTS} redirects")

    def _forget(self, source: Source, cookies: Collection[str]) -> None:
        """Send these cookies (``name=value``) no more: they were refused."""
        jar = self._session(source).cookies
        for cookie in list[Any](jar):
            if f"{cookie.name}={cookie.value}" in cookies:
                jar.clear(cookie.domain, cookie.path, cookie.name)
        if self._parent is not None:
            self._parent._forget(source, cookies)

    def cookies(self, source: Source, url: str) -> tuple[str, ...]:
        """``name=value`` of each cookie that goes with a request for ``url`` (RFC 6265, 5.4)."""
        with mapped_errors():
            asked = requests.Request("GET", url).prepare()
            sent: str | None = get_cookie_header(  # type: ignore[no-untyped-call]
                self._session(source).cookies, asked
            )
        return tuple(sent.split("; ")) if sent else ()

    def road(self, source: Source) -> Road:
        """The way to its hosts by the terms of now."""
        return self.roads.to(source, proxy=self._terms_of(source).proxy)

    def stream_timeout(self, source: Source) -> float:
        """Seconds that a stream of ``source`` has to connect and to give its first media."""
        return self._terms_of(source).timeout or self._config.stream_timeout

    def close(self) -> None:
        """Close the idle connections."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def _request(self, question: _Question) -> requests.Response:
        """The answer; if the server asks for a digest, that to a second or third request."""
        response = self._send(question)
        for again in (False, True):
            if not self._logins.challenged(question.url, response, again=again):
                break
            hang_up(response)
            response = self._send(question)
        return response

    def _send(self, question: _Question) -> requests.Response:
        url = question.url
        if len(url) > MAX_URL:
            raise UpstreamError(Reason.BAD_URL, "an address that is too long")
        if scheme_of(url) not in ("http", "https"):
            raise OtherScheme(url)
        if is_below(url, self._config.base_url):
            raise UpstreamError(Reason.BAD_URL, OWN_LINK)
        with mapped_errors():
            try:
                session = self._session(question.source)
                auth = self._logins.of(url)
                headers = self.headers(question.source, question.headers, url)
                # Bytes: http.client refuses what is not Latin-1 in a str.
                sent = {name: value.encode() for name, value in headers.items()}
                asked = requests.Request("GET", url, sent, auth=auth)
                request = session.prepare_request(asked)
                _leave_out(request, question.without)
                settings = session.merge_environment_settings(request.url, {}, True, None, None)
                terms = self._terms_of(question.source)
                if not terms.tls_verify:
                    settings["verify"] = False
                if terms.proxy is not None:  # the road goes there; the environment's are others
                    settings["proxies"] = {}
                return session.send(
                    request, timeout=question.timeout, allow_redirects=False, **settings
                )
            except BaseException as error:
                # If the greenlet is killed while urllib3 connects or shakes hands, the socket stays
                # open as long as somebody keeps the error with its frames.
                traceback.clear_frames(error.__traceback__)
                raise

    def _session(self, source: Source) -> _Session:
        session = self._sessions.get(source.number)
        if session is None:
            session = self._sessions[source.number] = _Session()
        terms = self._terms_of(source)
        if session.terms is not terms:  # its cookies stay
            session.terms = terms
            for scheme in ("http://", "https://"):
                session.mount(scheme, ClosingAdapter(self.road(source)))
            if scheme_of(source.url) in ("http", "https"):
                way = ClosingAdapter(self.roads.to(source, to_list=True, proxy=terms.proxy))
                session.to_list = _as_sent(source.url), way
        return session

    def _tell_of_skipped(self, source: Source, response: requests.Response) -> None:
        """Log such lines once per source; the lines behind them are read all the same."""
        skipped = skipped_lines(response)
        if skipped and source.number not in self._odd:
            self._odd.add(source.number)
            log.info("%s: %d lines of an answer's head are no field", source.tag, skipped)

    def has_secrets_for(self, source: Source, *urls: str) -> bool:
        """Whether the operator has secret headers sent with requests of ``urls``."""
        return self._terms_of(source).has_secrets_for(source, *urls)

    def headers(self, source: Source, extra: Mapping[str, str], *urls: str) -> dict[str, str]:
        """The headers of a request of ``urls``.

        The stream's own (``extra``) win over its source's, and these over the settings', in upper
        or lower case.
        """
        config = self._config
        headers = {
            "User-Agent": config.user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",  # no idle connection that a provider would count
            "Origin": config.req_origin,
            "Referer": config.req_referrer,
        }
        of_source = self._terms_of(source).headers_for(source, *urls)
        for name, value in (*of_source.items(), *extra.items()):
            headers = {k: v for k, v in headers.items() if k.lower() != name.lower()}
            headers[name] = value
        return {
            name: value
            for name, value in headers.items()
            # Never ask for titles between the bytes, even if an entry says so.
            if value and name.lower() != "icy-metadata"
        }


def _moved(question: _Question, location: str) -> _Question:
    """The same question at the address that an answer's Location names."""
    # http.client reads headers as Latin-1; most are UTF-8.
    there = location.encode("latin-1").decode("utf-8", "replace")
    url = keeping_login(question.url, resolve(question.url, there))
    headers = question.headers
    if not same_server(question.url, url):  # an entry's login is for its own server
        headers = {n: v for n, v in headers.items() if n.lower() != "authorization"}
    if not same_host(question.url, url):
        headers = travelling(headers)
    return replace(question, url=url, headers=headers)


def _as_sent(url: str) -> str:
    """``url`` as requests sends it; unchanged if requests cannot send it."""
    with suppress(requests.RequestException, ValueError):
        return requests.Request("GET", url).prepare().url or url
    return url


def _leave_out(request: requests.PreparedRequest, cookies: Collection[str]) -> None:
    """Take these cookies (``name=value``) out of those that the session has added."""
    cookie = request.headers.get("Cookie")
    if cookies and isinstance(cookie, str):  # a cookie of the stream's own is in bytes
        left = [pair for pair in cookie.split("; ") if pair not in cookies]
        request.headers["Cookie"] = "; ".join(left)
        if not left:
            del request.headers["Cookie"]
