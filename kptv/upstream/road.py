"""The way to a source's hosts: names are looked up, addresses checked, then connected to.

All sockets to providers are made here. The address that is checked is the one that is connected to,
not one that the name had a moment before (channels.reach tells which addresses are allowed).

If the source has a proxy, all connections are made to that and led on by it. Names are looked up
there and never here, so only an address that is written as such can be checked.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import urllib3.exceptions

from kptv.channels.model import Source
from kptv.channels.reach import (
    Address,
    Private,
    is_private,
    one_a_server,
    refusal,
    written_address,
)
from kptv.errors import Reason, UpstreamError
from kptv.formats.addresses import scheme_of
from kptv.formats.tunnel import ProxyAddress
from kptv.upstream.proxy import ask_proxy
from kptv.upstream.resolver import LOOKUP_TIMEOUT, Endpoint, Resolver

Options = Sequence[tuple[int, int, int | bytes]]  # of setsockopt


class Road:
    """The way to the hosts of one source."""

    def __init__(
        self,
        source: Source,
        names: Resolver,
        policy: Private,
        own_port: int,
        *,
        to_list: bool = False,
        proxy: ProxyAddress | None = None,
    ) -> None:
        """``to_list``: the way to the list itself; the operator has written down its address.

        ``proxy``: through which it goes.
        """
        self._source = source
        self._names = names
        self._policy = Private.ALWAYS if to_list else policy
        self._own_port = own_port
        self._proxy = proxy

    def __repr__(self) -> str:
        return f"<Road {self._source.tag} private={self._policy}>"

    def connect(self, host: str, port: int, timeout: float, options: Options = ()) -> socket.socket:
        """A connected socket. Raises OSError, and UpstreamError if it must not lead there."""
        deadline = monotonic() + timeout
        if self._proxy is not None:
            return self._connect_by(self._proxy, host, port, deadline, options)
        return self._connect_any(self._allowed(host, timeout), port, deadline, options)

    def _connect_by(
        self, proxy: ProxyAddress, host: str, port: int, deadline: float, options: Options
    ) -> socket.socket:
        self._check_written(host)
        timeout = deadline - monotonic()
        try:
            endpoints = self._names.look_up(self._source, proxy.host, timeout)
            connection = self._connect_any(endpoints, proxy.port, deadline, options)
        except socket.gaierror:
            raise UpstreamError(Reason.PROXY, "no such host") from None
        except TimeoutError:
            raise UpstreamError(Reason.PROXY, "no connection in time") from None
        except OSError as error:
            told = "connection refused" if isinstance(error, ConnectionError) else "no connection"
            raise UpstreamError(Reason.PROXY, told) from None
        try:
            ask_proxy(connection, proxy, host, port, deadline)
            connection.settimeout(timeout)
        except BaseException:  # also if the greenlet is killed meanwhile
            connection.close()
            raise
        return connection

    def _check_written(self, host: str) -> None:
        """Raises UpstreamError if ``host`` is an address that is not allowed, not a name."""
        try:
            address = written_address(host)
        except ValueError as error:
            raise UpstreamError(Reason.BAD_URL, str(error)) from None
        if address is not None and (refused := self._refusal(address)):
            raise UpstreamError(Reason.BAD_URL, refused)

    def _connect_any(
        self, endpoints: Sequence[Endpoint], port: int, deadline: float, options: Options
    ) -> socket.socket:
        """A connection to the first of these that takes one. Raises OSError."""
        error: OSError = socket.gaierror("no address")
        for tried, endpoint in enumerate(endpoints):
            share = (deadline - monotonic()) / (len(endpoints) - tried)
            try:
                return self._connect(endpoint, port, max(share, 0.001), options)
            except OSError as failed:
                error = failed
        raise error

    def _allowed(self, host: str, timeout: float) -> list[Endpoint]:
        """The addresses of ``host`` that may be connected to. Raises as ``connect``."""
        endpoints = self._names.look_up(self._source, host, timeout)
        refusals = [self._refusal(endpoint.address) for endpoint in endpoints]
        if all(refusals):
            raise UpstreamError(Reason.BAD_URL, refusals[0])
        return [
            endpoint for endpoint, refused in zip(endpoints, refusals, strict=True) if not refused
        ]

    def check(self, *urls: str) -> None:
        """Raises UpstreamError unless every address behind ``urls`` may be connected to.

        For ffmpeg, which looks names up itself and may take any of their addresses. A name without
        an address is left to it. It knows no proxy: with one, none may be opened.
        """
        if self._proxy is not None:
            raise UpstreamError(
                Reason.UNSUPPORTED, "needs ffmpeg, which cannot go through its source's proxy"
            )
        for url in one_a_server(urls):
            try:
                parts = urlsplit(url)
                host, port = parts.hostname, parts.port
            except ValueError:
                raise UpstreamError(Reason.BAD_URL, "an address that cannot be read") from None
            if host:  # `udp://@:1234` listens
                self._check(host, port)

    def _check(self, host: str, port: int | None) -> None:
        try:
            endpoints = self._names.look_up(self._source, host, LOOKUP_TIMEOUT)
        except OSError:
            return
        for endpoint in endpoints:
            if refused := self._refusal(endpoint.address):
                raise UpstreamError(Reason.BAD_URL, refused)
            if port == self._own_port and endpoint.address.is_loopback:
                raise UpstreamError(Reason.BAD_URL, OWN_LINK)

    def _refusal(self, address: Address) -> str:
        return refusal(
            address,
            self._policy,
            # Only if it matters: the list's host may have to be looked up.
            list_is_private=is_private(address) and self._list_is_private(),
        )

    def _list_is_private(self) -> bool:
        if scheme_of(self._source.url) not in ("http", "https"):
            return True  # a file of the operator's
        try:
            host = urlsplit(self._source.url).hostname or ""
            if self._proxy is not None:
                address = written_address(host)
                return address is not None and is_private(address)
            endpoints = self._names.look_up(self._source, host, LOOKUP_TIMEOUT)
        except (OSError, ValueError):
            return False
        return any(is_private(endpoint.address) for endpoint in endpoints)

    def _connect(
        self, endpoint: Endpoint, port: int, timeout: float, options: Options
    ) -> socket.socket:
        connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            for option in options:
                connection.setsockopt(*option)
            connection.settimeout(timeout)
            connection.connect((endpoint.host, port))
            if port == self._own_port and _is_own(connection):
                raise UpstreamError(Reason.BAD_URL, OWN_LINK)
        except BaseException:  # also if the greenlet is killed while it connects
            connection.close()
            raise
        return connection


OWN_LINK = "a link of this proxy itself"


def _is_own(connection: socket.socket) -> bool:
    """Whether the connection leads to this machine."""
    ours, theirs = connection.getsockname()[0], connection.getpeername()[0]
    return bool(ours == theirs or ip_address(theirs.partition("%")[0]).is_loopback)


class Roads:
    """The ways to all sources."""

    def __init__(self, policy: Private, own_port: int, names: Resolver | None = None) -> None:
        self.names = names or Resolver()
        self._policy = policy
        self._own_port = own_port

    def to(
        self, source: Source, *, to_list: bool = False, proxy: ProxyAddress | None = None
    ) -> Road:
        """The way to a source's hosts, or to its list itself; through ``proxy``, if it has one."""
        return Road(source, self.names, self._policy, self._own_port, to_list=to_list, proxy=proxy)

    def close(self) -> None:
        """Stop waiting for lookups; may come twice."""
        self.names.close()


class ByRoad:
    """Mixed in before a connection of urllib3: the road makes its socket."""

    road: Road  # set by the pool

    def _new_conn(self) -> socket.socket:
        this: Any = self
        options = this.socket_options or ()
        try:
            return self.road.connect(this._dns_host, this.port, this.timeout, options)
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(this.host, this, error) from error
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(this, "no connection in time") from error
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(this, "no connection") from error
