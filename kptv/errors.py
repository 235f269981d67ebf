"""The errors, told apart by what a caller can do about them."""

from __future__ import annotations

from enum import StrEnum

RATE_LIMITS = frozenset((429, 456, 458, 509))  # Xtream panels: 456, 458 for too many connections


class Reason(StrEnum):
    """Why an upstream ended: the label of the metric and the word in the log."""

    REFUSED = "refused"  # no connection: refused, unreachable, no such host, TLS
    PROXY = "proxy"  # the operator's proxy on the way to the source: gone, rubbish, its login
    TIMEOUT = "timeout"  # no first media byte within STREAM_TIMEOUT
    HTTP_ERROR = "http_error"  # 4xx or 5xx
    RATE_LIMITED = "rate_limited"  # too many connections, or it asks for a pause: no failure
    NOT_MEDIA = "not_media"  # HTML or text: there is no transport stream in it
    EMPTY = "empty"  # a body that ended before MIN_DATA_SIZE
    ENDED = "ended"  # end of body in mid-stream
    RESET = "reset"  # connection broken in mid-stream
    STALLED = "stalled"  # open, but silent for longer than its rhythm explains
    UNSUPPORTED = "unsupported"  # encryption or a container that cannot be played here
    DRIP = "drip"  # the media clock advances less than 0.7 s per second
    NO_MEDIA = "no_media"  # packets, but no picture or sound in them
    SCRAMBLED = "scrambled"
    LOOP = "loop"  # the same seconds again and again: a provider's error slate
    BAD_URL = "bad_url"  # not an address this proxy can open
    INTERNAL = "internal"  # a fault of this proxy: logged with its traceback


class KptvError(Exception):
    """Base of all errors of this package."""


class ConfigError(KptvError):
    """The settings cannot be used: tell the operator and stop."""


class ImportFailed(KptvError):
    """A document (a channel list) that could not be had: keep the last good one.

    ``retry_after`` is what the provider asked for, in seconds.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UpstreamError(KptvError):
    """An upstream that ended: try another stream.

    ``detail`` is for the log and must hold no URL, host or credential.
    ``status`` is the HTTP status, if that was the trouble.
    ``retry_after`` is what the provider asked for, in seconds.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{reason} ({detail})" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.status = status
        self.retry_after = retry_after

    def to_keep(self) -> UpstreamError:
        """The same error without its traceback, whose frames hold answers, media and children."""
        return UpstreamError(
            self.reason, self.detail, status=self.status, retry_after=self.retry_after
        )


class IsLive(KptvError):
    """A film was asked for, and the body is a live stream; its connection is closed."""


class Unavailable(KptvError):
    """A channel that cannot be played now, or a logo: answer 503, ``retry_after`` (seconds)."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AllInUse(Unavailable):
    """As all connections of the channel's sources are in use."""
