"""The errors of requests, urllib3 and sockets, as UpstreamError: the one place that maps them."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import requests
import urllib3

from kptv.errors import RATE_LIMITS, Reason, UpstreamError

_FULL = (errno.EMFILE, errno.ENFILE)
LONGEST_RETRY_AFTER = 86400.0  # seconds; more is nonsense


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turns the errors of requests, urllib3 and sockets into UpstreamError."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _mapped(error) from None  # from None: their messages hold URLs
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _mapped(error) from None


def _mapped(error: BaseException) -> UpstreamError:
    chain = list(_chain(error))
    if any(isinstance(cause, OSError) and cause.errno in _FULL for cause in chain):
        return UpstreamError(Reason.REFUSED, "too many open files in this proxy")
    for kinds, reason, detail in _KINDS:
        if any(isinstance(cause, kinds) for cause in chain):
            return UpstreamError(reason, detail)
    return UpstreamError(Reason.RESET, type(chain[-1]).__name__)


# From the particular to the general: the first row counts that any error of the chain fits.
_KINDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Reason, str], ...] = (
    (ConnectionRefusedError, Reason.REFUSED, "connection refused"),
    (socket.gaierror, Reason.REFUSED, "no such host"),
    (ssl.SSLError, Reason.REFUSED, "TLS failed"),
    (urllib3.exceptions.ConnectTimeoutError, Reason.TIMEOUT, "no connection in time"),
    (
        (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError),
        Reason.TIMEOUT,
        "no answer in time",
    ),
    ((ConnectionResetError, BrokenPipeError), Reason.RESET, "connection reset"),
    (http.client.RemoteDisconnected, Reason.RESET, "closed without an answer"),
    (
        (http.client.IncompleteRead, urllib3.exceptions.IncompleteRead),
        Reason.ENDED,
        "body shorter than announced",
    ),
    (http.client.HTTPException, Reason.HTTP_ERROR, "not an HTTP answer"),
    (urllib3.exceptions.DecodeError, Reason.NOT_MEDIA, "content encoding broken"),
    (urllib3.exceptions.NewConnectionError, Reason.REFUSED, "no connection"),
    (
        (requests.exceptions.InvalidHeader, urllib3.exceptions.LocationParseError, ValueError),
        Reason.BAD_URL,
        "address or header that cannot be sent",
    ),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, wherever its library keeps them."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            waiting += [item.__cause__, item.__context__, getattr(item, "reason", None)]
            waiting += item.args


def refusal(response: requests.Response, now: float) -> UpstreamError:
    """The error that an answer's status means. ``now`` is Unix time."""
    status = response.status_code
    asks = response.headers.get("retry-after", "")
    retry_after = parse_retry_after(asks, now)
    limited = status in RATE_LIMITS or (status >= 400 and asks)
    return UpstreamError(
        Reason.RATE_LIMITED if limited else Reason.HTTP_ERROR,
        f"HTTP {status}",
        status=status,
        retry_after=retry_after,
    )


def parse_retry_after(value: str | None, now: float) -> float | None:
    """A Retry-After (RFC 9110, 10.2.3) in seconds from ``now``, Unix time; None: unreadable."""
    if not value:
        return None
    value = value.strip()
    try:
        if value.isdecimal():
            seconds = float(value)
        else:
            seconds = parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
